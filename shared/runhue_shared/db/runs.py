"""Runs as the API shows them: lists that page stably, one run, and its marks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.db.filtering import Condition, attribute, condition, duration
from runhue_shared.filters import Field, Filter

Place = tuple[str | int | float, ...]
"""Where a run stands in an ordered list: what it is sorted by, then its id."""


class Order(NamedTuple):
    """What a list is sorted by: an attribute, or a config or summary key, whose missing values come last."""

    field: Field
    descending: bool


class Run(NamedTuple):
    """A run's attributes. `config`, `summary`, `metadata` are in functions of their own; times are UTC."""

    id: int
    public_id: str
    project_id: int
    name: str
    state: str
    exit_code: int | None
    group: str | None
    job_type: str | None
    notes: str | None
    tags: list[str]
    created_at: datetime
    started_at: float
    finished_at: datetime | None
    heartbeat_at: datetime
    duration: float
    last_step: int | None
    stop_requested: bool
    place: list[Any]


class _Key(NamedTuple):
    """One expression to sort by. `type` is how a place's value is read back."""

    expression: sql.Composable
    descending: bool
    type: Literal["text", "timestamptz", "float8", "int"]


_COLUMNS = sql.SQL(
    'SELECT r.id, r.public_id, r.project_id, r.name, r.state, r.exit_code, r.group_name AS "group",'
    " r.job_type, r.notes, r.tags, r.created_at, r.started_at, r.finished_at, r.heartbeat_at,"
    " {duration} AS duration, (SELECT l.last_step FROM run_metric l"
    "  WHERE l.run_id = r.id AND l.type = 'number' AND l.metric_id = (SELECT m.id FROM metric m"
    "   WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded = '_step')) AS last_step,"
    " r.stop_requested, ARRAY[{place}]::text[] AS place FROM run r {joins}"
    " WHERE r.project_id = %(project)s AND r.deleted_at IS NULL AND {test}"
)


def page_of_runs(
    tx: Transaction,
    project_id: int,
    parsed: Filter,
    search: str | None,
    order: Order,
    limit: int,
    after: Sequence[str] | None = None,
) -> list[Run]:
    """Up to `limit` runs that pass, in order, from behind the place `after` (a `Run.place`).

    Ties are broken by the run's id in the direction of the order, so pages neither repeat nor skip.

    Raises:
        psycopg.DataError: `after` is no place of this order.
    """
    test = condition(parsed, search, project_id)
    joins, keys = _sort(order)
    params = {**test.params, "project": project_id, "sort_key": _stored_name(order.field), "limit": limit}
    behind: sql.Composable = sql.SQL("")
    if after is not None:
        behind = sql.SQL(" AND {}").format(_behind(keys))
        params |= {f"place{position}": value for position, value in enumerate(after)}
    query = sql.SQL("{} {} ORDER BY {} LIMIT %(limit)s").format(
        _COLUMNS.format(duration=duration(), place=_place(keys), joins=joins, test=test.sql),
        behind,
        _by(keys),
    )
    with tx.cursor(row_factory=class_row(Run)) as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()


def count_runs(tx: Transaction, project_id: int, parsed: Filter, search: str | None) -> int:
    """How many runs of the project pass."""
    test = condition(parsed, search, project_id)
    query = sql.SQL(
        "SELECT count(*) FROM run r WHERE r.project_id = %(project)s AND r.deleted_at IS NULL AND {}"
    ).format(test.sql)
    row = tx.execute(query, {**test.params, "project": project_id}).fetchone()
    return 0 if row is None else int(row[0])


def run_named(tx: Transaction, project_id: int, public_id: str) -> Run | None:
    """The project's run of that id; None when it is not there or deleted."""
    test = Condition(sql.SQL("r.public_id = %(public_id)s"), {"public_id": public_id})
    query = _COLUMNS.format(duration=duration(), place=sql.SQL(""), joins=sql.SQL(""), test=test.sql)
    with tx.cursor(row_factory=class_row(Run)) as cursor:
        cursor.execute(query, {**test.params, "project": project_id})
        return cursor.fetchone()


def run_ids_named(tx: Transaction, project_id: int, public_ids: Sequence[str]) -> dict[str, int]:
    """Internal ids by public id, of those that are there and not deleted."""
    rows = tx.execute(
        "SELECT public_id, id FROM run WHERE project_id = %s AND public_id = ANY(%s) AND deleted_at IS NULL",
        (project_id, list(public_ids)),
    )
    return dict(rows.fetchall())


def newest_run_ids(tx: Transaction, project_id: int, limit: int) -> dict[str, int]:
    """Internal ids by public id of the project's newest runs."""
    rows = tx.execute(
        "SELECT public_id, id FROM run WHERE project_id = %s AND deleted_at IS NULL"
        " ORDER BY created_at DESC, id DESC LIMIT %s",
        (project_id, limit),
    )
    return dict(rows.fetchall())


def documents_of_run(tx: Transaction, run_id: int) -> tuple[str, str]:
    """(config, metadata) of a run as JSON texts; NaN and the infinities are bare words in them."""
    row = tx.execute("SELECT config, metadata FROM run WHERE id = %s", (run_id,)).fetchone()
    return ("{}", "{}") if row is None else (row[0], row[1])


def configs_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, str]:
    """Config of each run as a JSON text."""
    return dict(tx.execute("SELECT id, config FROM run WHERE id = ANY(%s)", (list(run_ids),)).fetchall())


def summaries_of_runs(
    tx: Transaction, run_ids: Sequence[int], names: Sequence[str] | None
) -> list[tuple[int, str, str, float | None, str | None]]:
    """(run id, metric name, type, number, JSON text) of summary values; `names` are casefolded, None is all.

    A value set by hand wins over logged ones; of logged types the last point's counts.
    """
    rows = tx.execute(
        "SELECT DISTINCT ON (v.run_id, v.metric_id) v.run_id, m.name, v.type, v.number, v.json FROM ("
        " SELECT run_id, metric_id, type, number, json, 1 AS manual, 0::bigint AS last_step,"
        "  0::bigint AS last_ord FROM run_summary WHERE run_id = ANY(%(runs)s)"
        " UNION ALL SELECT run_id, metric_id, type, last, last_json, 0, last_step, last_ord FROM run_metric"
        "  WHERE run_id = ANY(%(runs)s)) v JOIN metric m ON m.id = v.metric_id"
        " WHERE m.stream = 'history' AND (%(names)s::text[] IS NULL OR m.folded = ANY(%(names)s))"
        " ORDER BY v.run_id, v.metric_id, v.manual DESC, v.last_step DESC, v.last_ord DESC",
        {"runs": list(run_ids), "names": None if names is None else list(names)},
    )
    return rows.fetchall()


def mark_deleted(tx: Transaction, project_id: int, public_id: str) -> int | None:
    """Delete a run and tell subscribers; its internal id, None when it is not there or was deleted before."""
    row = tx.execute(
        "WITH gone AS (UPDATE run SET deleted_at = now()"
        "  WHERE project_id = %s AND public_id = %s AND deleted_at IS NULL"
        "  RETURNING id, team_id, project_id, name),"
        " told AS (INSERT INTO outbox (team_id, project_id, type, payload)"
        "  SELECT team_id, project_id, 'run', json_build_object('type', 'run', 'run_id', %s::text,"
        "   'state', 'deleted', 'name', name)::text FROM gone)"
        " SELECT id FROM gone",
        (project_id, public_id, public_id),
    ).fetchone()
    return None if row is None else int(row[0])


def request_stop(tx: Transaction, run_id: int) -> None:
    """Ask the run's writers to stop; they hear of it with their next batch."""
    tx.execute("UPDATE run SET stop_requested = true WHERE id = %s", (run_id,))


def _stored_name(field: Field) -> str:
    return field.name.casefold() if field.section == "summary" else field.name


def _sort(order: Order) -> tuple[sql.Composable, list[_Key]]:
    """(joins, keys): the last key is the run's id, none is ever NULL."""
    down = order.descending
    last = _Key(sql.SQL("r.id"), down, "int")
    if order.field.section != "run":
        value = _CONFIG_VALUE if order.field.section == "config" else _SUMMARY_VALUE
        rank = sql.SQL("coalesce(v.rank, 9)")
        number, string = sql.SQL("coalesce(v.number, 0)"), sql.SQL("""coalesce(v.string, '') COLLATE "C" """)
        return value, [
            _Key(rank, False, "int"),
            _Key(number, down, "float8"),
            _Key(string, down, "text"),
            last,
        ]
    if order.field.name in ("created_at", "heartbeat_at"):
        return sql.SQL(""), [_Key(sql.Identifier("r", order.field.name), down, "timestamptz"), last]
    if order.field.name == "duration":
        return sql.SQL(""), [_Key(duration(), down, "float8"), last]
    return sql.SQL(""), [_Key(attribute(order.field.name), down, "text"), last]


# Numbers come before booleans, booleans before strings; NaN, null, lists and missing keys come last.
_RANKED = sql.SQL(
    "CASE WHEN x.type = 'number' AND x.number <> 'NaN' THEN 0 WHEN x.type = 'bool' THEN 1"
    " WHEN x.type = 'string' THEN 2 ELSE 9 END AS rank,"
    " CASE WHEN x.type = 'number' AND x.number <> 'NaN' THEN x.number"
    " WHEN x.type = 'bool' THEN x.bool::int::float8 END AS number,"
    " CASE WHEN x.type = 'string' THEN x.string END AS string"
)
_CONFIG_VALUE = sql.SQL(
    "LEFT JOIN (SELECT x.run_id, {} FROM run_config x"
    " WHERE x.project_id = %(project)s AND x.path = %(sort_key)s) v ON v.run_id = r.id"
).format(_RANKED)
_SUMMARY_VALUE = sql.SQL(
    "LEFT JOIN (SELECT x.run_id, {} FROM (SELECT DISTINCT ON (y.run_id) y.run_id, y.type,"
    " y.number, y.json = 'true' AS bool, CASE WHEN y.type = 'string'"
    r"  THEN replace(y.json, '\u0000', '\ufffd')::json #>> '{{}}' END AS string"
    " FROM (SELECT s.run_id, s.type, s.number, s.json, 1 AS manual, 0::bigint AS last_step,"
    "   0::bigint AS last_ord FROM run_summary s JOIN metric m ON m.id = s.metric_id"
    "   WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded = %(sort_key)s"
    "  UNION ALL SELECT l.run_id, l.type, l.last, l.last_json, 0, l.last_step, l.last_ord"
    "   FROM run_metric l JOIN metric m ON m.id = l.metric_id"
    "   WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded = %(sort_key)s) y"
    " ORDER BY y.run_id, y.manual DESC, y.last_step DESC, y.last_ord DESC) x) v ON v.run_id = r.id"
).format(_RANKED)


def _place(keys: list[_Key]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("({})::text").format(key.expression) for key in keys)


def _by(keys: list[_Key]) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{} DESC" if key.descending else "{}").format(key.expression) for key in keys
    )


def _behind(keys: list[_Key]) -> sql.Composable:
    """Lexicographically behind `place0, place1, ...`; one row comparison where the directions agree."""
    values = [sql.SQL("{}::" + key.type).format(sql.Placeholder(f"place{i}")) for i, key in enumerate(keys)]
    start = next(i for i in range(len(keys)) if len({key.descending for key in keys[i:]}) == 1)
    test: sql.Composable = sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(key.expression for key in keys[start:]),
        sql.SQL("<" if keys[-1].descending else ">"),
        sql.SQL(", ").join(values[start:]),
    )
    for key, value in reversed(list(zip(keys[:start], values[:start], strict=True))):
        sign = sql.SQL("<" if key.descending else ">")
        test = sql.SQL("({k} {s} {v} OR ({k} = {v} AND {rest}))").format(
            k=key.expression, s=sign, v=value, rest=test
        )
    return test
