"""What is kept of a series besides its points: count, latest, extremes; equal however the points came."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from runhue_shared.series.points import Points
from runhue_shared.series.values import BOOL, NUMBER, json_text, stat_number


class Extremes(NamedTuple):
    """Over finite points: the least and greatest with the first step that reached them; None without any."""

    low: float | None = None
    low_step: int | None = None
    high: float | None = None
    high_step: int | None = None
    nan_count: int = 0
    inf_count: int = 0


class SeriesStats(NamedTuple):
    """Statistics of one (metric, type) over all its points.

    `last` is the value at the greatest step: a number, a bool as 0.0 or 1.0, else None. `last_json` is its
    JSON text; None for a float, which `last` holds whole.
    """

    type: str
    n: int
    first_step: int
    last_step: int
    last_ord: int
    last: float | None
    last_json: str | None
    extremes: Extremes


def stats_of(type_: str, points: Points) -> SeriesStats:
    """Statistics of points that are sorted, one a step, all of `type_`; at least one."""
    last = points.take(slice(-1, None)).plain()[0]
    return SeriesStats(
        type_,
        len(points),
        int(points.steps[0]),
        int(points.steps[-1]),
        int(points.ords[-1]),
        last_number(type_, points),
        None if isinstance(last, float) else json_text(last),
        extremes_of(type_, points),
    )


def last_number(type_: str, points: Points) -> float | None:
    """The last value as a double; None where the type has none."""
    values = doubles_of(type_, points.take(slice(-1, None)))
    return None if values is None else stat_number(float(values[-1]))


def doubles_of(type_: str, points: Points) -> Any:  # float64 array or None
    """Numbers as they are, bools as 0.0 and 1.0; None for every other type."""
    if type_ == NUMBER:
        return points.numbers
    if type_ == BOOL and points.objects is not None:
        return points.objects.astype(np.float64)
    return None


def extremes_of(type_: str, points: Points) -> Extremes:
    """Extremes of points sorted by step."""
    values = doubles_of(type_, points)
    if values is None or not len(values):
        return Extremes()
    finite = np.isfinite(values)
    nan_count = int(np.isnan(values).sum())
    inf_count = len(values) - int(finite.sum()) - nan_count
    if not finite.any():
        return Extremes(None, None, None, None, nan_count, inf_count)
    low_at = int(np.where(finite, values, np.inf).argmin())
    high_at = int(np.where(finite, values, -np.inf).argmax())
    return Extremes(
        stat_number(float(values[low_at])),
        int(points.steps[low_at]),
        stat_number(float(values[high_at])),
        int(points.steps[high_at]),
        nan_count,
        inf_count,
    )


def merged_extremes(parts: Iterable[Extremes]) -> Extremes:
    """Extremes of the union of disjoint sets of points."""
    parts = list(parts)
    lows = [(part.low, part.low_step) for part in parts if part.low is not None]
    highs = [(-part.high, part.high_step) for part in parts if part.high is not None]
    nan_count, inf_count = sum(part.nan_count for part in parts), sum(part.inf_count for part in parts)
    if not lows or not highs:
        return Extremes(None, None, None, None, nan_count, inf_count)
    low, high = min(lows), min(highs)
    return Extremes(low[0], low[1], stat_number(-high[0]), high[1], nan_count, inf_count)
