"""Rewinds: rows of earlier writers after a step are taken back, those that are stored and those to come."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from runhue_server.aggregation.batches import ReadyBatch
from runhue_server.aggregation.compact import METRICS_AT_ONCE, compact_run, write_points
from runhue_server.aggregation.restate import FIRST, LAST, restate_run
from runhue_shared.db import Transaction, rewinding
from runhue_shared.db.chunks import ChunkInfo, chunk_infos, delete_chunks, read_chunks
from runhue_shared.db.metrics import MetricName, metrics_in_run
from runhue_shared.db.rewinding import RewindRow
from runhue_shared.events import Cells, NumberBlock, Rows, encode_batch
from runhue_shared.series.columns import ords_of, steps_of
from runhue_shared.series.points import Points, concat, newest_per_step
from runhue_shared.series.values import NUMBER
from runhue_shared.telemetry import touch_heartbeat

POINTS_AT_ONCE = 4_000_000
"""So many points of a run are held at once while its chunks are cut."""

Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Rewound:
    """Batches without rows that were taken back.

    `new` are rewinds that were not applied before, `pairs` the (run, metric) that lost points by them,
    `known` all rewinds of the batches' runs that have any.
    """

    batches: Sequence[ReadyBatch]
    new: list[RewindRow] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    known: Mapping[int, list[RewindRow]] = field(default_factory=dict)


def apply_rewinds(tx: Transaction, part: int, batches: Sequence[ReadyBatch]) -> Rewound:
    """Cut the stored history of runs that are rewound now, and leave out rows that were taken back.

    Call it before the batches' bodies move to the tails: those in the inbox become what is left of them.
    """
    said = [row for ready in batches if ready.batch.rewind for row in _said(ready)]
    touched = {row.run_id for row in said} | {one.writer.run_id for one in batches if one.writer.rewound}
    if not touched:
        return Rewound(batches)
    new = rewinding.add_rewinds(tx, said)
    pairs = [pair for run_id in sorted({row.run_id for row in new}) for pair in _cut_run(tx, run_id, new)]
    known = rewinding.rewinds_of_runs(tx, sorted(touched))
    left = [_left_of(ready, known.get(ready.writer.run_id, [])) for ready in batches]
    changed = {
        one.waiting.id: encode_batch(one.batch)[0]
        for one, before in zip(left, batches, strict=True)
        if one is not before
    }
    rewinding.replace_bodies(tx, part, changed)
    return Rewound(left, new, pairs, known)


def is_taken_back(rewinds: Sequence[RewindRow], ord_: int) -> bool:
    """Whether what was said at `ord_` of the whole run's state was said before a rewind."""
    return any(ord_ < rewind.ord for rewind in rewinds)


def _said(ready: ReadyBatch) -> Iterator[RewindRow]:
    for rewind in ready.batch.rewind:
        yield RewindRow(ready.writer.team_id, ready.writer.run_id, ready.ord(rewind.seq), rewind.step)


def _standing(steps: NDArray[np.int64], ords: NDArray[np.int64], rewinds: Sequence[RewindRow]) -> Mask:
    """Which rows no rewind took back."""
    standing = np.ones(len(steps), np.bool_)
    for rewind in rewinds:
        standing &= (ords >= rewind.ord) | (steps <= rewind.step)
    return standing


def _cut_run(tx: Transaction, run_id: int, new: Sequence[RewindRow]) -> list[tuple[int, int]]:
    """Cut all stored points of the run; returns its (run, metric) that lost some."""
    rewinds = [row for row in new if row.run_id == run_id]
    team_id = rewinds[0].team_id
    compact_run(tx, team_id, run_id)
    metrics = {name.id: name for name in metrics_in_run(tx, run_id) if name.stream == "history"}
    first_gone = min(row.step for row in rewinds) + 1
    chunks = chunk_infos(tx, [run_id], list(metrics), FIRST, LAST)
    touched = {
        metric_id: some
        for metric_id in metrics
        if (some := _touched(chunks.get((run_id, metric_id), []), first_gone))
    }
    for group in _groups(touched):
        touch_heartbeat()
        _cut_chunks(tx, (team_id, run_id), [metrics[metric_id] for metric_id in group], group, rewinds)
    restate_run(tx, team_id, run_id, list(touched))
    return [(run_id, metric_id) for metric_id in touched]


def _touched(chunks: Sequence[ChunkInfo], first_gone: int) -> list[ChunkInfo]:
    """The chunks that reach beyond the cut, and the last numbers before it, whose blocks are cut too."""
    beyond = [chunk for chunk in chunks if chunk.step_max >= first_gone]
    before = [chunk for chunk in chunks if chunk.type == NUMBER and chunk.step_max < first_gone]
    last = max(before, key=operator.attrgetter("step_max"), default=None)
    return [*beyond, last] if beyond and last is not None else beyond


def _groups(touched: Mapping[int, list[ChunkInfo]]) -> Iterator[dict[int, list[ChunkInfo]]]:
    """Metrics by as many as may be held at once."""
    group: dict[int, list[ChunkInfo]] = {}
    points = 0
    for metric_id, chunks in touched.items():
        size = sum(chunk.n for chunk in chunks)
        if group and (points + size > POINTS_AT_ONCE or len(group) == METRICS_AT_ONCE):
            yield group
            group, points = {}, 0
        group[metric_id] = chunks
        points += size
    if group:
        yield group


def _cut_chunks(
    tx: Transaction,
    run: tuple[int, int],
    metrics: Sequence[MetricName],
    touched: Mapping[int, list[ChunkInfo]],
    rewinds: Sequence[RewindRow],
) -> None:
    """Put what stands of the touched chunks in their place; `run` is (team id, run id)."""
    gone = [chunk for chunks in touched.values() for chunk in chunks]
    read = read_chunks(tx, gone)
    left: dict[int, Points] = {}
    for metric_id, chunks in touched.items():
        points = newest_per_step(concat([read[chunk.id] for chunk in chunks]))
        standing = points.take(_standing(points.steps, points.ords, rewinds))
        if len(standing):
            left[metric_id] = standing
    delete_chunks(tx, gone)
    rewinding.drop_blocks(tx, run[1], list(touched), min(row.step for row in rewinds) + 1)
    write_points(tx, *run, [name for name in metrics if name.id in left], left)


def _left_of(ready: ReadyBatch, rewinds: Sequence[RewindRow]) -> ReadyBatch:
    """The batch without rows that were taken back; itself when it has none of them."""
    rows = ready.batch.rows
    if rows is None or not any(ready.base < rewind.ord for rewind in rewinds):
        return ready
    standing = _standing(steps_of(rows), ords_of(rows, ready.base), rewinds)
    if standing.all():
        return ready
    left = _rows_at(rows, standing) if standing.any() else None
    return replace(ready, batch=msgspec.structs.replace(ready.batch, rows=left))


def _rows_at(rows: Rows, kept: Mask) -> Rows:
    """The rows of a mask of shape (rows,)."""
    place = np.cumsum(kept, dtype=np.int64) - 1
    return Rows(
        np.frombuffer(rows.seq, "<u4")[kept].tobytes(),
        np.frombuffer(rows.step, "<i8")[kept].tobytes(),
        [part for block in rows.numbers if (part := _block_at(block, kept, place)) is not None],
        [left for cell in rows.cells if (left := _cells_at(cell, kept, place)) is not None],
    )


def _block_at(block: NumberBlock, kept: Mask, place: NDArray[np.int64]) -> NumberBlock | None:
    at = np.arange(len(kept)) if block.rows is None else np.frombuffer(block.rows, "<u4")
    own = kept[at]
    if not own.any():
        return None
    values = np.frombuffer(block.values, "<f8").reshape(len(block.keys), len(at))[:, own]
    own_place = np.cumsum(own) - 1
    return NumberBlock(
        block.keys,
        np.ascontiguousarray(values).tobytes(),
        None if block.rows is None else place[at[own]].astype("<u4").tobytes(),
        block.kinds,
        {key: np.frombuffer(mask, np.uint8)[own].tobytes() for key, mask in block.masks.items()},
        [(key, int(own_place[where]), digits) for key, where, digits in block.big if own[where]],
    )


def _cells_at(cell: Cells, kept: Mask, place: NDArray[np.int64]) -> Cells | None:
    at = np.frombuffer(cell.rows, "<u4")
    own = kept[at]
    if not own.any():
        return None
    values = [value for value, stays in zip(cell.values, own.tolist(), strict=True) if stays]
    return Cells(cell.key, place[at[own]].astype("<u4").tobytes(), values)
