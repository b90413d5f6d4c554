"""Statistics of a run's series afresh from its points, for records that came late or replace others."""

from collections.abc import Iterable, Sequence

import numpy as np

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import ChunkInfo, chunk_infos, read_chunks
from runhue_shared.db.metrics import metric_names, replace_stats, stats_columns
from runhue_shared.db.tails import points_in_tails
from runhue_shared.series.points import EMPTY, Points, concat, newest_per_step
from runhue_shared.series.stats import SeriesStats, merged_extremes, stats_of

FIRST, LAST = 0, 2**63 - 1


def restate_run(tx: Transaction, team_id: int, run_id: int, metric_ids: Sequence[int]) -> None:
    """Write `run_metric` of these metrics anew.

    Chunks that nothing in the tail touches count by the statistics stored with them, so the cost is that of
    the tail and of the chunks it changes, not of the run's whole history.
    """
    names = metric_names(tx, metric_ids)
    wanted = {(name.stream, name.folded): name.id for name in names}
    tail = points_in_tails(tx, {run_id: wanted})
    chunks = chunk_infos(tx, [run_id], metric_ids, FIRST, LAST)
    rows = [
        (team_id, run_id, metric_id, stats)
        for metric_id in metric_ids
        for stats in _stats(tx, tail.get((run_id, metric_id), EMPTY), chunks.get((run_id, metric_id), []))
    ]
    replace_stats(tx, run_id, metric_ids, stats_columns(rows))


def _stats(tx: Transaction, tail: Points, chunks: Sequence[ChunkInfo]) -> list[SeriesStats]:
    """Statistics by type of the points in `tail` and `chunks`."""
    touched = [chunk for chunk, hit in zip(chunks, _touched(tail, chunks), strict=True) if hit]
    found = _with_untouched(tx, tail, chunks, touched)
    if found is None:
        found = _with_untouched(tx, tail, chunks, chunks)
    return found or []


def _touched(tail: Points, chunks: Sequence[ChunkInfo]) -> list[bool]:
    """Chunks that a tail point lies in, and of each type the last one, which knows the latest value."""
    last = {chunk.type: chunk.id for chunk in sorted(chunks, key=lambda chunk: chunk.step_max)}
    below = np.searchsorted(tail.steps, [chunk.step_min for chunk in chunks])
    above = np.searchsorted(tail.steps, [chunk.step_max for chunk in chunks], side="right")
    return [
        bool(hit) or last[chunk.type] == chunk.id for hit, chunk in zip(above > below, chunks, strict=True)
    ]


def _with_untouched(
    tx: Transaction, tail: Points, chunks: Sequence[ChunkInfo], touched: Sequence[ChunkInfo]
) -> list[SeriesStats] | None:
    """Statistics when only `touched` chunks are read; None when that does not tell a type's latest value."""
    read = read_chunks(tx, touched)
    points = newest_per_step(concat([*(read[chunk.id] for chunk in touched), tail])).by_type()
    known = {chunk.id for chunk in touched}
    rest: dict[str, list[ChunkInfo]] = {}
    for chunk in chunks:
        if chunk.id not in known:
            rest.setdefault(chunk.type, []).append(chunk)
    if any(type_ not in points or _reach(of) > points[type_].steps[-1] for type_, of in rest.items()):
        return None
    return [_merged(stats_of(type_, part), rest.get(type_, [])) for type_, part in points.items()]


def _reach(chunks: Iterable[ChunkInfo]) -> int:
    return max(chunk.step_max for chunk in chunks)


def _merged(stats: SeriesStats, chunks: Iterable[ChunkInfo]) -> SeriesStats:
    chunks = list(chunks)
    return stats._replace(
        n=stats.n + sum(chunk.n for chunk in chunks),
        first_step=min([stats.first_step, *(chunk.step_min for chunk in chunks)]),
        extremes=merged_extremes([stats.extremes, *(chunk.extremes for chunk in chunks)]),
    )
