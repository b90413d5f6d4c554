"""What the API answers about projects, runs and metrics, typed. Fields and routes: docs/api.md."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

RunState = Literal["pending", "running", "preempting", "preempted", "finished", "failed", "crashed", "killed"]
MetricValue = float | str | bool | None


class Viewer(Struct, frozen=True):
    """Who the API key is: its team, what it may do, how it is called."""

    team: str
    scopes: tuple[str, ...]
    key_name: str


class Server(Struct, frozen=True):
    """A server's version and addresses; limits are counts, bytes or seconds as their names say."""

    version: str
    api_url: str
    ingest_url: str
    limits: Mapping[str, float] = {}


class Project(Struct, frozen=True):
    """A project and what happens in it. `default_workspace` is known when it was asked for alone."""

    team: str
    name: str
    created_at: datetime
    runs: int = 0
    running: int = 0
    last_activity: datetime | None = None
    default_workspace: int | None = None


class RunRecord(Struct, frozen=True):
    """A run as the server has it. `duration` is seconds; `last_step` is None before the first row.

    `config` and `summary` hold what was asked for: everything for one run, the chosen columns in lists.
    """

    id: str
    name: str
    team: str
    project: str
    state: RunState
    created_at: datetime
    exit_code: int | None = None
    group: str | None = None
    job_type: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    duration: float | None = None
    last_step: int | None = None
    url: str = ""
    # Values are whatever the training script gave.
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class MetricType(Struct, frozen=True):
    """A type of a metric, and the runs that have values of it."""

    type: str
    runs: int


class ProjectMetric(Struct, frozen=True):
    """A metric of a project."""

    name: str
    types: tuple[MetricType, ...] = ()


class RunMetric(Struct, frozen=True):
    """One metric of a run, per type: exact over every point, never over a sample."""

    name: str
    type: str
    n: int = 0
    first_step: int | None = None
    last_step: int | None = None
    last: Any = None  # media and lists too
    min: MetricValue = None
    min_step: int | None = None
    max: MetricValue = None
    max_step: int | None = None
    nan_count: int = 0
    inf_count: int = 0
    definition: dict[str, Any] | None = None  # as `define_metric` was called


class WriterHealth(Struct, frozen=True):
    """One training process: what came, what is durable and what is folded. A `seq` of -1 means none."""

    received: int = 0
    durable_seq: int = -1
    applied_seq: int = -1
    duplicates: int = 0
    writer: str = ""


class Rejection(Struct, frozen=True):
    """Values refused for one reason, counted."""

    code: str
    message: str
    count: int
    field: str | None = None


class DeadLetter(Struct, frozen=True):
    """Records that were set aside because they could not be folded."""

    seq_lo: int
    seq_hi: int
    reason: str
    created_at: datetime


class Health(Struct, frozen=True):
    """What ingest made of a run: nothing is dropped without a line here."""

    writers: tuple[WriterHealth, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    pending_batches: int = 0


class ConsoleLine(Struct, frozen=True):
    """One line a run printed. `time` is Unix seconds."""

    number: int
    stream: Literal["stdout", "stderr"]
    time: float
    text: str


class Alert(Struct, frozen=True):
    """An alert of a run."""

    title: str
    text: str
    level: str
    time: float


class FileRecord(Struct, frozen=True):
    """A file of a run. `size` is bytes, `sha256` hex; `url` is a path on the server, good for a day."""

    path: str
    size: int
    sha256: str
    mimetype: str
    updated_at: datetime
    url: str = ""


class WorkspaceRecord(Struct, frozen=True):
    """A workspace: which of its project's runs it shows. `default` marks the project's own."""

    id: int
    name: str
    team: str
    project: str
    filter: dict[str, Any] | None = None  # docs/api.md, "Filter language"
    search: str | None = None
    hidden_runs: tuple[str, ...] = ()
    default: bool = False


class ColorKeyEntry(Struct, frozen=True):
    """One entry of the Key list; those of type other cannot be selected."""

    source: str
    name: str
    type: str
    runs: int
    selectable: bool = True


class Page(Struct, frozen=True):
    """What every paged answer has."""

    next: str | int | None = None


class ProjectPage(Page, frozen=True, kw_only=True):
    projects: list[Project]


class RunPage(Page, frozen=True, kw_only=True):
    runs: list[RunRecord]
    total: int = 0


class ProjectMetricPage(Page, frozen=True, kw_only=True):
    metrics: list[ProjectMetric]


class RunMetricList(Struct, frozen=True):
    metrics: list[RunMetric]


class ConsolePage(Page, frozen=True, kw_only=True):
    lines: list[ConsoleLine]


class FilePage(Page, frozen=True, kw_only=True):
    files: list[FileRecord]


class AlertList(Struct, frozen=True):
    alerts: list[Alert]


class WorkspaceList(Struct, frozen=True):
    workspaces: list[WorkspaceRecord]


class ColorKeyList(Struct, frozen=True):
    keys: list[ColorKeyEntry]


class RowPage(Page, frozen=True, kw_only=True):
    rows: list[dict[str, Any]] = field(default_factory=list)  # a row's values are of any logged type


class Point(Struct, frozen=True):
    """One bucket of a reduced series, or one point: the value at its last step, and its extremes."""

    step: int
    last: MetricValue = None
    min: MetricValue = None
    max: MetricValue = None
    count: int = 1
    non_finite: int = 0
    x: MetricValue = None


class Series(Struct, frozen=True):
    """One metric of a run; `bucket` is the width of its buckets in steps, 1 when nothing was reduced."""

    key: str
    type: str
    reduced: bool
    n: int
    points: list[Point]
    bucket: int = 1


class SeriesList(Struct, frozen=True):
    series: list[Series]
