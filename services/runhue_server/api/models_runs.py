"""What requests and answers about projects and runs look like."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

Seconds = Annotated[float, Field(description="Unix seconds", examples=[1767225600.25])]
State = Literal["pending", "running", "preempting", "preempted", "finished", "failed", "crashed", "killed"]
Number = float | Literal["NaN", "Infinity", "-Infinity"]
"""A double as JSON can carry it."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "holds NUL, which no stored text does")
    return text


def _naming(text: str) -> str:
    if not text.strip() or text in (".", ".."):
        raise PydanticCustomError("blank", "must name something: not blank, not . or ..")
    return text


Storable = AfterValidator(_storable)
"""Refuses text that Postgres cannot hold."""

Text = Annotated[str, StringConstraints(max_length=10_000), Storable]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=128), Storable]
RunName = Annotated[str, StringConstraints(min_length=1, max_length=512), Storable, AfterValidator(_naming)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[^/\\#?%:\x00-\x1f\x7f]+$"),
    AfterValidator(_naming),
]


class Answer(BaseModel):
    """An answer holds what its model names and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ProblemDetails(BaseModel):
    """An error (RFC 9457). `code` is stable; other members depend on it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:runhue:error:run_not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no run 'x7k2m9qd' in project 'mnist'"])
    code: str = Field(examples=["run_not_found"])
    field: str | None = Field(None, description="the field that is wrong", examples=["run"])
    limit: float | None = Field(None, description="the bound that was exceeded")
    fix: str | None = Field(None, description="what to do", examples=["list the runs with GET .../runs"])


class Server(Answer):
    """This server, for clients that know one address."""

    version: str
    api_url: str
    ingest_url: str
    limits: dict[str, int | float]


class Viewer(Answer):
    """Who the key speaks for."""

    team: str
    scopes: list[str]
    key_name: str


class NewProject(Body):
    """A project to make."""

    name: Name = Field(description="1 to 128 characters, none of / \\ # ? % :", examples=["mnist"])


class Project(Answer):
    """A project. Deleted runs are not counted."""

    team: str
    name: str
    created_at: Seconds
    runs: int
    running: int
    last_activity: Seconds | None = Field(description="the last sign of life of any run")


class ProjectDetail(Project):
    """One project, with the id of its default workspace."""

    default_workspace: int


class Projects(Answer):
    """A page of projects by name; `next` is the cursor of the next page."""

    projects: list[Project]
    next: str | None


class Run(Answer):
    """A run. In lists `config` and `summary` hold the columns asked for, under dotted keys."""

    id: str
    name: str
    team: str
    project: str
    state: State
    exit_code: int | None
    group: str | None
    job_type: str | None
    notes: str | None
    tags: list[str]
    created_at: Seconds
    started_at: Seconds
    finished_at: Seconds | None
    heartbeat_at: Seconds
    duration: float = Field(description="seconds up to the end or the last sign of life")
    last_step: int = Field(description="the greatest step logged, -1 before the first")
    config: dict[str, Any]  # what the user logged
    summary: dict[str, Any]  # what the user logged
    url: str


class WriterHealth(Answer):
    """A process that writes to a run. -1 is no record yet."""

    no: int
    writer: str
    started_at: Seconds
    last_seen_at: Seconds
    received: int
    durable_seq: int
    applied_seq: int
    duplicates: int
    finished: bool
    pending_batches: int


class Rejection(Answer):
    """What was refused, by reason."""

    code: str
    field: str
    message: str
    count: int
    last_at: Seconds


class DeadLetter(Answer):
    """Records that could not be folded."""

    seq_lo: int
    seq_hi: int
    reason: str
    created_at: Seconds


class Health(Answer):
    """How a run's records fared on their way in."""

    writers: list[WriterHealth]
    rejections: list[Rejection]
    dead_letters: list[DeadLetter]
    pending_batches: int


class RunDetail(Run):
    """One run whole. `config` is nested as it was set, `summary` under dotted keys."""

    metadata: dict[str, Any]  # what the client collected
    writers: list[WriterHealth]
    health: Health
    stop_requested: bool


class Runs(Answer):
    """A page of runs. `total` counts all that pass; `next` is the cursor of the next page."""

    runs: list[Run]
    next: str | None
    total: int


class RunEdit(Body):
    """Changes of a run; what is absent stays. Config and summary merge by key, null is a value."""

    name: RunName | None = None
    notes: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=256)] | None = None
    group: Text | None = None
    job_type: Text | None = None
    config: dict[str, Any] = Field(
        default_factory=dict, description="top-level keys to set", examples=[{"lr": 0.1}]
    )
    summary: dict[str, Any] = Field(default_factory=dict, description="values that win over logged ones")
    remove_config: list[str] = []
    remove_summary: list[str] = []


class Deleted(Answer):
    """`deleted` is false when there was nothing to delete any more."""

    deleted: bool


class StopRequested(Answer):
    """The run's writers hear of it with their next batch."""

    stop_requested: Literal[True]


class ConsoleLine(Answer):
    """A line of output without its newline."""

    number: int
    stream: Literal["stdout", "stderr"]
    time: Seconds
    text: str


class Console(Answer):
    """Lines in their order; `next` is the `after` of the next page, null at the end."""

    lines: list[ConsoleLine]
    next: int | None


class Alert(Answer):
    title: str
    text: str
    level: Literal["info", "warn", "error"]
    time: Seconds


class Alerts(Answer):
    """The newest first."""

    alerts: list[Alert]
