"""Rows of many batches and runs become statistics of their series, in a few statements."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runhue_server.aggregation.batches import ReadyBatch
from runhue_server.aggregation.keys import NamedRows, admitted, named_rows, too_many_keys
from runhue_server.aggregation.restate import restate_run
from runhue_shared.db import Transaction
from runhue_shared.db.dead_letters import Rejection
from runhue_shared.db.metrics import (
    NO_STEP,
    MetricIds,
    NumberColumns,
    add_later_numbers,
    add_later_points,
    last_steps,
    stats_columns,
)
from runhue_shared.db.partitions import FoldingWriter
from runhue_shared.events import Cells
from runhue_shared.series.columns import cell_points, ords_of, steps_of
from runhue_shared.series.points import Points, concat, newest_per_step
from runhue_shared.series.segments import (
    PlacedRows,
    Segments,
    merge_segments,
    packed_pair,
    segments_of,
    unpacked_pairs,
)
from runhue_shared.series.stats import SeriesStats, stats_of
from runhue_shared.settings import Settings


@dataclass(slots=True)
class FoldedRows:
    """What rows changed.

    `pairs` are (run, metric) with points, `last_steps` the greatest step of history per run in these rows,
    `new_metrics` those that some run did not have.
    """

    pairs: list[tuple[int, int]] = field(default_factory=list)
    last_steps: dict[int, int] = field(default_factory=dict)
    new_metrics: set[int] = field(default_factory=set)
    rejections: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Packed (run, metric) pairs, sorted, and the last step that each has stored."""

    packed: NDArray[np.int64]
    stored: NDArray[np.int64]

    def take(self, at: NDArray[np.bool_]) -> "_Pairs":
        return _Pairs(self.packed[at], self.stored[at])

    def last_step(self, packed: NDArray[np.int64]) -> NDArray[np.int64]:
        """The last step stored for each pair; for a pair that is not here one that no step is beyond."""
        beyond = np.iinfo(np.int64).max
        if not len(self.packed):
            return np.full(len(packed), beyond)
        at = np.minimum(np.searchsorted(self.packed, packed), len(self.packed) - 1)
        return np.where(self.packed[at] == packed, self.stored[at], beyond)


def fold_rows(
    tx: Transaction, batches: Sequence[ReadyBatch], names: MetricIds, limits: Settings
) -> FoldedRows:
    """Bring `run_metric` up to date with the rows, whose bodies are in the tails already.

    Points beyond everything their series has are merged in; a series that got others is restated from all
    its points.
    """
    rows, rejections = named_rows(tx, batches, names, limits)
    if not rows:
        return FoldedRows(rejections=rejections)
    writers = list({part.ready.writer.run_id: part.ready.writer for part in rows}.values())
    at = {writer.run_id: number for number, writer in enumerate(writers)}
    merged = merge_segments(segments_of(list(_placed(rows, at))))
    cells, too_deep = _cells(rows, at, limits.max_json_depth)
    pairs, refused = _known_pairs(tx, merged, cells, writers, limits.max_keys_per_run)
    later = _later_numbers(merged, cells, pairs)
    later_cells = _later_cells(merged, cells, pairs)
    add_later_numbers(tx, _columns(later, writers, {part.step_id for part in rows}))
    add_later_points(tx, stats_columns([_of_run(writers, pair, stats) for pair, stats in later_cells]))
    merged_in = np.append(later.pair, [pair for pair, _ in later_cells]).astype(np.int64)
    _restate(tx, writers, np.setdiff1d(pairs.packed, merged_in))
    run_of, metric_of = unpacked_pairs(pairs.packed)
    return FoldedRows(
        pairs=[(writers[run].run_id, metric) for run, metric in zip(run_of, metric_of.tolist(), strict=True)],
        last_steps=_last_steps(rows),
        new_metrics=set(metric_of[pairs.stored == NO_STEP].tolist()),
        rejections=[*rejections, *too_deep, *refused],
    )


def _placed(rows: Sequence[NamedRows], at: Mapping[int, int]) -> Iterator[PlacedRows]:
    seen: dict[tuple[int, tuple[str, ...]], NDArray[np.int64]] = {}  # most batches have the same few key sets
    for part in rows:
        found = []
        for block in part.rows.numbers:
            keys = (part.step_id, tuple(block.keys))
            ids = seen.get(keys)
            if ids is None:
                ids = seen[keys] = np.array([part.id_of(key) for key in block.keys], np.int64)
            found.append(ids)
        yield PlacedRows(at[part.ready.writer.run_id], part.ready.base, part.rows, part.step_id, found)


def _cells(
    rows: Sequence[NamedRows], at: Mapping[int, int], max_depth: int
) -> tuple[dict[int, Points], list[Rejection]]:
    """Points of values that came as no numbers, by pair, one a step; and what was refused of them."""
    found: dict[int, list[Points]] = defaultdict(list)
    refused: list[Rejection] = []
    for part in rows:
        if not part.rows.cells:
            continue
        steps, ords = steps_of(part.rows), ords_of(part.rows, part.ready.base)
        for cell in part.rows.cells:
            metric_id = part.id_of(cell.key)
            if metric_id < 0:
                continue
            where = np.frombuffer(cell.rows, "<u4")
            points = cell_points(cell, steps[where], ords[where], max_depth)
            if len(points):
                found[packed_pair(at[part.ready.writer.run_id], metric_id)].append(points)
            if len(points) < len(cell.values):
                refused.append(_too_deep(part, cell, len(cell.values) - len(points), max_depth))
    return {pair: newest_per_step(concat(parts)) for pair, parts in found.items()}, refused


def _too_deep(part: NamedRows, cell: Cells, values: int, max_depth: int) -> Rejection:
    reason = f"{cell.key[:80]!r} is nested deeper than {max_depth}, or is no JSON value: log it flatter"
    writer = part.ready.writer
    return Rejection(writer.team_id, writer.run_id, "json_too_deep", cell.key, reason, values)


def _known_pairs(
    tx: Transaction,
    merged: Segments,
    cells: Mapping[int, Points],
    writers: Sequence[FoldingWriter],
    limit: int,
) -> tuple[_Pairs, list[Rejection]]:
    """The pairs that may be written with what they have stored, and what is said of the others."""
    packed = np.union1d(merged.pair, np.array(list(cells), np.int64)) if cells else merged.pair
    run_of, metric_of = unpacked_pairs(packed)
    run_ids = np.array([writer.run_id for writer in writers], np.int64)[run_of]
    pairs = _Pairs(packed, last_steps(tx, run_ids, metric_of))
    allowed = admitted(tx, run_ids, pairs.stored, limit)
    if allowed.all():
        return pairs, []
    over, counts = np.unique(run_of[~allowed], return_counts=True)
    refused = [too_many_keys(writers[run], int(n), limit) for run, n in zip(over, counts, strict=True)]
    return pairs.take(allowed), refused


def _later_numbers(merged: Segments, cells: Mapping[int, Points], pairs: _Pairs) -> Segments:
    """Pairs with nothing but numbers in order, all beyond what is stored."""
    later = merged.ordered & (merged.first_step > pairs.last_step(merged.pair))
    if cells:
        later &= ~np.isin(merged.pair, np.array(list(cells), np.int64))
    return merged.take(later)


def _later_cells(
    merged: Segments, cells: Mapping[int, Points], pairs: _Pairs
) -> list[tuple[int, SeriesStats]]:
    """Statistics, by type, of pairs with nothing but cells, all beyond what is stored."""
    alone = np.setdiff1d(np.array(list(cells), np.int64), merged.pair)
    return [
        (pair, stats_of(type_, points))
        for pair, stored in zip(alone.tolist(), pairs.last_step(alone).tolist(), strict=True)
        if int(cells[pair].steps[0]) > stored
        for type_, points in cells[pair].by_type().items()
    ]


def _columns(later: Segments, writers: Sequence[FoldingWriter], step_ids: set[int]) -> NumberColumns:
    """Merged segments as columns of `run_metric`."""
    run_of, metric_of = unpacked_pairs(later.pair)
    finite = np.isfinite(later.low)
    return NumberColumns(
        team_id=np.array([writer.team_id for writer in writers], np.int64)[run_of],
        run_id=np.array([writer.run_id for writer in writers], np.int64)[run_of],
        metric_id=metric_of,
        n=later.n,
        first_step=later.first_step,
        last_step=later.last_step,
        last_ord=later.last_ord,
        last=later.last,
        last_json=_last_json(later, np.isin(metric_of, list(step_ids))),
        low=later.low,
        low_step=np.where(finite, later.low_step, NO_STEP),
        high=later.high,
        high_step=np.where(finite, later.high_step, NO_STEP),
        nan_count=later.nan_count,
        inf_count=later.inf_count,
    )


def _last_json(later: Segments, is_step: NDArray[np.bool_]) -> list[str | None]:
    """The last values that were ints, as text; `_step` is beside its double, which may be rounded."""
    texts: list[str | None] = [None] * len(later)
    for at in np.flatnonzero(later.last_int & np.isfinite(later.last)):
        texts[at] = str(later.last_step[at] if is_step[at] else int(later.last[at]))
    return texts


def _of_run(
    writers: Sequence[FoldingWriter], pair: int, stats: SeriesStats
) -> tuple[int, int, int, SeriesStats]:
    run_of, metric_of = unpacked_pairs(np.array([pair]))
    writer = writers[run_of[0]]
    return writer.team_id, writer.run_id, int(metric_of[0]), stats


def _restate(tx: Transaction, writers: Sequence[FoldingWriter], packed: NDArray[np.int64]) -> None:
    run_of, metric_of = unpacked_pairs(packed)
    for run in np.unique(run_of):
        writer = writers[run]
        restate_run(tx, writer.team_id, writer.run_id, metric_of[run_of == run].tolist())


def _last_steps(rows: Sequence[NamedRows]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in rows:
        if part.rows is part.ready.batch.rows:
            run_id = part.ready.writer.run_id
            found[run_id] = max(found.get(run_id, -1), int(steps_of(part.rows).max()))
    return found


def rows_of(batches: Sequence[ReadyBatch]) -> Iterator[tuple[int, int]]:
    """(inbox id, count of rows) of the batches that have rows."""
    for ready in batches:
        count = sum(len(rows) for rows in (ready.batch.rows, ready.batch.system) if rows is not None)
        if count:
            yield ready.waiting.id, count
