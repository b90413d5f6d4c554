"""What a run logged, read back: exact points, rows by step, or reduced for a chart.

Points come from chunks and from the tail; at each step the record with the greatest ord stands.
"""

import json
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import ChunkInfo, chunk_infos, read_chunks
from runhue_shared.db.reduced import reduce_runs
from runhue_shared.db.tails import points_in_tails
from runhue_shared.series.columns import STEP_KEY, folded
from runhue_shared.series.points import EMPTY, Points, concat, newest_per_step
from runhue_shared.series.pyramid import bucket_bits

Stream = Literal["history", "system"]
"""`system` holds the machine's own samples; its steps are milliseconds."""

MAX_STEP = 2**63 - 1

POINTS_AT_ONCE = 2_000_000
"""About so many points are held at once where only a few of them are wanted."""


@dataclass(frozen=True, slots=True)
class RunMetric:
    """One (metric, type) of a run, over all its points; `last_value` is as it was logged (int stays int).

    `last`, `fmin` and `fmax` are doubles, for bools 0.0 and 1.0; None where there is none.
    """

    metric_id: int
    name: str
    type: str
    n: int
    first_step: int
    last_step: int
    last_ord: int
    last: float | None
    last_value: Any
    fmin: float | None
    fmin_step: int | None
    fmax: float | None
    fmax_step: int | None
    nan_count: int
    inf_count: int


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Exact points of one (metric, type), sorted by step, one per step.

    `steps`: int64, shape (n,). `points.numbers`: float64, shape (n,), for numbers; `values()` for any type.
    """

    key: str
    type: str
    points: Points

    @property
    def steps(self) -> NDArray[np.int64]:
        return self.points.steps

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values as doubles; meaningful for type number."""
        return self.points.numbers

    def values(self) -> list[Any]:
        """Values as Python has them: int, float, str, bool, None, list or dict."""
        return self.points.plain()


@dataclass(frozen=True, slots=True, eq=False)
class ReducedSeries:
    """Numbers of one metric of one run in buckets of `bucket` steps, aligned at step 0.

    Buckets at the edges of the asked range are whole, so that a bucket is the same whatever range is asked.
    All arrays have shape (buckets,): `start` the bucket's first step, `count` its points, `non_finite` those
    of them that are NaN or infinite, `last` the value at its greatest step and `last_step` that step, `low`
    and `high` over finite points (NaN where there is none). `reduced` is False when bucket is 1.
    """

    run_id: int
    key: str
    bucket: int
    n: int
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    non_finite: NDArray[np.int64]
    last: NDArray[np.float64]
    last_step: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def reduced(self) -> bool:
        return self.bucket > 1


def metrics_of_run(tx: Transaction, run_id: int, stream: Stream = "history") -> list[RunMetric]:
    """Every (metric, type) the run logged, by name and type. Includes `_step`, `_timestamp`, `_runtime`."""
    return metrics_of_runs(tx, [run_id], stream)[run_id]


def metrics_of_runs(
    tx: Transaction, run_ids: Sequence[int], stream: Stream = "history"
) -> dict[int, list[RunMetric]]:
    """As `metrics_of_run`, by run."""
    found: dict[int, list[RunMetric]] = {run_id: [] for run_id in run_ids}
    rows = tx.execute(
        "SELECT v.run_id, m.id, m.name, v.type, v.n, v.first_step, v.last_step, v.last_ord, v.last,"
        " v.last_json, v.fmin, v.fmin_step, v.fmax, v.fmax_step, v.nan_count, v.inf_count"
        " FROM run_metric v JOIN metric m ON m.id = v.metric_id WHERE v.run_id = ANY(%s) AND m.stream = %s"
        ' ORDER BY m.name COLLATE "C", v.type',
        (list(run_ids), stream),
    )
    for run_id, *columns in rows:
        found[run_id].append(_run_metric(*columns))
    return found


def latest_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, list[RunMetric]]:
    """Per run each metric of its history, of its types the one that the last point has; by name."""
    found: dict[int, list[RunMetric]] = {run_id: [] for run_id in run_ids}
    rows = tx.execute(
        "SELECT DISTINCT ON (v.run_id, v.metric_id) v.run_id, m.id, m.name, v.type, v.n, v.first_step,"
        " v.last_step, v.last_ord, v.last, v.last_json, v.fmin, v.fmin_step, v.fmax, v.fmax_step,"
        " v.nan_count, v.inf_count"
        " FROM run_metric v JOIN metric m ON m.id = v.metric_id AND m.stream = 'history'"
        " WHERE v.run_id = ANY(%s) ORDER BY v.run_id, v.metric_id, v.last_step DESC, v.last_ord DESC",
        (list(run_ids),),
    )
    for run_id, *columns in rows:
        found[run_id].append(_run_metric(*columns))
    for metrics in found.values():
        metrics.sort(key=operator.attrgetter("name"))
    return found


def _run_metric(
    metric_id: int,
    name: str,
    type_: str,
    *counts_and_last: Any,  # columns as Postgres gives them
) -> RunMetric:
    n, first_step, last_step, last_ord, last, last_json, *extremes = counts_and_last
    value = last if last_json is None else json.loads(last_json)
    return RunMetric(metric_id, name, type_, n, first_step, last_step, last_ord, last, value, *extremes)


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric of the run, of whatever types."""

    id: int
    folded: str
    name: str


def _metrics(tx: Transaction, run_id: int, names: Sequence[str] | None, stream: Stream) -> list[_Metric]:
    """The run's metrics of these names; without names all."""
    rows = tx.execute(
        "SELECT m.id, m.folded, m.name FROM metric m"
        " WHERE m.id IN (SELECT metric_id FROM run_metric WHERE run_id = %s) AND m.stream = %s"
        ' AND (%s::text[] IS NULL OR m.folded = ANY(%s)) ORDER BY m.name COLLATE "C"',
        (run_id, stream, *[None if names is None else [_askable(name) for name in names]] * 2),
    )
    return [_Metric(*row) for row in rows]


def _askable(name: str) -> str:
    """The form by which names are compared; no metric's name has a NUL."""
    return folded(name).replace("\0", "\ufffd")


def read_series(
    tx: Transaction,
    run_id: int,
    names: Sequence[str] | None = None,
    from_step: int = 0,
    to_step: int = MAX_STEP,
    stream: Stream = "history",
) -> list[Series]:
    """Exact points with `from_step` <= step <= `to_step`, one `Series` per (metric, type), by name and type.

    `names` are compared by casefold; None is all but `_step`. Unknown names are absent.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    metrics = _metrics(tx, run_id, names, stream)
    if names is None:
        metrics = [metric for metric in metrics if metric.folded != STEP_KEY]
    stored = _Stored(tx, run_id, metrics, from_step, to_step, stream)
    return [
        Series(metric.name, type_, points)
        for metric, found in stored.read(from_step, to_step)
        for type_, points in sorted(found.by_type().items())
    ]


class _Stored:
    """Points of some metrics of one run: the tail decoded once, chunks as they are asked for."""

    def __init__(
        self,
        tx: Transaction,
        run_id: int,
        metrics: Sequence[_Metric],
        from_step: int,
        to_step: int,
        stream: Stream,
    ) -> None:
        self._tx = tx
        self._metrics = metrics
        ids = [metric.id for metric in metrics]
        wanted = {(str(stream), metric.folded): metric.id for metric in metrics}
        tail = points_in_tails(tx, {run_id: wanted}) if metrics else {}
        chunks = chunk_infos(tx, [run_id], ids, from_step, to_step)
        self._tail = {number: tail.get((run_id, number), EMPTY) for number in ids}
        self._chunks = {number: chunks.get((run_id, number), []) for number in ids}

    def read(self, from_step: int, to_step: int) -> Iterator[tuple[_Metric, Points]]:
        """Each metric with its points of all types in the range, which lies in the range of the start."""
        yield from self._read(self._metrics, from_step, to_step)

    def read_in_turn(self, from_step: int, to_step: int) -> Iterator[tuple[_Metric, Points]]:
        """As `read`, holding the points of some metrics at a time."""
        some: list[_Metric] = []
        points = 0
        for metric in self._metrics:
            size = sum(chunk.n for chunk in self._chunks[metric.id])
            if some and points + size > POINTS_AT_ONCE:
                yield from self._read(some, from_step, to_step)
                some, points = [], 0
            some.append(metric)
            points += size
        yield from self._read(some, from_step, to_step)

    def _read(
        self, metrics: Sequence[_Metric], from_step: int, to_step: int
    ) -> Iterator[tuple[_Metric, Points]]:
        needed = [
            chunk
            for metric in metrics
            for chunk in self._chunks[metric.id]
            if chunk.step_max >= from_step and chunk.step_min <= to_step
        ]
        read = read_chunks(self._tx, needed)
        for metric in metrics:
            parts = [read[chunk.id] for chunk in self._chunks[metric.id] if chunk.id in read]
            points = newest_per_step(concat([*parts, self._tail[metric.id]]))
            yield metric, points.between(from_step, to_step)

    def window_end(self, from_step: int, rows: int) -> int:
        """A step up to which little more than `rows` points of any metric lie, from `from_step` on."""
        ends = [
            step for number in self._chunks for step in _window(self._chunks[number], self._tail[number],
            from_step, rows)
        ]  # fmt: skip
        return min(ends, default=MAX_STEP)


def _window(chunks: Sequence[ChunkInfo], tail: Points, from_step: int, rows: int) -> Iterator[int]:
    """Where the chunk that begins the window ends, and where the tail has given enough."""
    ahead = [chunk.step_max for chunk in chunks if chunk.step_max >= from_step]
    if ahead:
        yield min(ahead)
    at = int(np.searchsorted(tail.steps, from_step)) + rows
    if at < len(tail):
        yield int(tail.steps[at])


def read_rows(
    tx: Transaction,
    run_id: int,
    names: Sequence[str] | None = None,
    from_step: int = 0,
    to_step: int | None = None,
    limit: int | None = None,
    stream: Stream = "history",
) -> list[dict[str, Any]]:
    """Rows merged by step, ascending: `_step` first, then the keys in their first-seen spelling.

    With `names` only rows that hold one of them. At most `limit` rows; go on from the last step + 1.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    last = MAX_STEP if to_step is None else to_step
    wanted = None if names is None else [name for name in names if folded(name) != STEP_KEY] or [STEP_KEY]
    metrics = _metrics(tx, run_id, wanted, stream)
    stored = _Stored(tx, run_id, metrics, from_step, last, stream)
    rows: list[dict[str, Any]] = []
    while from_step <= last and (limit is None or len(rows) < limit):
        until = last if limit is None else min(stored.window_end(from_step, limit - len(rows)), last)
        rows += _rows(list(stored.read(from_step, until)), None if limit is None else limit - len(rows))
        from_step = until + 1
    return rows


def _rows(metrics: Sequence[tuple[_Metric, Points]], limit: int | None) -> list[dict[str, Any]]:
    """The first rows of the metrics' points, by step."""
    steps = np.unique(np.concatenate([np.empty(0, np.int64), *(points.steps for _, points in metrics)]))
    steps = steps[:limit]
    if not len(steps):
        return []
    rows: dict[int, dict[str, Any]] = {step: {STEP_KEY: step} for step in steps.tolist()}
    for metric, points in metrics:
        if metric.folded != STEP_KEY:
            kept = points.take(slice(None, np.searchsorted(points.steps, steps[-1], side="right")))
            for step, value in zip(kept.steps.tolist(), kept.plain(), strict=True):
                rows[step][metric.name] = value
    return list(rows.values())


def steps_of_rows(
    tx: Transaction,
    run_id: int,
    names: Sequence[str] | None = None,
    from_step: int = 0,
    to_step: int = MAX_STEP,
    stream: Stream = "history",
) -> NDArray[np.int64]:
    """The steps of all rows, ascending, shape (rows,); with `names` of those that hold every one of them.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    wanted = {STEP_KEY} if names is None else {folded(name) for name in names}
    metrics = _metrics(tx, run_id, sorted(wanted), stream)
    if len(metrics) < len(wanted):
        return np.empty(0, np.int64)
    stored = _Stored(tx, run_id, metrics, from_step, to_step, stream)
    steps: NDArray[np.int64] | None = None
    for _, points in stored.read_in_turn(from_step, to_step):
        steps = points.steps if steps is None else np.intersect1d(steps, points.steps, assume_unique=True)
    return np.empty(0, np.int64) if steps is None else steps


def read_rows_at(
    tx: Transaction,
    run_id: int,
    steps: NDArray[np.int64],
    names: Sequence[str] | None = None,
    stream: Stream = "history",
) -> list[dict[str, Any]]:
    """The rows at these steps, ascending, as `read_rows` has them; with `names` only these keys.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    rows: list[dict[str, Any]] = [{STEP_KEY: step} for step in steps.tolist()]
    if not rows:
        return rows
    first, last = int(steps[0]), int(steps[-1])
    metrics = [one for one in _metrics(tx, run_id, names, stream) if one.folded != STEP_KEY]
    for metric, points in _Stored(tx, run_id, metrics, first, last, stream).read_in_turn(first, last):
        _, at, row_at = np.intersect1d(points.steps, steps, assume_unique=True, return_indices=True)
        for row, value in zip(row_at.tolist(), points.take(at).plain(), strict=True):
            rows[row][metric.name] = value
    return rows


def read_reduced(
    tx: Transaction,
    run_ids: Sequence[int],
    name: str,
    from_step: int = 0,
    to_step: int | None = None,
    points: int = 1000,
    stream: Stream = "history",
) -> list[ReducedSeries]:
    """The metric's numbers per run, in at most `points` buckets over the asked range; runs without: absent.

    The bucket is the smallest power of two for which the range, cut to the steps that any of the runs has,
    takes at most `points` buckets; a run with no more than `points` points in them comes unreduced
    (bucket 1). The same points give the same buckets whatever way they arrived.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the block.
    """
    return [
        ReducedSeries(
            run_id=found.series.run_id,
            key=found.series.name,
            bucket=found.bucket,
            n=found.buckets.points,
            start=found.buckets.index << bucket_bits(found.bucket),  # a bucket of 2**63 steps is no int64
            count=found.buckets.count,
            non_finite=found.buckets.non_finite,
            last=found.buckets.last,
            last_step=found.buckets.last_step,
            low=found.buckets.low,
            high=found.buckets.high,
        )
        for found in reduce_runs(tx, run_ids, name, from_step, to_step, points, stream)
    ]
