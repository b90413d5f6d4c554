"""What a run's history must be, computed from scratch in plain Python, point by point."""

import json
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from runhue_shared.db import Transaction, history
from runhue_shared.series.values import value_type

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Record(NamedTuple):
    """One row as a writer logged it."""

    writer_no: int
    seq: int
    step: int
    values: Mapping[str, Any]


class Taken(NamedTuple):
    """A rewind: what was said before it of steps after `step` is taken back."""

    writer_no: int
    seq: int
    step: int


def standing(records: Iterable[Record], rewinds: Iterable[Taken]) -> list[Record]:
    """The records that no rewind took back."""
    rewinds = list(rewinds)
    return [
        record
        for record in records
        if not any(
            (record.writer_no, record.seq) < (taken.writer_no, taken.seq) and record.step > taken.step
            for taken in rewinds
        )
    ]


def model_points(records: Iterable[Record]) -> dict[str, dict[int, Any]]:
    """Per casefolded key the value at each step: of records at one step the one with the greatest ord."""
    points: dict[str, dict[int, tuple[int, Any]]] = {}
    for record in records:
        ord_ = (record.writer_no << 40) | record.seq
        for key, value in [*record.values.items(), ("_step", record.step)]:
            held = points.setdefault(key.casefold(), {})
            if record.step not in held or held[record.step][0] <= ord_:
                plain = NON_FINITE.get(value, value) if isinstance(value, str) else value
                held[record.step] = (ord_, plain)
    return {key: {step: value for step, (_, value) in sorted(held.items())} for key, held in points.items()}


def model_metrics(points: Mapping[str, Mapping[int, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Per (key, type): n, first and last step, last value, min and max with their steps, NaNs, infinities."""
    found = {}
    for key, held in points.items():
        for type_ in {value_type(value) for value in held.values()}:
            own = {step: value for step, value in held.items() if value_type(value) == type_}
            found[key, type_] = (
                len(own),
                min(own),
                max(own),
                exact(own[max(own)]),
                *_extremes(type_, own),
            )
    return found


def _extremes(type_: str, own: Mapping[int, Any]) -> tuple[Any, ...]:
    if type_ not in ("number", "bool"):
        return (None, None, None, None, 0, 0)
    doubles = {step: as_double(value) for step, value in own.items()}
    finite = {step: value for step, value in doubles.items() if math.isfinite(value)}
    nans = sum(math.isnan(value) for value in doubles.values())
    infs = len(doubles) - len(finite) - nans
    if not finite:
        return (None, None, None, None, nans, infs)
    low, high = min(finite.values()), max(finite.values())
    low_step = min(step for step, value in finite.items() if value == low)
    high_step = min(step for step, value in finite.items() if value == high)
    return (low + 0.0, low_step, high + 0.0, high_step, nans, infs)


def as_double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def exact(value: Any) -> Any:
    """A form in which values are equal only when they are the same, bit for bit and by type."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return (type(value).__name__, value)


def model_buckets(held: Mapping[int, Any], bucket: int) -> list[tuple[Any, ...]]:
    """Numbers in buckets: start, count, non-finite, last, its step, low, high."""
    numbers = {step: as_double(value) for step, value in held.items() if value_type(value) == "number"}
    grouped: dict[int, list[int]] = {}
    for step in sorted(numbers):
        grouped.setdefault(step // bucket * bucket, []).append(step)
    rows = []
    for start, steps in grouped.items():
        finite = [numbers[step] for step in steps if math.isfinite(numbers[step])]
        low, high = (min(finite) + 0.0, max(finite) + 0.0) if finite else (math.nan, math.nan)
        rows.append(
            (
                start,
                len(steps),
                len(steps) - len(finite),
                exact(numbers[steps[-1]]),
                steps[-1],
                exact(low),
                exact(high),
            )
        )
    return rows


def stored_metrics(tx: Transaction, run_id: int) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What the database says, in the form of `model_metrics`."""
    return {
        (found.name.casefold(), found.type): (
            found.n,
            found.first_step,
            found.last_step,
            exact(found.last_value if not isinstance(found.last_value, float) else _unsigned(found)),
            found.fmin,
            found.fmin_step,
            found.fmax,
            found.fmax_step,
            found.nan_count,
            found.inf_count,
        )
        for found in history.metrics_of_run(tx, run_id)
    }


def _unsigned(found: history.RunMetric) -> Any:
    return found.last_value


def reduced_rows(series: history.ReducedSeries) -> list[tuple[Any, ...]]:
    """What the database says, in the form of `model_buckets`."""
    columns = (
        series.start,
        series.count,
        series.non_finite,
        series.last,
        series.last_step,
        series.low,
        series.high,
    )
    return [
        (start, count, bad, exact(last), step, exact(low), exact(high))
        for start, count, bad, last, step, low, high in zip(*(c.tolist() for c in columns), strict=True)
    ]
