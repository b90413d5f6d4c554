"""Histograms against numpy's."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runhue
from tests.unit.sdk.media.test_images import Tensor

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


@given(NUMBERS, st.integers(1, 512))
def test_a_sequence_is_counted_as_numpy_does(numbers: list[float], bins: int) -> None:
    """Counts and edges are numpy's, every number is in a bin, and edges ascend."""
    counts, edges = np.histogram(numbers, bins=bins)

    made = runhue.Histogram(numbers, num_bins=bins)

    assert (made.histogram, made.bins) == (counts.tolist(), edges.tolist())
    assert sum(made.histogram) == len(numbers)
    assert made.bins == sorted(made.bins)


@given(NUMBERS, st.integers(1, 512))
def test_a_made_histogram_is_kept(numbers: list[float], bins: int) -> None:
    """What numpy made is stored as it is."""
    pair = np.histogram(numbers, bins=bins)

    made = runhue.Histogram(np_histogram=pair)

    assert (made.histogram, made.bins) == (pair[0].tolist(), pair[1].tolist())


@pytest.mark.parametrize(
    "numbers",
    [
        [1, 2, 3],
        (1, 2, 3),
        range(1, 4),
        np.array([1, 2, 3], dtype=np.int8),
        np.array([[1.0], [2.0], [3.0]]),
        Tensor(np.array([1.0, 2.0, 3.0])),
    ],
)
def test_any_sequence_and_shape(numbers: Any) -> None:
    """Lists, ranges, arrays and tensors of any shape give the same histogram."""
    made = runhue.Histogram(numbers, num_bins=2)

    assert (made.histogram, made.bins) == ([1, 2], [1.0, 2.0, 3.0])


def test_default_bins_and_odd_sequences() -> None:
    """There are 64 bins by default; nothing, one value and booleans have a histogram too."""
    assert len(runhue.Histogram(range(1000)).histogram) == 64
    assert sum(runhue.Histogram([]).histogram) == 0
    assert sum(runhue.Histogram([5, 5]).histogram) == 2
    assert runhue.Histogram([True, False, True], num_bins=2).histogram == [1, 2]
    assert runhue.Histogram(np_histogram=((0.5, 0.25), (0, 1, 2))).histogram == [0.5, 0.25]
    assert len(runhue.Histogram(range(1000), num_bins=512).histogram) == 512
