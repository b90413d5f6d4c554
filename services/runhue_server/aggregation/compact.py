"""Compaction: a run's tail becomes chunks per series and the pyramid over them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import structlog
from numpy.typing import NDArray

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import (
    ChunkCorrupt,
    ChunkInfo,
    NewChunk,
    chunk_infos,
    delete_chunks,
    insert_chunks,
    read_chunks,
)
from runhue_shared.db.dead_letters import Rejection, count_rejections
from runhue_shared.db.lods import BlockKey, NewBlock, delete_blocks, put_blocks, read_blocks
from runhue_shared.db.metrics import MetricName, metrics_in_run
from runhue_shared.db.tails import delete_tail, points_in_tails, runs_to_compact
from runhue_shared.series.chunks import ChunkEncoder
from runhue_shared.series.columns import STEP_KEY
from runhue_shared.series.points import EMPTY, Points, concat, distinct, newest_per_step
from runhue_shared.series.pyramid import (
    BLOCK_BUCKETS,
    LEVELS,
    SPAN_BITS,
    Buckets,
    block_bits,
    bucket_bits,
    buckets_of,
    encode_block,
    is_worth_a_block,
    merge_buckets,
)
from runhue_shared.series.stats import extremes_of
from runhue_shared.series.tiers import groups_to_merge, split_at, split_sealed
from runhue_shared.series.values import NUMBER
from runhue_shared.telemetry import touch_heartbeat

METRICS_AT_ONCE = 64
RUNS_AT_ONCE = 500
FIRST, LAST = 0, 2**63 - 1
Spans = NDArray[np.int64]


log = structlog.get_logger()


def compact_partition(tx: Transaction, part: int, seconds: float) -> bool:
    """Compact runs of the partition that need it, for about so long; returns whether more do.

    A run whose stored points are corrupt keeps its tail, and what is wrong is counted on its page.
    """
    started = time.monotonic()
    waiting = runs_to_compact(tx, part, RUNS_AT_ONCE)
    for at, (team_id, run_id) in enumerate(waiting, 1):
        try:
            with tx.transaction():
                compact_run(tx, team_id, run_id)
        except ChunkCorrupt as error:
            log.exception("run cannot be compacted", run=run_id)
            count_rejections(tx, [Rejection(team_id, run_id, "chunk_corrupt", "", str(error), 1)])
        if time.monotonic() - started > seconds:
            return at < len(waiting)
    return len(waiting) == RUNS_AT_ONCE


@dataclass(slots=True)
class _Writes:
    """What one group of metrics changes."""

    chunks: list[NewChunk] = field(default_factory=list)
    gone: list[ChunkInfo] = field(default_factory=list)
    blocks: list[NewBlock] = field(default_factory=list)
    gone_blocks: list[BlockKey] = field(default_factory=list)


def compact_run(tx: Transaction, team_id: int, run_id: int) -> None:
    """Move all points of the run's tail into chunks; what can be read stays the same."""
    metrics = metrics_in_run(tx, run_id)
    tail = points_in_tails(tx, {run_id: {(name.stream, name.folded): name.id for name in metrics}})
    changed = [name for name in metrics if (run_id, name.id) in tail]
    for start in range(0, len(changed), METRICS_AT_ONCE):
        touch_heartbeat()
        some = changed[start : start + METRICS_AT_ONCE]
        new = {name.id: tail[run_id, name.id] for name in some}
        _Compaction(tx, team_id, run_id).write(some, new)
    delete_tail(tx, run_id)


def write_points(
    tx: Transaction,
    team_id: int,
    run_id: int,
    metrics: Sequence[MetricName],
    points: Mapping[int, Points],
) -> None:
    """Bring points by metric id, sorted and one a step, into these metrics' chunks and pyramids."""
    _Compaction(tx, team_id, run_id).write(metrics, points)


class _Compaction:
    """Compaction of some metrics of one run."""

    def __init__(self, tx: Transaction, team_id: int, run_id: int) -> None:
        self._tx = tx
        self._team_id = team_id
        self._run_id = run_id
        self._encoder = ChunkEncoder()
        self._writes = _Writes()
        self._read: dict[int, Points] = {}

    def write(self, metrics: Sequence[MetricName], new: Mapping[int, Points]) -> None:
        held = chunk_infos(self._tx, [self._run_id], list(new), FIRST, LAST)
        chunks = {metric_id: held.get((self._run_id, metric_id), []) for metric_id in new}
        spans = {name.id: _spans(new[name.id]) for name in metrics if name.folded != STEP_KEY}
        keys = {metric_id: self._block_keys(metric_id, found) for metric_id, found in spans.items()}
        blocks = read_blocks(self._tx, [key for found in keys.values() for key in found])
        needed = []
        for metric_id, points in new.items():
            wanted = _ranges(
                spans.get(metric_id), [key for key in keys.get(metric_id, []) if key not in blocks]
            )
            needed += [
                chunk
                for chunk in chunks[metric_id]
                if _holds(chunk, points) or (chunk.type == NUMBER and _meets(chunk, wanted))
            ]
        self._read = read_chunks(self._tx, needed)
        for metric_id, points in new.items():
            numbers = self._write_chunks(metric_id, points, chunks[metric_id])
            if metric_id in spans:
                self._write_blocks(keys[metric_id], blocks, spans[metric_id], numbers)
        self._store()

    def _block_keys(self, metric_id: int, spans: Spans) -> list[BlockKey]:
        return [
            BlockKey(self._run_id, metric_id, level, block)
            for level in range(len(LEVELS))
            for block in distinct(spans >> (block_bits(level) - SPAN_BITS)).tolist()
        ]

    def _write_chunks(self, metric_id: int, new: Points, chunks: Sequence[ChunkInfo]) -> Points:
        """Plan the metric's chunks; returns its numbers as far as they were read or are new."""
        touched = [chunk for chunk in chunks if _holds(chunk, new)]
        rest = [chunk for chunk in chunks if not _holds(chunk, new)]
        merged = newest_per_step(concat([*(self._read[chunk.id] for chunk in touched), new]))
        self._writes.gone += touched
        by_type = merged.by_type()
        for type_, points in by_type.items():
            self._write_type(metric_id, type_, points, [chunk for chunk in rest if chunk.type == type_])
        numbers = by_type.get(NUMBER, EMPTY)
        beside = [self._read[chunk.id] for chunk in rest if chunk.type == NUMBER and chunk.id in self._read]
        return newest_per_step(concat([numbers, *beside]))

    def _write_type(self, metric_id: int, type_: str, points: Points, rest: Sequence[ChunkInfo]) -> None:
        """Put points between the chunks that stay, and merge neighbors that are small."""
        pieces = split_at(points, [chunk.step_min for chunk in rest])
        parts: list[ChunkInfo | Points] = [*rest, *pieces]
        parts.sort(key=_first_step)
        for start, stop in groups_to_merge([_size(part) for part in parts]):
            group = parts[start:stop]
            held = [part for part in group if isinstance(part, ChunkInfo)]
            if len(held) == len(group) == 1:
                continue
            read = read_chunks(self._tx, [chunk for chunk in held if chunk.id not in self._read])
            whole = [
                part if isinstance(part, Points) else self._read.get(part.id) or read[part.id]
                for part in group
            ]
            self._writes.gone += held
            self._writes.chunks += [self._chunk(metric_id, type_, p) for p in split_sealed(concat(whole))]

    def _chunk(self, metric_id: int, type_: str, points: Points) -> NewChunk:
        return NewChunk(
            self._team_id,
            self._run_id,
            metric_id,
            type_,
            len(points),
            int(points.steps[0]),
            int(points.steps[-1]),
            extremes_of(type_, points),
            self._encoder.encode(type_, points),
        )

    def _write_blocks(
        self, keys: Sequence[BlockKey], held: Mapping[BlockKey, Buckets], spans: Spans, numbers: Points
    ) -> None:
        """Compute the buckets of changed spans anew, and whole blocks that were not stored."""
        levels = _levels(numbers)
        for key in keys:
            old = held.get(key)
            buckets = _of_block(levels[key.level], key.block)
            if old is not None:
                bits = SPAN_BITS - bucket_bits(LEVELS[key.level])
                stale = np.isin(old.index >> bits, spans)
                again = np.isin(buckets.index >> bits, spans)
                buckets = merge_buckets([old.take(~stale), buckets.take(again)], [0, 0])
            if is_worth_a_block(buckets):
                codec, body = encode_block(key.level, key.block, buckets)
                self._writes.blocks.append(NewBlock(self._team_id, key, codec, body))
            elif old is not None:
                self._writes.gone_blocks.append(key)

    def _store(self) -> None:
        delete_chunks(self._tx, self._writes.gone)
        insert_chunks(self._tx, self._writes.chunks)
        put_blocks(self._tx, self._writes.blocks)
        delete_blocks(self._tx, self._writes.gone_blocks)


def _spans(points: Points) -> Spans:
    return distinct(points.steps >> SPAN_BITS)


def _ranges(spans: Spans | None, absent: Sequence[BlockKey]) -> tuple[Spans, Spans]:
    """(first, last) spans of which all numbers are needed; sorted by first, and so are their ends."""
    if spans is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bits = np.array([block_bits(key.level) - SPAN_BITS for key in absent], np.int64)
    blocks = np.array([key.block for key in absent], np.int64)
    first = np.concatenate([spans, blocks << bits])
    last = np.concatenate([spans, ((blocks + 1) << bits) - 1])
    return first, last


def _meets(chunk: ChunkInfo, ranges: tuple[Spans, Spans]) -> bool:
    first, last = ranges
    return bool(((first <= chunk.step_max >> SPAN_BITS) & (last >= chunk.step_min >> SPAN_BITS)).any())


def _holds(chunk: ChunkInfo, points: Points) -> bool:
    """Whether one of the points lies between the chunk's first and last."""
    below = np.searchsorted(points.steps, chunk.step_min)
    return bool(np.searchsorted(points.steps, chunk.step_max, side="right") > below)


def _levels(numbers: Points) -> list[Buckets]:
    """Buckets of every level."""
    levels = [buckets_of(numbers, LEVELS[0])]
    for finer, width in pairwise(LEVELS):
        levels.append(merge_buckets(levels[-1:], [bucket_bits(width) - bucket_bits(finer)]))
    return levels


def _of_block(buckets: Buckets, block: int) -> Buckets:
    start, stop = np.searchsorted(buckets.index, [block * BLOCK_BUCKETS, (block + 1) * BLOCK_BUCKETS])
    return buckets.take(slice(start, stop))


def _first_step(part: ChunkInfo | Points) -> int:
    return part.step_min if isinstance(part, ChunkInfo) else int(part.steps[0])


def _size(part: ChunkInfo | Points) -> int:
    return part.n if isinstance(part, ChunkInfo) else len(part)
