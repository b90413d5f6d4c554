"""Thresholds are the smallest doubles on the right side of an exact bound."""

from fractions import Fraction
from math import inf, nextafter
from sys import float_info

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runhue_shared.coloring.exact import (
    LARGEST_DOUBLE,
    SMALLEST_POSITIVE_DOUBLE,
    decimal_value,
    nearest_double,
    smallest_double_at_least,
    smallest_root_at_least,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=SMALLEST_POSITIVE_DOUBLE, allow_infinity=False)


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        (0.1, Fraction(1, 10)),
        (-0.0, Fraction(0)),
        (5e-324, Fraction(5, 10**324)),
        (float_info.max, Fraction(17976931348623157) * 10**292),
        (9007199254740993.0, Fraction(9007199254740992)),
    ],
)
def test_a_double_stands_for_its_shortest_decimal(number: float, exact: Fraction) -> None:
    """0.1 is one tenth, not the binary fraction next to it (S4)."""
    assert decimal_value(number) == exact


@given(left=finite, right=finite)
def test_order_of_doubles_is_the_order_of_their_decimals(left: float, right: float) -> None:
    """Comparing doubles answers the exact question."""
    assert (left < right) == (decimal_value(left) < decimal_value(right))


@given(bound=finite, numerator=st.integers(1, 10**6))
def test_threshold_is_the_smallest_double_at_or_above_the_bound(bound: float, numerator: int) -> None:
    """The threshold reaches the bound and the double below does not."""
    exact = decimal_value(bound) * numerator / (numerator + 1)

    threshold = smallest_double_at_least(exact)

    assert decimal_value(threshold) >= exact
    assert threshold == -LARGEST_DOUBLE or decimal_value(nextafter(threshold, -inf)) < exact


@pytest.mark.parametrize(
    ("bound", "threshold"),
    [
        (Fraction(3, 10), 0.3),
        (Fraction(-1, 10**400), 0.0),
        (Fraction(1, 10**400), SMALLEST_POSITIVE_DOUBLE),
        (decimal_value(-LARGEST_DOUBLE) - 1, -LARGEST_DOUBLE),
        (decimal_value(LARGEST_DOUBLE), LARGEST_DOUBLE),
        (Fraction(10) ** 400, LARGEST_DOUBLE),
    ],
)
def test_threshold_at_the_ends_of_the_doubles(bound: Fraction, threshold: float) -> None:
    """Around zero and at the extremes the answer is a finite double, and never -0.0."""
    assert smallest_double_at_least(bound).hex() == threshold.hex()


@given(base=positive, degree=st.integers(1, 10), other=positive)
def test_root_is_the_smallest_double_whose_power_reaches(base: float, degree: int, other: float) -> None:
    """The power of the root reaches the bound and that of the double below does not."""
    power = decimal_value(base) ** (degree - 1) * decimal_value(other)

    root = smallest_root_at_least(power, degree)

    assert decimal_value(root) ** degree >= power
    assert decimal_value(nextafter(root, -inf)) ** degree < power


@given(number=positive, degree=st.integers(1, 10))
def test_root_of_an_exact_power_is_its_base(number: float, degree: int) -> None:
    """Boundaries of a log scale that are round numbers stay round."""
    assert smallest_root_at_least(decimal_value(number) ** degree, degree) == number


@pytest.mark.parametrize(
    ("power", "root"),
    [(Fraction(10) ** 800, LARGEST_DOUBLE), (Fraction(1, 10**800), SMALLEST_POSITIVE_DOUBLE)],
)
def test_root_stays_within_the_positive_doubles(power: Fraction, root: float) -> None:
    """Headroom beyond the doubles ends at the last of them."""
    assert smallest_root_at_least(power, 2) == root


@given(number=st.fractions())
def test_nearest_double_is_correctly_rounded(number: Fraction) -> None:
    """No neighbor is closer."""
    nearest = nearest_double(number)

    assume(nearest != 0)
    error = abs(Fraction(nearest) - number)
    assert all(error <= abs(Fraction(nextafter(nearest, way)) - number) for way in (-inf, inf))


def test_nearest_double_is_finite() -> None:
    """Beyond the doubles it is the last one."""
    assert nearest_double(Fraction(-10) ** 401) == -LARGEST_DOUBLE
