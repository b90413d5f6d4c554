"""Tails: folded batches whose rows are not in chunks yet, each body as it came."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.events import Rows, decode_batch
from runhue_shared.series.columns import points_by_key
from runhue_shared.series.points import Points, newest_per_step, ord_base
from runhue_shared.settings import settings

COMPACT_ROWS = 8192
COMPACT_BODIES = 256
COMPACT_ROWS_FINISHED = 1024


class TailBody(NamedTuple):
    """One batch of a run's tail."""

    run_id: int
    writer_no: int
    seq_lo: int
    seq_hi: int
    body: bytes


def append_tails(tx: Transaction, part: int, rows_by_inbox_id: Mapping[int, int]) -> list[int]:
    """Move bodies from the inbox to their runs' tails inside Postgres; ids go with their count of rows.

    Returns the runs whose tail is now worth compacting. A longer batch replaces one that began at the same
    seq: it holds the same records.
    """
    if not rows_by_inbox_id:
        return []
    tx.execute(
        "INSERT INTO tail AS t (team_id, run_id, writer_no, seq_lo, seq_hi, rows, codec, body)"
        " SELECT i.team_id, i.run_id, w.no, i.seq_lo, i.seq_hi, v.rows, i.codec, i.body"
        " FROM unnest(%s::bigint[], %s::int[]) AS v (id, rows)"
        " JOIN inbox i ON i.part = %s AND i.id = v.id JOIN run_writer w ON w.id = i.writer_id"
        " ON CONFLICT (run_id, writer_no, seq_lo) DO UPDATE"
        " SET seq_hi = excluded.seq_hi, rows = excluded.rows, codec = excluded.codec, body = excluded.body"
        " WHERE t.seq_hi < excluded.seq_hi",
        (list(rows_by_inbox_id), list(rows_by_inbox_id.values()), part),
    )
    rows = tx.execute(
        "INSERT INTO run_tail AS t (run_id, team_id, part, rows, bodies)"
        " SELECT i.run_id, i.team_id, i.part, sum(v.rows), count(*)"
        " FROM unnest(%s::bigint[], %s::int[]) AS v (id, rows) JOIN inbox i ON i.part = %s AND i.id = v.id"
        " GROUP BY i.run_id, i.team_id, i.part ORDER BY i.run_id"
        " ON CONFLICT (run_id) DO UPDATE"
        " SET rows = t.rows + excluded.rows, bodies = t.bodies + excluded.bodies"
        " RETURNING run_id, rows >= %s OR bodies >= %s",
        (
            list(rows_by_inbox_id),
            list(rows_by_inbox_id.values()),
            part,
            COMPACT_ROWS,
            COMPACT_BODIES,
        ),
    )
    return [run_id for run_id, large in rows if large]


def tails_of_runs(tx: Transaction, run_ids: Sequence[int]) -> list[TailBody]:
    """Every body of the runs' tails, by run, writer and seq."""
    rows = tx.cursor(binary=True).execute(
        "SELECT run_id, writer_no, seq_lo, seq_hi, body FROM tail WHERE run_id = ANY(%s)"
        " ORDER BY run_id, writer_no, seq_lo",
        (list(run_ids),),
    )
    return [TailBody(*row) for row in rows]


WantedMetrics = Mapping[tuple[str, str], int]
"""Metric ids by (stream, casefolded name)."""


def points_in_tails(tx: Transaction, wanted: Mapping[int, WantedMetrics]) -> dict[tuple[int, int], Points]:
    """Points of the wanted metrics of each run that are in its tail, by (run, metric); sorted, one a step."""
    found: dict[tuple[int, int], Points] = {}
    for run_id, bodies in groupby(tails_of_runs(tx, list(wanted)), key=attrgetter("run_id")):
        for metric_id, points in points_in_bodies(bodies, wanted[run_id]):
            found[run_id, metric_id] = newest_per_step(points)
    return found


def points_in_bodies(bodies: Iterable[TailBody], wanted: WantedMetrics) -> Iterator[tuple[int, Points]]:
    """(metric id, points) of the wanted metrics in a run's bodies; in no order, several a step perhaps."""
    current = settings()
    parts: dict[str, list[tuple[Rows, int]]] = {"history": [], "system": []}
    for body in bodies:
        batch = decode_batch(body.body, current.max_decompressed_bytes)
        base = ord_base(body.writer_no, body.seq_lo)
        for stream, rows in (("history", batch.rows), ("system", batch.system)):
            if rows is not None:
                parts[stream].append((rows, base))
    for stream, rows_of_stream in parts.items():
        ids = {name: number for (of, name), number in wanted.items() if of == stream}
        found = points_by_key(rows_of_stream, ids.__contains__, current.max_json_depth)
        yield from ((ids[name], points) for name, points in found.items() if len(points))


def runs_to_compact(tx: Transaction, part: int, limit: int) -> list[tuple[int, int]]:
    """(team, run) of the partition's tails that are large, or not small and the run over; largest first."""
    rows = tx.execute(
        "SELECT t.team_id, t.run_id FROM run_tail t JOIN run r ON r.id = t.run_id"
        " WHERE t.part = %s AND (t.rows >= %s OR t.bodies >= %s OR r.state <> 'running' AND t.rows >= %s)"
        " ORDER BY t.bodies DESC, t.run_id LIMIT %s",
        (part, COMPACT_ROWS, COMPACT_BODIES, COMPACT_ROWS_FINISHED, limit),
    )
    return [(team_id, run_id) for team_id, run_id in rows]


def delete_tail(tx: Transaction, run_id: int) -> None:
    """Drop a run's tail, whose points are in chunks now."""
    tx.execute("DELETE FROM tail WHERE run_id = %s", (run_id,))
    tx.execute("DELETE FROM run_tail WHERE run_id = %s", (run_id,))
