"""Writers of runs that the wandb client logs: which one is the newest, and how far its files are durable."""

from collections.abc import Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.db.writers import StartedRun, Writer, add_writer
from runhue_shared.series.points import SEQ_BITS


class WandbRun(NamedTuple):
    """A run as a request of the client finds it, also a deleted one; `started_at` is Unix seconds."""

    id: int
    project_id: int
    part: int
    state: str
    deleted: bool
    stop_requested: bool
    started_at: float


class WandbWriter(NamedTuple):
    """The newest writer of one client of a run. `marks` is JSON, see `run_writer.marks`."""

    id: int
    no: int
    durable_seq: int
    marks: str | None


def run_named(tx: Transaction, team_id: int, project: str, public_id: str) -> WandbRun | None:
    """The team's run of that id in the project of that name."""
    row = tx.execute(
        "SELECT r.id, r.project_id, r.part, r.state, r.deleted_at IS NOT NULL, r.stop_requested, r.started_at"
        " FROM run r JOIN project p ON p.id = r.project_id"
        " WHERE p.team_id = %s AND p.name = %s AND r.public_id = %s",
        (team_id, project, public_id),
    ).fetchone()
    return None if row is None else WandbRun(*row)


def newest_writer(tx: Transaction, run_id: int, client: str) -> WandbWriter | None:
    """The writer that the client's posts belong to; None when the client never began."""
    row = tx.execute(
        "SELECT id, no, durable_seq, marks FROM run_writer WHERE run_id = %s AND client = %s"
        " ORDER BY no DESC LIMIT 1",
        (run_id, client),
    ).fetchone()
    return None if row is None else WandbWriter(*row)


def count_writers(tx: Transaction, run_id: int, client: str) -> int:
    """How many sessions of the client wrote to the run."""
    row = tx.execute(
        "SELECT count(*) FROM run_writer WHERE run_id = %s AND client = %s", (run_id, client)
    ).fetchall()[0]
    return int(row[0])


def add_session(
    tx: Transaction, team_id: int, run: StartedRun, writer: str, client: str, started_at: float, marks: str
) -> Writer:
    """One more writer of the client, of a run locked by `writers.lock_run`; the run is running."""
    added = add_writer(tx, team_id, run, writer, started_at)
    tx.execute("UPDATE run_writer SET client = %s, marks = %s WHERE id = %s", (client, marks, added.id))
    return added


def set_marks(tx: Transaction, writer_id: int, marks: str) -> None:
    """Keep what a post said beside its lines."""
    tx.execute("UPDATE run_writer SET marks = %s WHERE id = %s", (marks, writer_id))


def later_ord(tx: Transaction, run_id: int) -> int:
    """A place in the run's order after everything so far."""
    row = tx.execute(
        "UPDATE run SET writer_count = writer_count + 1 WHERE id = %s RETURNING writer_count", (run_id,)
    ).fetchall()[0]
    return int(row[0]) << SEQ_BITS


def set_state(tx: Transaction, run_id: int, state: str, from_states: Sequence[str]) -> bool:
    """Move the run to `state` when it is in one of `from_states`; whether it was."""
    done = tx.execute(
        "UPDATE run SET state = %s WHERE id = %s AND state = ANY(%s)", (state, run_id, list(from_states))
    )
    return done.rowcount == 1


def started_earlier(tx: Transaction, run_id: int, started_at: float) -> None:
    """The run began at `started_at`, if that is earlier than known: it was logged offline."""
    tx.execute(
        "UPDATE run SET started_at = %s WHERE id = %s AND started_at > %s", (started_at, run_id, started_at)
    )


class PlacedRun(NamedTuple):
    """Where a run is, by its internal number."""

    id: int
    team: str
    project_id: int
    project: str
    public_id: str


def run_numbered(tx: Transaction, run_id: int) -> PlacedRun | None:
    """The run with that internal number, unless it was deleted."""
    row = tx.execute(
        "SELECT r.id, t.name, p.id, p.name, r.public_id FROM run r JOIN project p ON p.id = r.project_id"
        " JOIN team t ON t.id = p.team_id WHERE r.id = %s AND r.deleted_at IS NULL",
        (run_id,),
    ).fetchone()
    return None if row is None else PlacedRun(*row)


def close_writer(tx: Transaction, writer_id: int) -> None:
    """The writer says no more, and has no say in how the run ends."""
    tx.execute(
        "UPDATE run_writer SET finished_seq = durable_seq WHERE id = %s AND finished_seq IS NULL",
        (writer_id,),
    )


def inherit_from(tx: Transaction, parent_id: int, run_id: int) -> None:
    """Give a run the files that its parent's rows name, and how the parent's dotted names came about."""
    tx.execute(
        "INSERT INTO run_file (run_id, team_id, path, sha256, size, mimetype, expired_at)"
        " SELECT %s, team_id, path, sha256, size, mimetype, expired_at FROM run_file"
        " WHERE run_id = %s AND starts_with(path, 'media/') ON CONFLICT (run_id, path) DO NOTHING",
        (run_id, parent_id),
    )
    tx.execute(
        "INSERT INTO nested_key (run_id, team_id, name, path)"
        " SELECT %s, team_id, name, path FROM nested_key WHERE run_id = %s"
        " ON CONFLICT (run_id, name) DO NOTHING",
        (run_id, parent_id),
    )


def said_alert(tx: Transaction, run_id: int, title: str, since: float) -> bool:
    """Whether the run raised an alert of that title after `since`, Unix seconds."""
    row = tx.execute(
        "SELECT EXISTS (SELECT 1 FROM run_alert WHERE run_id = %s AND title = %s AND raised_at > %s)",
        (run_id, title, since),
    ).fetchall()[0]
    return bool(row[0])


def close_others(tx: Transaction, run_id: int, writer_id: int) -> None:
    """In shared mode one client says how the run ended; the others need not, and have no say in it."""
    tx.execute(
        "UPDATE run_writer SET finished_seq = durable_seq WHERE id IN (SELECT id FROM run_writer"
        " WHERE run_id = %s AND id <> %s AND client <> '' AND finished_seq IS NULL"
        " ORDER BY id FOR NO KEY UPDATE)",
        (run_id, writer_id),
    )
