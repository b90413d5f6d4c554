"""Rows that tests start from, made through SQL as short as it can be."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.events import LogBatch, encode_batch, encode_rows

Row = tuple[int, Mapping[str, Any]]
"""(step, values): values are what `log()` takes after flattening."""


class Run(NamedTuple):
    """A run and its writers; `writer_ids[no - 1]` is the writer with that number."""

    id: int
    public_id: str
    team_id: int
    project_id: int
    part: int
    writer_ids: tuple[int, ...]


def make_team(tx: Transaction, name: str = "main") -> int:
    """A team's id."""
    return int(tx.execute("INSERT INTO team (name) VALUES (%s) RETURNING id", (name,)).fetchall()[0][0])


def make_project(tx: Transaction, team_id: int, name: str = "digits") -> int:
    """A project's id."""
    row = tx.execute(
        "INSERT INTO project (team_id, name) VALUES (%s, %s) RETURNING id", (team_id, name)
    ).fetchall()
    return int(row[0][0])


def make_run(tx: Transaction, project_id: int, public_id: str = "r1", writers: int = 1) -> Run:
    """A running run with that many writers, in partition `team_id * 8`."""
    team_id = tx.execute("SELECT team_id FROM project WHERE id = %s", (project_id,)).fetchall()[0][0]
    part = team_id * 8
    tx.execute(
        "INSERT INTO inbox_partition (part, team_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (part, team_id)
    )
    run_id = tx.execute(
        "INSERT INTO run (team_id, project_id, public_id, part, name, started_at, writer_count)"
        " VALUES (%s, %s, %s, %s, %s, 1700000000, %s) RETURNING id",
        (team_id, project_id, public_id, part, public_id, writers),
    ).fetchall()[0][0]
    writer_ids = [
        tx.execute(
            "INSERT INTO run_writer (team_id, run_id, writer, no, part, started_at)"
            " VALUES (%s, %s, %s, %s, %s, 1700000000) RETURNING id",
            (team_id, run_id, f"{no:032x}", no, part),
        ).fetchall()[0][0]
        for no in range(1, writers + 1)
    ]
    return Run(run_id, public_id, team_id, project_id, part, tuple(writer_ids))


def batch_of(rows: Sequence[Row] = (), seq_lo: int = 0, **parts: Any) -> LogBatch:
    """A batch of history rows, the first with `seq_lo`. `parts` are further fields of `LogBatch`.

    Without `seq_hi` among `parts` it ends with the last row.
    """
    columns = encode_rows([(offset, step, values) for offset, (step, values) in enumerate(rows)])
    seq_hi = parts.pop("seq_hi", seq_lo + max(len(rows), 1) - 1)
    return LogBatch(seq_lo=seq_lo, seq_hi=seq_hi, rows=columns if rows else None, **parts)


def batch_body(rows: Sequence[Row] = (), seq_lo: int = 0, **parts: Any) -> bytes:
    """The same, as it goes over the wire."""
    return encode_batch(batch_of(rows, seq_lo, **parts))[0]


def put_batch(tx: Transaction, run: Run, batch: LogBatch, no: int = 1) -> None:
    """Make a batch durable as ingest does: into the inbox, and the writer's mark moved up."""
    writer_id = run.writer_ids[no - 1]
    body, _ = encode_batch(batch)
    tx.execute(
        "INSERT INTO inbox (part, team_id, run_id, writer_id, seq_lo, seq_hi, codec, crc, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, 1, %s, %s)",
        (run.part, run.team_id, run.id, writer_id, batch.seq_lo, batch.seq_hi, zlib.crc32(body), body),
    )
    tx.execute(
        "UPDATE run_writer SET durable_seq = greatest(durable_seq, %s), received = received + 1"
        " WHERE id = %s",
        (batch.seq_hi, writer_id),
    )
