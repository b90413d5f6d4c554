"""Histograms on one grid of values, against a slow exact model in fractions."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runhue_shared.charts.histogram_grid import Histogram, grid_edges, histogram_of, matrix, on_grid

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 6))
COUNTS = st.one_of(st.integers(0, 10**9), st.floats(0, 1e9))


@st.composite
def histograms(draw: st.DrawFn, edges: st.SearchStrategy[float] = NUMBERS) -> Histogram:
    """A histogram of one to nine bins, some of them without width."""
    bins = draw(st.integers(1, 9))
    ends = sorted(draw(st.lists(edges, min_size=bins + 1, max_size=bins + 1)))
    counts = draw(st.lists(COUNTS, min_size=bins, max_size=bins))
    return Histogram(np.array(ends, np.float64), np.array(counts, np.float64))


def exact(histogram: Histogram, grid: np.ndarray[Any, np.dtype[np.float64]]) -> list[Fraction]:
    """Counts in cells by overlap, in fractions."""
    cells = [Fraction(float(edge)) for edge in grid]
    found = [Fraction(0)] * (len(cells) - 1)
    for low, high, count in zip(
        histogram.edges[:-1].tolist(), histogram.edges[1:].tolist(), histogram.counts.tolist(), strict=True
    ):
        start, end = Fraction(low), Fraction(high)
        if start == end:
            home = max(at for at in range(len(found)) if cells[at] <= start or at == 0)
            found[home] += Fraction(count)
            continue
        for at in range(len(found)):
            overlap = min(end, cells[at + 1]) - max(start, cells[at])
            found[at] += Fraction(count) * max(overlap, Fraction(0)) / (end - start)
    return found


@given(st.lists(histograms(), min_size=1, max_size=4), st.integers(1, 40))
def test_counts_agree_with_the_exact_model(some: list[Histogram], rows: int) -> None:
    """Every cell holds what overlaps it, to rounding, and a column's total is the histogram's."""
    grid = grid_edges(some, rows)
    for histogram in some:
        found = on_grid(histogram, grid)
        total = float(histogram.counts.sum())
        assert math.fsum(found) == pytest.approx(total, rel=1e-9, abs=1e-300)
        for cell, expected in zip(found.tolist(), exact(histogram, grid), strict=True):
            assert abs(Fraction(cell) - expected) <= Fraction(max(total, 1e-300)) * Fraction(1, 10**8)


@given(
    st.lists(histograms(st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=3),
    st.integers(1, 40),
)
@example([Histogram(np.array([-1.7e308, 1.7e308]), np.array([4.0]))], 4)
@example(
    [
        Histogram(np.array([5e-324, 1e-323]), np.array([4.0])),
        Histogram(np.array([0, 1e308]), np.array([1.0])),
    ],
    3,
)
def test_totals_stay_whatever_the_edges(some: list[Histogram], rows: int) -> None:
    """Edges from the smallest to the largest double give finite cells that hold every count."""
    grid = grid_edges(some, rows)
    assert bool((np.diff(grid) >= 0).all())
    assert len(grid) == rows + 1
    for histogram in some:
        found = on_grid(histogram, grid)
        assert bool((found >= 0).all())
        assert math.fsum(found) == pytest.approx(float(histogram.counts.sum()), rel=1e-9, abs=1e-300)


@given(st.lists(st.tuples(st.integers(0, 200), histograms()), max_size=12), st.integers(0, 8))
def test_columns_are_the_sums_of_their_steps(rows: list[tuple[int, Histogram]], bits: int) -> None:
    """A column adds the histograms of its bucket, however they were spread over it."""
    by_step = dict(sorted(dict(rows).items()))
    grid = grid_edges(by_step.values(), 7)

    columns, counts = matrix(list(by_step), list(by_step.values()), bits, grid)

    assert sum(column.n for column in columns) == len(by_step)
    assert [column.step for column in columns] == sorted({step >> bits << bits for step in by_step})
    assert counts.shape == (7, len(columns))
    for at, column in enumerate(columns):
        inside = [one for step, one in by_step.items() if step >> bits << bits == column.step]
        assert column.last_step == max(step for step in by_step if step >> bits << bits == column.step)
        assert counts[:, at].sum() == pytest.approx(sum(one.counts.sum() for one in inside), rel=1e-9)


def test_equal_edges_are_a_point_in_the_middle() -> None:
    """A histogram of one value lies in the cell that holds it; one without any gives the unit interval."""
    point = Histogram(np.array([3.0, 3.0]), np.array([5.0]))

    assert grid_edges([point], 2).tolist() == [2.5, 3.0, 3.5]
    assert on_grid(point, grid_edges([point], 3)).tolist() == [0.0, 5.0, 0.0]
    assert grid_edges([], 2).tolist() == [0.0, 0.5, 1.0]
    huge = Histogram(np.array([1.7e308, 1.7e308]), np.array([1.0]))
    assert on_grid(huge, grid_edges([huge], 4)).sum() == 1.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"bins": [0, 1]},
        {"bins": [0, 1], "values": [1, 2]},
        {"bins": [0, math.nan], "values": [1]},
        {"bins": [0, "NaN"], "values": [1]},
        {"bins": [1, 0], "values": [1]},
        {"bins": [0, 1], "values": [-1]},
        {"bins": [0, 1], "values": [math.inf]},
        {"bins": [0], "values": []},
        {"bins": [[0], [1]], "values": [[1]]},
        {"bins": [0, 1], "values": ["x"]},
        {"bins": [0, 1, 2], "values": [1e308, 1e308]},
        {"packedBins": {"min": 0, "size": 1, "count": 3}, "values": [1]},
        {"packedBins": {"min": 0, "size": -1, "count": 2}, "values": [1, 1]},
        {"packedBins": {"min": 0, "size": 1e308, "count": 3}, "values": [1, 1, 1]},
        {"packedBins": [], "values": [1]},
    ],
)
def test_what_is_no_histogram(value: object) -> None:
    """What does not describe counts in bins is none."""
    assert histogram_of(value) is None


def test_packed_bins_are_bins() -> None:
    """Bins of one size may come as their start, size and count."""
    packed = histogram_of({"packedBins": {"min": -1, "size": 0.5, "count": 3}, "values": [1, 0, 2]})
    listed = histogram_of({"bins": [-1, -0.5, 0, 0.5], "values": [1, 0, 2]})

    assert packed is not None
    assert listed is not None
    assert packed.edges.tolist() == listed.edges.tolist()
    assert packed.counts.tolist() == listed.counts.tolist()
