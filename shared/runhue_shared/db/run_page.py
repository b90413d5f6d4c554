"""What a run's own page asks beside its numbers: how ingest went, console lines, alerts."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction


class WriterHealth(NamedTuple):
    """One writer of a run; -1 is no record yet. `pending` batches are durable and not folded."""

    no: int
    writer: str
    started_at: float
    last_seen_at: datetime
    received: int
    durable_seq: int
    applied_seq: int
    duplicates: int
    finished: bool
    pending: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was refused of a run, by reason."""

    code: str
    field: str
    message: str
    count: int
    last_at: datetime


class DeadLetter(NamedTuple):
    """Records that could not be folded, kept with the reason."""

    seq_lo: int
    seq_hi: int
    reason: str
    created_at: datetime


class ConsoleLine(NamedTuple):
    """A line of output. `number` is its place in the run's order; it rises, not by ones."""

    number: int
    stream: str
    time: float
    text: str


class Alert(NamedTuple):
    title: str
    text: str
    level: str
    time: float


def writers_of_run(tx: Transaction, run_id: int) -> list[WriterHealth]:
    """The run's writers in the order in which they started."""
    with tx.cursor(row_factory=class_row(WriterHealth)) as cursor:
        cursor.execute(
            "SELECT w.no, w.writer, w.started_at, w.last_seen_at, w.received, w.durable_seq, w.applied_seq,"
            " w.duplicates, w.finished_seq IS NOT NULL AS finished,"
            " (SELECT count(*) FROM inbox i WHERE i.part = w.part AND i.writer_id = w.id) AS pending"
            " FROM run_writer w WHERE w.run_id = %s ORDER BY w.no",
            (run_id,),
        )
        return cursor.fetchall()


def rejections_of_run(tx: Transaction, run_id: int, limit: int) -> list[Rejection]:
    """What was refused, the most frequent first."""
    with tx.cursor(row_factory=class_row(Rejection)) as cursor:
        cursor.execute(
            "SELECT code, field, message, count, last_at FROM run_rejection WHERE run_id = %s"
            " ORDER BY count DESC, code, field LIMIT %s",
            (run_id, limit),
        )
        return cursor.fetchall()


def dead_letters_of_run(tx: Transaction, run_id: int, limit: int) -> list[DeadLetter]:
    """Records that could not be folded, the newest first."""
    with tx.cursor(row_factory=class_row(DeadLetter)) as cursor:
        cursor.execute(
            "SELECT seq_lo, seq_hi, reason, created_at FROM dead_letter WHERE run_id = %s"
            " ORDER BY id DESC LIMIT %s",
            (run_id, limit),
        )
        return cursor.fetchall()


def console_lines(tx: Transaction, run_id: int, after: int, limit: int) -> list[ConsoleLine]:
    """Up to `limit` lines behind the number `after` (-1: from the first)."""
    with tx.cursor(row_factory=class_row(ConsoleLine)) as cursor:
        cursor.execute(
            "SELECT ord AS number, stream, logged_at AS time, line AS text FROM run_console"
            " WHERE run_id = %s AND ord > %s ORDER BY ord LIMIT %s",
            (run_id, after, limit),
        )
        return cursor.fetchall()


def last_console_lines(tx: Transaction, run_id: int, count: int) -> list[ConsoleLine]:
    """The run's last `count` lines, in their order."""
    with tx.cursor(row_factory=class_row(ConsoleLine)) as cursor:
        cursor.execute(
            "SELECT ord AS number, stream, logged_at AS time, line AS text FROM run_console"
            " WHERE run_id = %s ORDER BY ord DESC LIMIT %s",
            (run_id, count),
        )
        return cursor.fetchall()[::-1]


def alerts_of_run(tx: Transaction, run_id: int, limit: int) -> list[Alert]:
    """The run's alerts, the newest first."""
    with tx.cursor(row_factory=class_row(Alert)) as cursor:
        cursor.execute(
            "SELECT title, text, level, raised_at AS time FROM run_alert WHERE run_id = %s"
            " ORDER BY ord DESC LIMIT %s",
            (run_id, limit),
        )
        return cursor.fetchall()


def definitions_of_run(tx: Transaction, run_id: int) -> dict[str, str]:
    """`define_metric` calls by name as JSON texts; a name that ends in `*` covers every key it begins."""
    rows = tx.execute("SELECT name, definition FROM metric_definition WHERE run_id = %s", (run_id,))
    return dict(rows.fetchall())
