"""Which bucket a value is in: S3, S4, S14 and the scales."""

from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise
from math import inf, nextafter
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.buckets import (
    Domain,
    NumericScale,
    QuantileCut,
    bucket_of,
    linear_thresholds,
    log_thresholds,
    numeric_scale,
    quantile_cuts,
    quantile_ranks,
    quantile_thresholds,
)
from runhue_shared.coloring.exact import decimal_value
from runhue_shared.coloring.settings import ClipRange, ColorSettings

finite = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
positive = st.floats(min_value=5e-324, allow_infinity=False)
counts = st.integers(2, 8)
short_decimals = st.builds(
    lambda digits, places: digits / 10**places, st.integers(-9999, 9999), st.integers(0, 6)
)


def domains(numbers: "st.SearchStrategy[float]") -> "st.SearchStrategy[Domain]":
    pairs = st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)
    return pairs.map(lambda ends: Domain(ends[0], ends[1]))


def scale_of(domain: Domain | None, cuts: tuple[QuantileCut, ...] = (), **settings: object) -> NumericScale:
    scale = numeric_scale(domain, ColorSettings(**settings), cuts)  # type: ignore[arg-type]  # fields vary by test
    assert scale is not None
    return scale


def true_bucket(value: float, domain: Domain, n: int) -> int:
    """The bucket by rational arithmetic alone."""
    low, high, exact = decimal_value(domain.low), decimal_value(domain.high), decimal_value(value)
    return 1 + sum(exact >= ((n - k) * low + k * high) / n for k in range(1, n))


@pytest.mark.parametrize(
    ("domain", "printed", "buckets"),
    [
        (Domain(0.496675, 0.995425), (0.5798, 0.6629, 0.7460, 0.8292, 0.9123), {0.957: 6, 0.7993: 4}),
        (Domain(0.7434, 0.8604), (0.7629, 0.7824, 0.8019, 0.8214, 0.8409), {0.8232: 5, 0.7684: 2}),
    ],
)
def test_documented_example(domain: Domain, printed: tuple[float, ...], buckets: dict[float, int]) -> None:
    """Both documented sets of six buckets, and where the best and worst run drawn are (seeds 000, 001)."""
    thresholds = linear_thresholds(domain, 6)

    assert thresholds == pytest.approx(printed, abs=1e-4)
    assert {value: bucket_of(value, thresholds) for value in buckets} == buckets


def test_thresholds_are_exact_decimals() -> None:
    """0.1 to 0.7 in six buckets: every run of the sweep is in its own bucket, the last two share one."""
    thresholds = linear_thresholds(Domain(0.1, 0.7), 6)

    assert thresholds == (0.2, 0.3, 0.4, 0.5, 0.6)
    assert [bucket_of(i / 10, thresholds) for i in range(1, 8)] == [1, 2, 3, 4, 5, 6, 6]


def test_lower_bound_belongs_to_a_bucket_and_upper_to_the_next() -> None:
    """Closed on the left, open on the right, and the last bucket closed on both sides (S3)."""
    assert [bucket_of(value, (1.0, 2.0)) for value in (-5.0, 0.0, 1.0, nextafter(2.0, 0), 2.0, 9.0)] == [
        1, 1, 2, 2, 3, 3,
    ]  # fmt: skip


@given(domain=domains(finite), n=counts, value=finite)
def test_linear_bucket_is_the_exact_one(domain: Domain, n: int, value: float) -> None:
    """Comparing doubles gives the bucket of exact arithmetic, for any value and any range (S4)."""
    assert bucket_of(value, linear_thresholds(domain, n)) == true_bucket(value, domain, n)


@given(
    first=short_decimals,
    step=st.integers(1, 999),
    places=st.integers(0, 5),
    n=counts,
    runs=st.integers(2, 40),
)
def test_every_run_of_a_decimal_sweep_is_in_its_exact_bucket(
    first: float, step: int, places: int, n: int, runs: int
) -> None:
    """Sweeps put runs exactly on boundaries, where the usual formulas misplace one run in ten or more."""
    start = decimal_value(first)
    values = [float(start + Fraction(step * i, 10**places)) for i in range(runs)]
    domain = Domain(values[0], values[-1])

    thresholds = linear_thresholds(domain, n)

    assert [bucket_of(v, thresholds) for v in values] == [true_bucket(v, domain, n) for v in values]


@given(domain=domains(finite), n=counts)
def test_minimum_is_in_the_first_bucket_and_maximum_in_the_last(domain: Domain, n: int) -> None:
    """Whatever the range (G6)."""
    thresholds = linear_thresholds(domain, n)

    assert (bucket_of(domain.low, thresholds), bucket_of(domain.high, thresholds)) == (1, n)


@given(domain=domains(finite), n=counts, values=st.lists(finite, min_size=2))
def test_greater_values_are_never_in_a_lower_bucket(domain: Domain, n: int, values: list[float]) -> None:
    """Buckets rise with values."""
    thresholds = linear_thresholds(domain, n)

    assigned = [bucket_of(value, thresholds) for value in sorted(values)]

    assert assigned == sorted(assigned)


@given(domain=domains(finite), n=counts)
def test_thresholds_ascend_within_the_range(domain: Domain, n: int) -> None:
    """Thresholds never fall, are above the minimum and at most the maximum."""
    thresholds = linear_thresholds(domain, n)

    assert all(left <= right for left, right in pairwise([*thresholds, domain.high]))
    assert domain.low < thresholds[0]


@pytest.mark.parametrize(
    "domain",
    [
        Domain(1.0, nextafter(1.0, 2)),
        Domain(0.0, 5e-324),
        Domain(-5e-324, 5e-324),
        Domain(-float_info.max, float_info.max),
        Domain(-float_info.max, nextafter(-float_info.max, 0)),
        Domain(nextafter(float_info.max, 0), float_info.max),
    ],
)
@pytest.mark.parametrize("n", range(2, 9))
def test_extreme_ranges(domain: Domain, n: int) -> None:
    """Adjacent doubles, subnormals and the whole number line are ranges like any other (S4)."""
    thresholds = linear_thresholds(domain, n)

    assert (bucket_of(domain.low, thresholds), bucket_of(domain.high, thresholds)) == (1, n)
    assert [bucket_of(0.0, thresholds)] == [true_bucket(0.0, domain, n)]


def test_no_value_is_no_scale() -> None:
    """A population without values has no buckets (S14)."""
    assert numeric_scale(None, ColorSettings()) is None


def test_equal_values_make_one_bucket() -> None:
    """When minimum and maximum agree there is nothing to divide (S14)."""
    scale = scale_of(Domain(3.0, 3.0))

    assert (scale.low, scale.high, scale.thresholds) == (3.0, 3.0, ())


def test_two_runs_are_in_the_end_buckets() -> None:
    """Two runs and eight buckets: one and eight (S14)."""
    thresholds = linear_thresholds(Domain(0.2, 0.9), 8)

    assert [bucket_of(value, thresholds) for value in (0.2, 0.9)] == [1, 8]


def test_log_scale_divides_by_ratio() -> None:
    """Batch sizes 16 to 512 spread over four buckets; powers of ten stay exact boundaries."""
    thresholds = log_thresholds(Domain(16.0, 512.0), 4)

    assert [bucket_of(2.0**power, thresholds) for power in range(4, 10)] == [1, 1, 2, 3, 4, 4]
    assert log_thresholds(Domain(1e-4, 1.0), 4) == (0.001, 0.01, 0.1)


@given(domain=domains(positive), n=counts, value=positive)
def test_log_bucket_is_the_exact_one(domain: Domain, n: int, value: float) -> None:
    """v is past boundary k exactly when v^n >= low^(n-k) * high^k in rationals."""
    low, high, exact = decimal_value(domain.low), decimal_value(domain.high), decimal_value(value)
    expected = 1 + sum(exact**n >= low ** (n - k) * high**k for k in range(1, n))

    assert bucket_of(value, log_thresholds(domain, n)) == expected


def test_range_replaces_one_end() -> None:
    """One diverged loss no longer flattens all others: it is in the end bucket."""
    scale = scale_of(Domain(0.0, 1e9), buckets=2, range=ClipRange(max=1.0))

    assert (scale.low, scale.high, scale.thresholds) == (0.0, 1.0, (0.5,))
    assert bucket_of(1e9, scale.thresholds) == 2


@pytest.mark.parametrize(
    ("clip", "point"),
    [(ClipRange(min=5.0), 5.0), (ClipRange(max=1.0), 1.0), (ClipRange(min=4.0, max=4.0), 4.0)],
)
def test_range_without_room_makes_one_bucket(clip: ClipRange, point: float) -> None:
    """When the given ends leave nothing between them, all runs share one bucket."""
    scale = scale_of(Domain(2.0, 3.0), range=clip)

    assert (scale.low, scale.high, scale.thresholds) == (point, point, ())


def test_midpoint_mirrors_the_range() -> None:
    """The middle boundary is the midpoint; the farther end sets both widths."""
    scale = scale_of(Domain(-1.0, 3.0), buckets=4, midpoint=0.0)

    assert (scale.low, scale.high, scale.thresholds) == (-3.0, 3.0, (-1.5, 0.0, 1.5))


@pytest.mark.parametrize("midpoint", [-1e307, 0.0, 1e307])
@pytest.mark.parametrize("domain", [Domain(-float_info.max, 0.0), Domain(0.0, float_info.max)])
def test_midpoint_of_the_widest_range_has_reachable_thresholds(domain: Domain, midpoint: float) -> None:
    """A mirrored end beyond the doubles is published as the last double, and no boundary is beyond it."""
    scale = scale_of(domain, buckets=8, midpoint=midpoint)

    assert all(
        decimal_value(threshold) >= boundary
        for threshold, boundary in zip(scale.thresholds, scale.boundaries, strict=True)
    )
    assert -inf < (scale.low or 0) < (scale.high or 0) < inf


def test_custom_boundaries_are_the_thresholds() -> None:
    """Fixed bands do not depend on the runs, or on there being any."""
    scale = scale_of(None, buckets=3, scale="custom", boundaries=(0.5, 0.9))

    assert (scale.low, scale.high, scale.thresholds) == (None, None, (0.5, 0.9))


def test_custom_boundaries_hold_for_equal_values() -> None:
    """Runs that all agree are still in their band."""
    scale = scale_of(Domain(0.7, 0.7), buckets=3, scale="custom", boundaries=(0.5, 0.9))

    assert bucket_of(0.7, scale.thresholds) == 2


@pytest.mark.parametrize(
    ("count", "n", "ranks"), [(8, 4, (2, 4, 6)), (5, 2, (3,)), (1, 3, (1, 1)), (0, 2, (0,))]
)
def test_quantile_ranks_round_up(count: int, n: int, ranks: tuple[int, ...]) -> None:
    """Rank ceil(kN/n) closes bucket k."""
    assert quantile_ranks(count, n) == ranks


@pytest.mark.parametrize(
    ("values", "n", "thresholds"),
    [
        ([1.0, 2.0, 3.0, 4.0], 2, (3.0,)),
        ([1.0, 1.0, 1.0, 2.0], 2, (2.0,)),
        ([1.0, 2.0, 2.0, 2.0], 2, (2.0,)),
        ([1.0, 2.0, 2.0], 4, (2.0, 2.0, 2.0)),
        ([1.0, 2.0, 3.0, 4.0, 100.0, 1e6], 3, (3.0, 100.0)),
    ],
)
def test_quantile_thresholds(values: list[float], n: int, thresholds: tuple[float, ...]) -> None:
    """The next greater value opens the next bucket, or the closing one itself when there is none."""
    assert quantile_thresholds(quantile_cuts(values, n)) == thresholds


@given(values=st.lists(finite, min_size=1, max_size=60), n=counts)
def test_quantile_buckets_are_as_full_as_ties_allow(values: list[float], n: int) -> None:
    """The first k buckets hold at least ceil(kN/n) runs, unless the closing value is the greatest."""
    ordered = sorted(values)

    thresholds = quantile_thresholds(quantile_cuts(ordered, n))

    for rank, threshold in zip(quantile_ranks(len(ordered), n), thresholds, strict=True):
        below = bisect_left(ordered, threshold)
        assert below >= rank or ordered[rank - 1] == ordered[-1]
        assert below == 0 or ordered[below - 1] <= ordered[rank - 1]


def test_quantile_scale_keeps_the_ends_of_the_values() -> None:
    """The legend still shows the smallest and the largest value."""
    values = [1.0, 2.0, 4.0, 8.0]

    scale = scale_of(Domain(1.0, 8.0), quantile_cuts(values, 2), buckets=2, scale="quantile")

    assert (scale.low, scale.high, scale.thresholds) == (1.0, 8.0, (4.0,))
