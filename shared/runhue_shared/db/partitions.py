"""Folding's side of the inbox: one worker at a time takes a partition's batches and deletes what it folds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psycopg

from runhue_shared.db import Transaction

LOCK_CLASS = 0x52_48_46  # "RHF": partition locks apart from other advisory locks
MAX_ROWS = 2000
MAX_BYTES = 64 * 1024 * 1024


class WaitingBatch(NamedTuple):
    """A batch of the inbox, not folded yet."""

    id: int
    run_id: int
    writer_id: int
    seq_lo: int
    seq_hi: int
    body: bytes


class FoldingWriter(NamedTuple):
    """A writer and its run, as folding needs them. `project_made` tells projects of two databases apart.

    `client`: None for a writer of our own SDK. `rewound`: whether the run took rows back.
    """

    id: int
    run_id: int
    no: int
    applied_seq: int
    team_id: int
    project_id: int
    project_made: str
    public_id: str
    deleted: bool
    client: str | None
    rewound: bool


def try_lock(tx: Transaction, part: int) -> bool:
    """Whether this transaction now is the only one that folds or compacts `part`, until it ends."""
    row = tx.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (LOCK_CLASS, part))
    return bool(row.fetchall()[0][0])


def wait_for_lock(tx: Transaction, part: int, seconds: float) -> bool:
    """As `try_lock`, but wait for it up to `seconds`."""
    try:
        with tx.transaction():
            tx.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(seconds * 1000)}ms",))
            tx.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_CLASS, part))
    except psycopg.errors.LockNotAvailable:
        return False
    tx.execute("SELECT set_config('lock_timeout', '0', true)")
    return True


def is_stopped(tx: Transaction, part: int) -> bool:
    """Whether the partition stopped because too many of its batches were bad."""
    rows = tx.execute(
        "SELECT stopped_at IS NOT NULL FROM inbox_partition WHERE part = %s", (part,)
    ).fetchall()
    return bool(rows and rows[0][0])


def waiting_batches(tx: Transaction, part: int, max_rows: int, max_bytes: int) -> list[WaitingBatch]:
    """The partition's oldest batches, at most `max_rows` and `max_bytes` of bodies, but one at least."""
    rows = tx.cursor(binary=True).execute(
        "SELECT i.id, i.run_id, i.writer_id, i.seq_lo, i.seq_hi, i.body FROM ("
        " SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM ("
        "  SELECT id, octet_length(body) AS size FROM inbox WHERE part = %s ORDER BY id LIMIT %s) AS oldest"
        " ) AS taken JOIN inbox i ON i.part = %s AND i.id = taken.id WHERE taken.before < %s ORDER BY i.id",
        (part, max_rows, part, max_bytes),
    )
    return [WaitingBatch(*row) for row in rows]


def has_more(tx: Transaction, part: int, left: Sequence[int]) -> bool:
    """Whether batches wait other than those with ids `left`."""
    row = tx.execute(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE part = %s AND id <> ALL(%s))", (part, list(left))
    )
    return bool(row.fetchall()[0][0])


def folding_writers(tx: Transaction, writer_ids: Sequence[int]) -> dict[int, FoldingWriter]:
    """The writers that exist, by id; their runs can not be deleted until the transaction ends."""
    rows = tx.execute(
        "SELECT w.id, w.run_id, w.no, w.applied_seq, r.team_id, r.project_id, p.created_at::text,"
        " r.public_id, r.deleted_at IS NOT NULL, w.client,"
        " EXISTS (SELECT 1 FROM run_rewind v WHERE v.run_id = r.id)"
        " FROM run_writer w JOIN run r ON r.id = w.run_id JOIN project p ON p.id = r.project_id"
        " WHERE w.id = ANY(%s) ORDER BY r.id FOR KEY SHARE OF r",
        (list(writer_ids),),
    )
    return {row[0]: FoldingWriter(*row) for row in rows}


def mark_applied(tx: Transaction, applied: Mapping[int, int]) -> None:
    """Move the writers' marks up to the last seq folded; takes them in the order in which ingest does."""
    tx.execute(
        "WITH mine AS MATERIALIZED (SELECT w.id, v.seq FROM run_writer w"
        " JOIN unnest(%s::bigint[], %s::bigint[]) AS v (id, seq) ON v.id = w.id"
        " ORDER BY w.id FOR NO KEY UPDATE OF w)"
        " UPDATE run_writer w SET applied_seq = greatest(w.applied_seq, mine.seq) FROM mine"
        " WHERE w.id = mine.id",
        (list(applied), list(applied.values())),
    )


def delete_batches(tx: Transaction, part: int, ids: Sequence[int]) -> None:
    """Take folded batches out of the inbox."""
    tx.execute("DELETE FROM inbox WHERE part = %s AND id = ANY(%s)", (part, list(ids)))


def count_batches(tx: Transaction, part: int, applied: int, dead: int) -> None:
    """Add to the partition's counts."""
    tx.execute(
        "UPDATE inbox_partition SET applied = applied + %s, dead = dead + %s WHERE part = %s",
        (applied, dead, part),
    )


def stop_partition(tx: Transaction, part: int, reason: str) -> None:
    """Fold nothing more of the partition until `resume_partition`; nothing is lost meanwhile."""
    tx.execute(
        "UPDATE inbox_partition SET stopped_at = now(), stop_reason = %s"
        " WHERE part = %s AND stopped_at IS NULL",
        (reason, part),
    )


def resume_partition(tx: Transaction, part: int) -> bool:
    """Fold the partition again; returns whether it was stopped. Send `LogBatchStored` after the commit."""
    done = tx.execute(
        "UPDATE inbox_partition SET stopped_at = NULL, stop_reason = NULL"
        " WHERE part = %s AND stopped_at IS NOT NULL",
        (part,),
    )
    return done.rowcount > 0
