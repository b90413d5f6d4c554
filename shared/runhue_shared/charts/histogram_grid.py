"""Histograms over steps as one matrix: counts of every step on one grid of values.

A histogram says how many values lie in each of its bins, and nothing of where inside. Its counts are laid
over the cells of the grid by overlap, as if values were spread evenly inside a bin. Bins without width are
points: their counts go to the cell that holds the point.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_LARGE = 1e300
"""Edges beyond are halved while differences are taken, which would overflow."""


class Histogram(NamedTuple):
    """Counts of values in bins: `edges` ascend, shape (bins + 1,); `counts` has shape (bins,)."""

    edges: Doubles
    counts: Doubles


def histogram_of(value: Any) -> Histogram | None:  # what a client logged
    """The histogram of a logged value, with `bins` and `values` or with `packedBins`; None when it is none.

    None also for edges or counts that are not finite, edges that descend, counts below 0, and no bins.
    """
    if not isinstance(value, dict):
        return None
    try:
        counts = np.array(value["values"], np.float64)
        edges = _edges_of(value, len(counts))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    whole = counts.ndim == edges.ndim == 1 and 0 < len(counts) == len(edges) - 1
    if not whole or not np.isfinite(edges).all() or bool((edges[1:] < edges[:-1]).any()):
        return None
    if bool((counts < 0).any()) or not np.isfinite(_sum(counts)):
        return None
    return Histogram(edges, counts)


def _edges_of(value: dict[str, Any], bins: int) -> Doubles:
    if "bins" in value:
        return np.array(value["bins"], np.float64)
    packed = value["packedBins"]
    if packed["count"] != bins:
        raise ValueError(f"packedBins count {packed['count']!r:.80} does not go with {bins} values")
    with np.errstate(over="ignore", invalid="ignore"):
        return float(packed["min"]) + float(packed["size"]) * np.arange(bins + 1, dtype=np.float64)


def _sum(counts: Doubles) -> float:
    with np.errstate(over="ignore"):
        return float(counts.sum())


def grid_edges(histograms: Iterable[Histogram], rows: int) -> Doubles:
    """Edges of `rows` equal cells from the lowest to the highest edge of all, shape (rows + 1,).

    Without a histogram from 0 to 1. Where all edges are equal, the cells reach half a unit to both sides,
    or as far as doubles of that size can tell apart.
    """
    ends = [(histogram.edges[0], histogram.edges[-1]) for histogram in histograms]
    if not ends:
        return np.linspace(0.0, 1.0, rows + 1)
    low, high = float(min(first for first, _ in ends)), float(max(last for _, last in ends))
    if low == high:
        reach = max(0.5, abs(low) * 2**-40)
        low, high = low - reach, high + reach
        low, high = max(low, -np.finfo(np.float64).max), min(high, np.finfo(np.float64).max)
    part = np.arange(rows + 1) / rows
    edges = low * (1.0 - part) + high * part
    edges[0], edges[-1] = low, high
    return np.maximum.accumulate(np.clip(edges, low, high))


def on_grid(histogram: Histogram, grid: Doubles) -> Doubles:
    """The histogram's counts in the cells between the edges of `grid`, which holds it; shape (cells,)."""
    scale = 0.5 if max(abs(grid[0]), abs(grid[-1])) > _LARGE else 1.0
    edges, cells = histogram.edges * scale, grid * scale
    widths = np.diff(edges)
    is_point = widths == 0
    found = _spread(edges[:-1][~is_point], widths[~is_point], histogram.counts[~is_point], cells)
    at = np.searchsorted(cells, edges[:-1][is_point], side="right") - 1
    np.add.at(found, np.clip(at, 0, len(found) - 1), histogram.counts[is_point])
    return found


def _spread(starts: Doubles, widths: Doubles, counts: Doubles, cells: Doubles) -> Doubles:
    """Counts of adjacent bins in cells: what lies below each cell's end less what lies below its start."""
    if not len(starts):
        return np.zeros(len(cells) - 1)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    at = np.clip(np.searchsorted(starts, cells, side="right") - 1, 0, len(starts) - 1)
    part = np.clip(cells - starts[at], 0.0, widths[at]) / widths[at]
    up_to = below[at] + counts[at] * part
    up_to[0], up_to[-1] = 0.0, below[-1]
    found: Doubles = np.maximum(np.diff(up_to), 0.0)
    return found


class Column(NamedTuple):
    """Histograms of a bucket: its first step, the last step that one was logged at, and how many they are."""

    step: int
    last_step: int
    n: int


def matrix(
    steps: Sequence[int], histograms: Sequence[Histogram], bits: int, grid: Doubles
) -> tuple[list[Column], Doubles]:
    """(columns, counts of shape (cells, columns)): those of steps in one bucket of 2**bits steps are added.

    Args:
        steps: ascending, one for each histogram.
    """
    columns: list[Column] = []
    counts: list[Doubles] = []
    for step, histogram in zip(steps, histograms, strict=True):
        start = step >> bits << bits
        if not columns or columns[-1].step != start:
            columns.append(Column(start, step, 0))
            counts.append(np.zeros(len(grid) - 1))
        columns[-1] = Column(start, step, columns[-1].n + 1)
        counts[-1] += on_grid(histogram, grid)
    if not columns:
        return [], np.zeros((len(grid) - 1, 0))
    return columns, np.stack(counts, axis=1)
