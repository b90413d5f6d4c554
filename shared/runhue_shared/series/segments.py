"""Statistics of all numbers of a transaction at once, without touching each point in Python.

A segment is one key of one `NumberBlock`: numbers of one metric of one run in the order in which they were
logged. A pair is (run, metric), packed into one int64.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from runhue_shared.events import NumberBlock, Rows
from runhue_shared.series.points import Mask, Numbers, Steps

Pairs = NDArray[np.int64]
METRIC_BITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class PlacedRows:
    """Rows of one batch with their place: `run` any small number for the run, `base` the ord of `seq_lo`.

    `metric_ids`: for each block, ids of its keys; -1 for a key that is refused. `step_id` is that of `_step`.
    """

    run: int
    base: int
    rows: Rows
    step_id: int
    metric_ids: Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """One row per segment, or after merging per pair.

    `low` and `high` are over finite numbers: +inf and -inf where there is none. `last_int`: the last was an
    int. `ordered`: steps ascend, and doubles hold every value; without it only `pair` is right, and the
    pair's statistics must come from its points.
    """

    pair: Pairs
    n: Steps
    first_step: Steps
    last_step: Steps
    last_ord: Steps
    last: Numbers
    last_int: Mask
    low: Numbers
    low_step: Steps
    high: Numbers
    high_step: Steps
    nan_count: Steps
    inf_count: Steps
    ordered: Mask

    def __len__(self) -> int:
        return len(self.pair)

    def take(self, at: NDArray[np.int64] | Mask) -> "Segments":
        return Segments(*(getattr(self, name)[at] for name in _COLUMNS))


_COLUMNS = tuple(field.name for field in fields(Segments))


def packed_pair(run: int, metric_id: int) -> int:
    return run << METRIC_BITS | metric_id


def unpacked_pairs(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """(runs, metric ids) of packed pairs."""
    return pairs >> METRIC_BITS, pairs & ((1 << METRIC_BITS) - 1)


def segments_of(batches: Sequence[PlacedRows]) -> Segments:
    """Every key of every block, and `_step` of every batch. Rows are checked (`columns.check_rows`)."""
    batches = [batch for batch in batches if len(batch.rows)]
    lengths = np.array([len(batch.rows) for batch in batches], np.int64)
    starts = np.cumsum(lengths) - lengths
    rows = _AllRows(
        np.frombuffer(b"".join([batch.rows.step for batch in batches]), "<i8"),
        np.frombuffer(b"".join([batch.rows.seq for batch in batches]), "<u4"),
        np.array([batch.base for batch in batches], np.int64),
    )
    groups: dict[int, _SameLength] = defaultdict(_SameLength)
    for at, batch in enumerate(batches):
        for block, ids in zip(batch.rows.numbers, batch.metric_ids, strict=True):
            length = len(batch.rows) if block.rows is None else len(block.rows) // 4
            if length and len(ids):
                groups[length].add(at, batch, block, ids)
    parts = [group.segments(length, starts, rows) for length, group in groups.items()]
    return _joined([*parts, *_step_segments(batches, lengths, starts, rows)])


@dataclass(frozen=True, slots=True, eq=False)
class _AllRows:
    steps: Steps
    offsets: NDArray[np.uint32]
    bases: Steps


class _SameLength:
    """Blocks whose keys have equally many values: a matrix of all their segments."""

    def __init__(self) -> None:
        self.batch: list[int] = []
        self.exact: list[bool] = []
        self.blocks: list[NumberBlock] = []
        self.pairs: list[NDArray[np.int64]] = []

    def add(self, at: int, batch: PlacedRows, block: NumberBlock, ids: NDArray[np.int64]) -> None:
        self.batch.append(at)
        self.exact.append(not block.big)
        self.blocks.append(block)
        self.pairs.append(np.where(ids < 0, -1, ids | (batch.run << METRIC_BITS)))

    def segments(self, length: int, starts: Steps, rows: _AllRows) -> Segments:
        batch = np.array(self.batch, np.int64)
        at = starts[batch][:, None] + self._positions(length)
        steps = rows.steps[at]
        values = np.frombuffer(b"".join([block.values for block in self.blocks]), "<f8").reshape(-1, length)
        of_block = np.repeat(np.arange(len(batch)), [len(pairs) for pairs in self.pairs])
        last_ord = rows.bases[batch] + rows.offsets[at[:, -1]]
        low_at, high_at, low, high, nans, infs = _extremes(values)
        return Segments(
            pair=np.concatenate(self.pairs),
            n=np.full(len(values), length, np.int64),
            first_step=steps[of_block, 0],
            last_step=steps[of_block, -1],
            last_ord=last_ord[of_block],
            last=values[:, -1] + 0.0,
            last_int=self._last_ints(),
            low=low,
            low_step=steps[of_block, low_at],
            high=high,
            high_step=steps[of_block, high_at],
            nan_count=nans,
            inf_count=infs,
            ordered=((steps[:, 1:] > steps[:, :-1]).all(axis=1) & np.array(self.exact))[of_block],
        )

    def _positions(self, length: int) -> NDArray[np.int64]:
        every = np.arange(length)
        if all(block.rows is None for block in self.blocks):
            return every[None, :]
        return np.array(
            [every if block.rows is None else np.frombuffer(block.rows, "<u4") for block in self.blocks],
            np.int64,
        )

    def _last_ints(self) -> Mask:
        if all(block.kinds is None for block in self.blocks):
            return np.zeros(sum(len(block.keys) for block in self.blocks), np.bool_)
        return np.array(
            [
                bool(block.masks[at][-1]) if at in block.masks else bool(block.kinds and block.kinds[at])
                for block in self.blocks
                for at in range(len(block.keys))
            ],
            np.bool_,
        )


def _extremes(values: Numbers) -> tuple[Steps, Steps, Numbers, Numbers, Steps, Steps]:
    """(position of low, of high, low, high, NaNs, infinities) of each row of the matrix."""
    each = np.arange(len(values))
    none = np.zeros(len(values), np.int64)
    finite = np.isfinite(values)
    if finite.all():
        low_at, high_at = values.argmin(axis=1), values.argmax(axis=1)
        return low_at, high_at, values[each, low_at] + 0.0, values[each, high_at] + 0.0, none, none
    below, above = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
    low_at, high_at = below.argmin(axis=1), above.argmax(axis=1)
    nans = np.isnan(values).sum(axis=1)
    infs = values.shape[1] - finite.sum(axis=1) - nans
    return low_at, high_at, below[each, low_at] + 0.0, above[each, high_at] + 0.0, nans, infs


def _step_segments(
    batches: Sequence[PlacedRows], lengths: Steps, starts: Steps, rows: _AllRows
) -> list[Segments]:
    if not batches:
        return []
    ends = starts + lengths - 1
    first, last = rows.steps[starts], rows.steps[ends]
    breaks = np.zeros(len(rows.steps), np.int64)
    breaks[1:] = rows.steps[1:] <= rows.steps[:-1]
    breaks[starts] = 0
    none = np.zeros(len(batches), np.int64)
    return [
        Segments(
            pair=np.array([packed_pair(batch.run, batch.step_id) for batch in batches], np.int64),
            n=lengths,
            first_step=first,
            last_step=last,
            last_ord=rows.bases + rows.offsets[ends],
            last=last.astype(np.float64),
            last_int=np.ones(len(batches), np.bool_),
            low=first.astype(np.float64),
            low_step=first,
            high=last.astype(np.float64),
            high_step=last,
            nan_count=none,
            inf_count=none,
            ordered=np.add.reduceat(breaks, starts) == 0,
        )
    ]


def _joined(parts: Sequence[Segments]) -> Segments:
    if not parts:
        empty = [np.empty(0, np.int64)] * len(_COLUMNS)
        return Segments(*empty)  # type: ignore[arg-type]  # nothing has no dtype
    joined = Segments(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))
    return joined.take(joined.pair >= 0)


def merge_segments(segments: Segments) -> Segments:
    """One row per pair, by pair; `ordered` where all its segments are and no two of them overlap in steps."""
    if not len(segments):
        return segments
    segments = segments.take(np.lexsort((segments.first_step, segments.pair)))
    fresh = np.ones(len(segments), np.bool_)
    fresh[1:] = segments.pair[1:] != segments.pair[:-1]
    heads = np.flatnonzero(fresh)
    tails = np.append(heads[1:], len(segments)) - 1
    apart = np.ones(len(segments), np.bool_)
    apart[1:] = fresh[1:] | (segments.first_step[1:] > segments.last_step[:-1])
    low_at = _first_equal(segments.low, np.minimum.reduceat(segments.low, heads), heads)
    high_at = _first_equal(segments.high, np.maximum.reduceat(segments.high, heads), heads)
    return Segments(
        pair=segments.pair[heads],
        n=np.add.reduceat(segments.n, heads),
        first_step=segments.first_step[heads],
        last_step=segments.last_step[tails],
        last_ord=segments.last_ord[tails],
        last=segments.last[tails],
        last_int=segments.last_int[tails],
        low=segments.low[low_at],
        low_step=segments.low_step[low_at],
        high=segments.high[high_at],
        high_step=segments.high_step[high_at],
        nan_count=np.add.reduceat(segments.nan_count, heads),
        inf_count=np.add.reduceat(segments.inf_count, heads),
        ordered=np.logical_and.reduceat(segments.ordered & apart, heads),
    )


def _first_equal(values: Numbers, targets: Numbers, heads: Steps) -> Steps:
    """For each group that begins at `heads`, the first position that holds the group's target."""
    lengths = np.diff(np.append(heads, len(values)))
    hits = np.flatnonzero(values == np.repeat(targets, lengths))
    return hits[np.searchsorted(hits, heads)]
