"""Scales: values of one key over one population, shared by all workspaces that ask the same question."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import msgspec
from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.coloring.settings import ColorSettings, KeyType
from runhue_shared.db import Transaction
from runhue_shared.filters import comparisons, parse_json

TIMESTAMP_METRIC = "_timestamp"
RUNTIME_METRIC = "_runtime"


@dataclass(frozen=True, slots=True)
class Question:
    """What a scale answers: the value of which key, for which runs of a project.

    `filter` is canonical JSON; `hidden_runs` are sorted public ids, there only when they leave the range.
    """

    filter: str
    search: str
    hidden_runs: tuple[str, ...]
    source: str
    key: str
    folded: str
    type: KeyType | None
    y: str
    coerce_numeric_strings: bool
    per_group: bool

    @property
    def identity(self) -> str:
        """Equal for equal questions."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Scale:
    """A row of `scale`, locked. Counts are of runs that define the range."""

    id: int
    team_id: int
    project_id: int
    filter: str
    search: str
    source: str
    type: KeyType | None
    per_group: bool
    resolved_type: KeyType | None
    version: int
    population: int
    valued: int
    number_runs: int
    string_runs: int
    bool_runs: int
    rechecked: bool

    @property
    def is_filtered(self) -> bool:
        """Whether membership takes more than belonging to the project."""
        return bool(self.search) or self.filter != "{}"

    @property
    def is_grouped(self) -> bool:
        """Whether a run's value is its group's."""
        return self.per_group and self.resolved_type == "number"


_COLUMNS = sql.SQL(
    "id, team_id, project_id, filter, search, source, type, per_group, resolved_type, version, population,"
    " valued, number_runs, string_runs, bool_runs, rechecked"
)
_CREATE = sql.SQL(
    "INSERT INTO scale (team_id, project_id, identity, filter, search, hidden_runs, source, key, folded,"
    " type, resolved_type, y, coerce_numeric_strings, per_group, reads_config)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (project_id, identity) DO NOTHING RETURNING {}"
).format(_COLUMNS)
_TAKE = sql.SQL(
    "UPDATE scale SET used_at = now() WHERE project_id = %s AND identity = %s RETURNING {}"
).format(_COLUMNS)
_LOCK_FREE = sql.SQL(
    "SELECT {} FROM scale WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
).format(_COLUMNS)


def question_of(settings: ColorSettings, filter_: str, search: str, hidden_runs: Sequence[str]) -> Question:
    """The question a workspace asks; what its answer does not depend on is left out.

    Raises:
        InvalidFilter: `filter_` is no filter.
    """
    parse_json(filter_)
    canonical = json.dumps(json.loads(filter_ or "{}"), sort_keys=True, separators=(",", ":"))
    hidden = tuple(sorted(set(hidden_runs))) if settings.population == "visible" else ()
    key = settings.key
    if key is None:
        return Question(canonical, search, hidden, "none", "", "", None, "latest", False, False)
    config = key.source == "config"
    return Question(
        filter=canonical,
        search=search,
        hidden_runs=hidden,
        source=key.source,
        key=key.name.casefold() if key.source == "metric" else key.name,
        folded=_metric_read(key.source, key.name),
        type=key.type,
        y="latest" if config or key.type == "string" else settings.y,
        coerce_numeric_strings=config and settings.coerce_numeric_strings,
        per_group=settings.per_group,
    )


def _metric_read(source: str, name: str) -> str:
    if source == "default":
        return RUNTIME_METRIC if name == "relative_time_process" else TIMESTAMP_METRIC
    return name.casefold() if source == "metric" else ""


def create_scale(tx: Transaction, team_id: int, project_id: int, question: Question) -> Scale | None:
    """The scale of the question, without any runs yet; None when there is one already.

    Waits for another transaction that is making the same one.
    """
    with tx.cursor(row_factory=class_row(Scale)) as cursor:
        cursor.execute(
            _CREATE,
            (
                team_id,
                project_id,
                question.identity,
                question.filter,
                question.search,
                list(question.hidden_runs),
                question.source,
                question.key,
                question.folded,
                question.type,
                question.type,
                question.y,
                question.coerce_numeric_strings,
                question.per_group,
                question.source == "config" or "config" in _sections_read(question.filter),
            ),
        )
        scale = cursor.fetchone()
    if scale is not None:
        _say_metrics_read(tx, scale, question)
    return scale


def _sections_read(filter_: str) -> set[str]:
    return {leaf.field.section for leaf in comparisons(parse_json(filter_))}


def _say_metrics_read(tx: Transaction, scale: Scale, question: Question) -> None:
    leaves = list(comparisons(parse_json(question.filter)))
    metrics = {leaf.field.name.casefold() for leaf in leaves if leaf.field.section == "summary"}
    if any(leaf.field.section == "run" and leaf.field.name == "duration" for leaf in leaves):
        metrics.add(TIMESTAMP_METRIC)  # a running run's duration grows with what it logs
    metrics |= {question.folded} - {""}
    tx.execute(
        "INSERT INTO scale_metric (project_id, folded, scale_id, team_id)"
        " SELECT %s, folded, %s, %s FROM unnest(%s::text[]) AS f (folded)",
        (scale.project_id, scale.id, scale.team_id, sorted(metrics)),
    )


def take_scale(tx: Transaction, project_id: int, question: Question) -> Scale | None:
    """The scale of the question, locked and marked as used; None when there is none."""
    with tx.cursor(row_factory=class_row(Scale)) as cursor:
        cursor.execute(_TAKE, (project_id, question.identity))
        return cursor.fetchone()


def lock_free_scales(tx: Transaction, scale_ids: Sequence[int]) -> list[Scale]:
    """Those of the scales that no other transaction holds, locked, by id."""
    with tx.cursor(row_factory=class_row(Scale)) as cursor:
        cursor.execute(_LOCK_FREE, (list(scale_ids),), prepare=True)
        return cursor.fetchall()


def save_scales(tx: Transaction, scales: Sequence[Scale]) -> None:
    """Store version, type and counts of locked scales, and that they were flushed now."""
    rows = [
        {
            "id": scale.id,
            "version": scale.version,
            "resolved_type": scale.resolved_type,
            "population": scale.population,
            "valued": scale.valued,
            "number_runs": scale.number_runs,
            "string_runs": scale.string_runs,
            "bool_runs": scale.bool_runs,
            "rechecked": scale.rechecked,
        }
        for scale in scales
    ]
    tx.execute(
        "UPDATE scale s SET version = n.version, resolved_type = n.resolved_type, population = n.population,"
        " valued = n.valued, number_runs = n.number_runs, string_runs = n.string_runs,"
        " bool_runs = n.bool_runs, rechecked = n.rechecked, flushed_at = clock_timestamp()"
        " FROM json_to_recordset(%s) AS n (id bigint, version bigint, resolved_type text, population bigint,"
        " valued bigint, number_runs bigint, string_runs bigint, bool_runs bigint, rechecked boolean)"
        " WHERE s.id = n.id",
        (msgspec.json.encode(rows).decode(),),
        prepare=True,
    )


def save_type(tx: Transaction, scale: Scale) -> None:
    """Store the type in force, before the runs are looked at as being of it."""
    tx.execute("UPDATE scale SET resolved_type = %s WHERE id = %s", (scale.resolved_type, scale.id))
