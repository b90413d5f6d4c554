"""Runs and their writers from the start to the last sign of life."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from psycopg import sql

from runhue_shared.db import Transaction, outbox


class NewRun(NamedTuple):
    """A run that nobody has written to; `started_at` is Unix seconds, `metadata` JSON."""

    team_id: int
    project_id: int
    public_id: str
    part: int
    name: str
    started_at: float
    group: str | None
    job_type: str | None
    notes: str | None
    tags: list[str]
    metadata: str


class StartedRun(NamedTuple):
    """A run as a starting writer finds it; its row is locked until the transaction ends."""

    id: int
    name: str
    state: str
    part: int
    deleted: bool


class Writer(NamedTuple):
    """One process that writes to a run; `no` counts the run's writers from 1."""

    id: int
    no: int
    durable_seq: int


class SeenWriter(NamedTuple):
    """A writer after a sign of life, and what its run has to tell it."""

    run_id: int
    durable_seq: int
    applied_seq: int
    stop_requested: bool
    deleted: bool
    state: str


class ChangedRun(NamedTuple):
    """A run whose state changed."""

    id: int
    project_id: int


def insert_run(tx: Transaction, run: NewRun) -> bool:
    """Make the run and its inbox partition; False when the run is there already, also a deleted one."""
    tx.execute(
        "INSERT INTO inbox_partition (part, team_id) SELECT %(part)s, %(team)s"
        " WHERE NOT EXISTS (SELECT 1 FROM inbox_partition WHERE part = %(part)s) ON CONFLICT DO NOTHING",
        {"part": run.part, "team": run.team_id},
    )
    done = tx.execute(
        "INSERT INTO run (team_id, project_id, public_id, part, name, started_at, group_name, job_type,"
        " notes, tags, metadata) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (project_id, public_id) DO NOTHING",
        run,
    )
    return done.rowcount == 1


def lock_run(tx: Transaction, project_id: int, public_id: str) -> StartedRun | None:
    """The project's run of that id, also a deleted one; writers that start at once take turns."""
    row = tx.execute(
        "SELECT id, name, state, part, deleted_at IS NOT NULL FROM run"
        " WHERE project_id = %s AND public_id = %s FOR NO KEY UPDATE",
        (project_id, public_id),
    ).fetchone()
    return None if row is None else StartedRun(*row)


def find_writer(tx: Transaction, run_id: int, writer: str) -> Writer | None:
    """The writer that calls itself `writer`, if it started before."""
    row = tx.execute(
        "SELECT id, no, durable_seq FROM run_writer WHERE run_id = %s AND writer = %s", (run_id, writer)
    ).fetchone()
    return None if row is None else Writer(*row)


def add_writer(tx: Transaction, team_id: int, run: StartedRun, writer: str, started_at: float) -> Writer:
    """One more writer of a run locked by `lock_run`; the run is running again if it was not.

    A wish to stop was meant for the processes of then: it ends with them.
    """
    # Edits made on the run's page take numbers as well.
    row = tx.execute(
        "UPDATE run SET writer_count = writer_count + 1, state = 'running', exit_code = NULL,"
        " finished_at = NULL, heartbeat_at = now(), stop_requested = stop_requested AND state = 'running'"
        " WHERE id = %s RETURNING writer_count",
        (run.id,),
    ).fetchall()[0]
    no = int(row[0])
    row = tx.execute(
        "INSERT INTO run_writer (team_id, run_id, writer, no, part, started_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (team_id, run.id, writer, no, run.part, started_at),
    ).fetchall()[0]
    return Writer(int(row[0]), no, -1)


def mark_seen(
    tx: Transaction, team_id: int, writer_id: int, project_id: int | None = None
) -> SeenWriter | None:
    """Note a sign of life of the team's writer, of that project only if given; None when there is no such."""
    row = tx.execute(
        "UPDATE run_writer w SET last_seen_at = now() FROM run r"
        " WHERE w.id = %s AND w.team_id = %s AND r.id = w.run_id AND coalesce(r.project_id = %s, true)"
        " RETURNING w.run_id, w.durable_seq, w.applied_seq, r.stop_requested,"
        " r.deleted_at IS NOT NULL, r.state",
        (writer_id, team_id, project_id),
    ).fetchone()
    return None if row is None else SeenWriter(*row)


def is_folded(tx: Transaction, run_id: int) -> bool:
    """Whether everything durable of the run has been folded."""
    row = tx.execute(
        "SELECT NOT EXISTS (SELECT 1 FROM run_writer WHERE run_id = %s AND applied_seq < durable_seq)",
        (run_id,),
    ).fetchall()[0]
    return bool(row[0])


def last_place(tx: Transaction, run_id: int) -> tuple[int, float]:
    """(greatest step of a folded row, -1 for none; greatest `_runtime` in seconds, 0 for none)."""
    row = tx.execute(
        "SELECT coalesce(max(v.last_step), -1),"
        " coalesce(max(v.fmax) FILTER (WHERE m.folded = '_runtime'), 0)"
        " FROM run_metric v JOIN metric m ON m.id = v.metric_id WHERE v.run_id = %s AND m.stream = 'history'",
        (run_id,),
    ).fetchall()[0]
    return int(row[0]), float(row[1])


def announce(tx: Transaction, run_ids: Sequence[int]) -> None:
    """Tell subscribers, once this is committed, what state these runs are in."""
    rows = tx.execute(
        "SELECT team_id, project_id, public_id, state, name FROM run WHERE id = ANY(%s) ORDER BY id",
        (list(run_ids),),
    ).fetchall()
    outbox.append_all(
        tx,
        [
            (team_id, project_id, "run", _run_event(public_id, state, name))
            for team_id, project_id, public_id, state, name in rows
        ],
    )


def _run_event(run_id: str, state: str, name: str) -> str:
    return json.dumps({"type": "run", "run_id": run_id, "state": state, "name": name}, ensure_ascii=False)


def revive(tx: Transaction, run_ids: Sequence[int]) -> list[ChangedRun]:
    """Crashed runs that spoke again are running; returns those that were crashed."""
    rows = tx.execute(
        "UPDATE run SET state = 'running', finished_at = NULL, heartbeat_at = now()"
        " WHERE id = ANY(%s) AND state = 'crashed' RETURNING id, project_id",
        (list(run_ids),),
    )
    return [ChangedRun(*row) for row in rows]


def note_heartbeats(tx: Transaction, older_than: float) -> None:
    """Carry the last sign of life from writers to running runs whose own is older than that many seconds."""
    tx.execute(
        "WITH free AS MATERIALIZED (SELECT id FROM run WHERE state = 'running'"
        "  AND heartbeat_at < now() - make_interval(secs => %s) FOR NO KEY UPDATE SKIP LOCKED)"
        " UPDATE run r SET heartbeat_at = s.seen FROM ("
        " SELECT w.run_id, max(w.last_seen_at) AS seen FROM free JOIN run_writer w ON w.run_id = free.id"
        "  GROUP BY w.run_id"
        ") s WHERE r.id = s.run_id AND r.state = 'running' AND r.heartbeat_at < s.seen",
        (older_than,),
    )


def crash_silent(tx: Transaction, timeout: float) -> list[ChangedRun]:
    """Running runs nobody spoke for in `timeout` seconds become crashed as of their last sign of life.

    Those that had said that they are about to be preempted were.
    """
    return [
        *_end_silent(tx, timeout, "running", "crashed"),
        *_end_silent(tx, timeout, "preempting", "preempted"),
    ]


_SILENT = sql.SQL(
    "UPDATE run r SET state = {end}, finished_at = r.heartbeat_at WHERE r.id IN ("
    " SELECT q.id FROM run q WHERE q.state = {state} AND q.deleted_at IS NULL"
    "  AND q.heartbeat_at < now() - make_interval(secs => %(timeout)s) AND NOT EXISTS ("
    "   SELECT 1 FROM run_writer w WHERE w.run_id = q.id"
    "   AND w.last_seen_at >= now() - make_interval(secs => %(timeout)s))"
    "  LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED) RETURNING r.id, r.project_id"
)


def _end_silent(tx: Transaction, timeout: float, state: str, end: str) -> list[ChangedRun]:
    # Each state has an index of its own, which is found by the literal only.
    statement = _SILENT.format(state=sql.Literal(state), end=sql.Literal(end))
    return [ChangedRun(*row) for row in tx.execute(statement, {"timeout": timeout})]


def parts_with_tails(tx: Transaction) -> list[int]:
    """Partitions in which some run has a tail."""
    return [part for (part,) in tx.execute("SELECT DISTINCT part FROM run_tail ORDER BY part")]
