"""The inbox: batches from the commit that acknowledges them until they are folded."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction

ZSTD_MSGPACK = 1
"""`codec` of a body that is zstd(msgpack(LogBatch))."""

LAST_SEQ = 2**40 - 1
"""The greatest seq of a writer: a record's place in its run's order is `no << 40 | seq`."""


class WriterRow(NamedTuple):
    """A writer as the accept path needs it; the last four are of its run."""

    id: int
    team_id: int
    run_id: int
    part: int
    durable_seq: int
    applied_seq: int
    stop_requested: bool
    deleted: bool
    state: str
    project_id: int


class InboxRow(NamedTuple):
    """A batch to store; `crc` is the CRC-32 of `body`."""

    part: int
    team_id: int
    run_id: int
    writer_id: int
    seq_lo: int
    seq_hi: int
    crc: int
    body: bytes


class WriterProgress(NamedTuple):
    """What a group of batches makes of one writer: its mark, and how many came new and again.

    `marks`: how far the files of a wandb client are durable, None leaves it as it is.
    """

    id: int
    durable_seq: int
    received: int
    duplicates: int
    marks: str | None = None


def lock_free_writers(tx: Transaction, writer_ids: Sequence[int]) -> dict[int, WriterRow]:
    """The writers that nobody else has locked, by id; they stay locked until the transaction ends.

    It never waits, so it takes no part in a deadlock, whatever order others lock in.
    """
    rows = tx.execute(
        "SELECT w.id, w.team_id, w.run_id, w.part, w.durable_seq, w.applied_seq,"
        " r.stop_requested, r.deleted_at IS NOT NULL, r.state, r.project_id"
        " FROM run_writer w JOIN run r ON r.id = w.run_id WHERE w.id = ANY(%s::int8[])"
        " FOR NO KEY UPDATE OF w SKIP LOCKED",
        (_array(writer_ids),),
    )
    return {row[0]: WriterRow(*row) for row in rows}


def existing_writers(tx: Transaction, writer_ids: Sequence[int]) -> set[int]:
    """Which of these writers there are."""
    rows = tx.execute("SELECT id FROM run_writer WHERE id = ANY(%s::int8[])", (_array(writer_ids),))
    return {writer_id for (writer_id,) in rows}


def store(tx: Transaction, rows: Sequence[InboxRow], progress: Sequence[WriterProgress]) -> None:
    """Put batches into the inbox, ids rising in the order given, and move the marks of their writers.

    Writers of `progress` were seen now; their marks must cover the rows.
    """
    *numbers, bodies = zip(*rows, strict=True) if rows else ((),) * len(InboxRow._fields)
    *counts, marks = zip(*progress, strict=True)
    tx.execute(
        "WITH stored AS ("
        " INSERT INTO inbox (part, team_id, run_id, writer_id, seq_lo, seq_hi, codec, crc, body)"
        "  SELECT part, team, run, writer, lo, hi, %s, crc, body FROM unnest(%s::int4[], %s::int4[],"
        "   %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %b::bytea[])"
        "   AS b (part, team, run, writer, lo, hi, crc, body))"
        " UPDATE run_writer w SET durable_seq = v.durable_seq, received = w.received + v.received,"
        "  duplicates = w.duplicates + v.duplicates, marks = coalesce(v.marks, w.marks), last_seen_at = now()"
        " FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::text[])"
        "  AS v (id, durable_seq, received, duplicates, marks) WHERE w.id = v.id",
        (ZSTD_MSGPACK, *map(_array, numbers), list(bodies), *map(_array, counts), list(marks)),
    )


def _array(numbers: Iterable[int]) -> str:
    """A Postgres array literal; the driver's own dumping looks at each element with a regular expression."""
    return f"{{{','.join(map(str, numbers))}}}"


def depth(tx: Transaction, at_most: int) -> int:
    """How many batches wait to be folded; counting ends at `at_most`."""
    row = tx.execute("SELECT count(*) FROM (SELECT 1 FROM inbox LIMIT %s) AS waiting", (at_most,))
    return int(row.fetchall()[0][0])


def parts_with_work(tx: Transaction) -> list[int]:
    """Partitions that have batches to fold and are not stopped."""
    rows = tx.execute(
        "SELECT p.part FROM inbox_partition p WHERE p.stopped_at IS NULL"
        " AND EXISTS (SELECT 1 FROM inbox i WHERE i.part = p.part) ORDER BY p.part"
    )
    return [part for (part,) in rows]


def pending_bodies(tx: Transaction, part: int, run_id: int) -> list[bytes]:
    """Bodies of a run that are durable and not folded yet."""
    rows = tx.execute("SELECT body FROM inbox WHERE part = %s AND run_id = %s ORDER BY id", (part, run_id))
    return [body for (body,) in rows]
