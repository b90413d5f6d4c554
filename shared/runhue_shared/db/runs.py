"""Runs as the API shows them: lists that page stably, one run, and its marks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.db.filtering import Condition, condition, duration
from runhue_shared.db.run_order import Order, behind, ordered_by, place_of, sort_keys, stored_name
from runhue_shared.filters import Filter


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
    then: Sequence[Order] = (),
) -> list[Run]:
    """Up to `limit` runs that pass, in order, from behind the place `after` (a `Run.place`).

    `then` orders runs that are equal in `order`. Ties are broken by the run's id in the direction of the
    last order, so pages neither repeat nor skip.

    Raises:
        psycopg.DataError: `after` is no place of this order.
    """
    test = condition(parsed, search, project_id)
    orders = (order, *then)
    joins, keys = sort_keys(orders)
    params = {**test.params, "project": project_id, "limit": limit}
    params |= {f"sort{place}": stored_name(part.field) for place, part in enumerate(orders)}
    later: sql.Composable = sql.SQL("")
    if after is not None:
        later = sql.SQL(" AND {}").format(behind(keys))
        params |= {f"place{position}": value for position, value in enumerate(after)}
    query = sql.SQL("{} {} ORDER BY {} LIMIT %(limit)s").format(
        _COLUMNS.format(duration=duration(), place=place_of(keys), joins=joins, test=test.sql),
        later,
        ordered_by(keys),
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


class RunPlace(NamedTuple):
    """The team and project that a run is in."""

    run_id: int
    public_id: str
    team: str
    project_id: int
    project: str
    deleted: bool


def place_of_run(tx: Transaction, run_id: int) -> RunPlace | None:
    """Where the run with that internal id is, also when it is deleted."""
    row = tx.execute(
        "SELECT r.id, r.public_id, t.name, p.id, p.name, r.deleted_at IS NOT NULL FROM run r"
        " JOIN team t ON t.id = r.team_id JOIN project p ON p.id = r.project_id WHERE r.id = %s",
        (run_id,),
    ).fetchone()
    return None if row is None else RunPlace(*row)


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


def change_state(tx: Transaction, run_id: int, state: str, allowed: Collection[str]) -> str | None:
    """Put the run into `state` if it is in one of `allowed`; `writers.announce` tells subscribers.

    A run that failed has ended; a pending one has not. Returns the state it was in before, None when the run
    is not there.
    """
    row = tx.execute(
        "SELECT state FROM run WHERE id = %s AND deleted_at IS NULL FOR NO KEY UPDATE", (run_id,)
    ).fetchone()
    if row is None:
        return None
    before = str(row[0])
    if before in allowed:
        tx.execute(
            "UPDATE run SET state = %s, exit_code = NULL,"
            " finished_at = CASE WHEN %s = 'failed' THEN now() END WHERE id = %s",
            (state, state, run_id),
        )
    return before


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
