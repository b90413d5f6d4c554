"""One metric of many runs, reduced for a chart: from the pyramid, from chunks where it ends, from tails."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import ChunkInfo, chunk_infos, read_chunks
from runhue_shared.db.lods import read_level
from runhue_shared.db.tails import points_in_tails
from runhue_shared.series.columns import folded
from runhue_shared.series.points import EMPTY, Points, concat, distinct, newest_per_step
from runhue_shared.series.pyramid import (
    LEVELS,
    SPAN_BITS,
    Buckets,
    block_bits,
    bucket_bits,
    buckets_of,
    merge_buckets,
)
from runhue_shared.series.values import NUMBER


class NumberSeries(NamedTuple):
    """A run's numbers of the asked metric."""

    run_id: int
    metric_id: int
    name: str
    n: int
    first_step: int
    last_step: int


class Reduced(NamedTuple):
    """A run's buckets of `bucket` steps; 1 when they are single points."""

    series: NumberSeries
    bucket: int
    buckets: Buckets


def number_series(tx: Transaction, run_ids: Sequence[int], name: str, stream: str) -> list[NumberSeries]:
    """The runs that logged numbers under the name, in the order of their ids."""
    rows = tx.execute(
        "SELECT v.run_id, m.id, m.name, v.n, v.first_step, v.last_step FROM metric m"
        " JOIN run_metric v ON v.metric_id = m.id AND v.type = %s AND v.run_id = ANY(%s)"
        " WHERE m.folded = %s AND m.stream = %s"
        " AND m.project_id IN (SELECT project_id FROM run WHERE id = ANY(%s)) ORDER BY v.run_id",
        (NUMBER, list(run_ids), folded(name).replace("\0", "\ufffd"), stream, list(run_ids)),
    )
    return [NumberSeries(*row) for row in rows]


def bucket_for(from_step: int, to_step: int, points: int) -> int:
    """The smallest power of two whose buckets, aligned at step 0, cover the range with at most `points`."""
    bucket = 1
    while (to_step // bucket) - (from_step // bucket) + 1 > points:
        bucket *= 2
    return bucket


def reduce_runs(
    tx: Transaction,
    run_ids: Sequence[int],
    name: str,
    from_step: int,
    to_step: int | None,
    points: int,
    stream: str,
) -> list[Reduced]:
    """See `history.read_reduced`."""
    found = number_series(tx, run_ids, name, stream)
    if not found:
        return []
    first = max(from_step, min(series.first_step for series in found))
    last = max(series.last_step for series in found)
    last = last if to_step is None else min(to_step, last)
    if first > last:
        return []
    reading = _Reading(tx, found, name, stream, first, last)
    bucket = bucket_for(first, last, max(points, 1))
    reduced = reading.in_buckets([series for series in found if series.n > points and bucket > 1], bucket)
    few = [series for series in found if not _is_many(reduced.get(series.run_id), points)]
    exact = reading.in_buckets(few, 1)
    answers = [
        Reduced(series, 1, exact[series.run_id])
        if series.run_id in exact
        else Reduced(series, bucket, reduced[series.run_id])
        for series in found
    ]
    return [answer for answer in answers if len(answer.buckets)]


def _is_many(buckets: Buckets | None, points: int) -> bool:
    return buckets is not None and buckets.points > points


class _Reading:
    """Numbers of one metric of some runs between two steps."""

    def __init__(
        self,
        tx: Transaction,
        found: Sequence[NumberSeries],
        name: str,
        stream: str,
        first: int,
        last: int,
    ) -> None:
        self._tx = tx
        self._first, self._last = first, last
        wanted = {series.run_id: {(stream, folded(name)): series.metric_id} for series in found}
        self._tails = points_in_tails(tx, wanted)
        self._chunks: dict[tuple[int, int], list[ChunkInfo]] = {}

    def in_buckets(self, some: Sequence[NumberSeries], bucket: int) -> dict[int, Buckets]:
        """Buckets by run; those that the range cuts are whole."""
        if not some:
            return {}
        first, last = self._first // bucket * bucket, self._last // bucket * bucket + (bucket - 1)
        runs, metrics = [series.run_id for series in some], list({series.metric_id for series in some})
        chunks = chunk_infos(self._tx, runs, metrics, first, last)
        level = max((at for at, width in enumerate(LEVELS) if width <= bucket), default=None)
        blocks = {} if level is None else self._blocks(runs, metrics, level, first, last)
        parts = {
            series.run_id: _Part(
                self._tails.get((series.run_id, series.metric_id), EMPTY).between(first, last),
                chunks.get((series.run_id, series.metric_id), []),
                blocks.get(series.run_id, {}),
                level,
                (first, last),
            )
            for series in some
        }
        read = read_chunks(self._tx, [chunk for part in parts.values() for chunk in part.needed()])
        return {run_id: part.buckets(read, bucket) for run_id, part in parts.items()}

    def _blocks(
        self, runs: Sequence[int], metrics: Sequence[int], level: int, first: int, last: int
    ) -> dict[int, dict[int, Buckets]]:
        bits = block_bits(level)
        found: dict[int, dict[int, Buckets]] = {run_id: {} for run_id in runs}
        for key, buckets in read_level(self._tx, runs, metrics, level, first >> bits, last >> bits).items():
            found[key.run_id][key.block] = buckets
        return found


class _Part:
    """One run between two steps, at which buckets begin and end: tail, chunks, and blocks of one level.

    Level None: no level is as fine as the buckets.
    """

    def __init__(
        self,
        tail: Points,
        chunks: Sequence[ChunkInfo],
        blocks: Mapping[int, Buckets],
        level: int | None,
        steps: tuple[int, int],
    ) -> None:
        self._first, self._last = steps
        self._tail = tail
        self._chunks = chunks
        self._level = level
        self._blocks = blocks
        self._held = np.array(sorted(blocks), np.int64)
        reach = max((chunk.step_max for chunk in chunks), default=-1)
        self._late = distinct(tail.steps[tail.steps <= reach] >> SPAN_BITS)
        """Spans in which the tail may replace points that the pyramid counts."""

    def needed(self) -> list[ChunkInfo]:
        """Chunks with points that the blocks do not count, or not as they stand now."""
        return [chunk for chunk in self._chunks if self._is_late(chunk) or self._is_bare(chunk)]

    def _is_late(self, chunk: ChunkInfo) -> bool:
        first, last = chunk.step_min >> SPAN_BITS, chunk.step_max >> SPAN_BITS
        return bool(np.searchsorted(self._late, last, side="right") > np.searchsorted(self._late, first))

    def _is_bare(self, chunk: ChunkInfo) -> bool:
        if chunk.type != NUMBER:
            return False
        if self._level is None:
            return True
        bits = block_bits(self._level)
        first, last = max(chunk.step_min, self._first) >> bits, min(chunk.step_max, self._last) >> bits
        held = np.searchsorted(self._held, last, side="right") - np.searchsorted(self._held, first)
        return bool(held < last - first + 1)

    def buckets(self, read: Mapping[int, Points], bucket: int) -> Buckets:
        """Buckets of all that lies between the steps."""
        stored = concat([read[chunk.id] for chunk in self._chunks if chunk.id in read])
        stored = stored.between(self._first, self._last)
        if self._level is not None:
            bare = ~np.isin(stored.steps >> block_bits(self._level), self._held)
            stored = stored.take(bare | np.isin(stored.steps >> SPAN_BITS, self._late))
        numbers = newest_per_step(concat([stored, self._tail])).by_type().get(NUMBER, EMPTY)
        if self._level is None:
            return buckets_of(numbers, bucket)
        bits = bucket_bits(LEVELS[self._level])
        counted = [self._counted(buckets, bits) for buckets in self._blocks.values()]
        parts = [*counted, buckets_of(numbers, LEVELS[self._level])]
        return merge_buckets(parts, [bucket_bits(bucket) - bits] * len(parts))

    def _counted(self, buckets: Buckets, bits: int) -> Buckets:
        """The buckets of a block that lie in the range and are right as they stand."""
        first, last = self._first >> bits, self._last >> bits
        if not len(self._late) and first <= buckets.index[0] and buckets.index[-1] <= last:
            return buckets
        inside = (buckets.index >= first) & (buckets.index <= last)
        return buckets.take(inside & ~np.isin(buckets.index >> (SPAN_BITS - bits), self._late))
