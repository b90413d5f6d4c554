"""Domains that stay while runs are live, so that finished runs keep their colors."""

from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.buckets import Domain
from runhue_shared.coloring.exact import LARGEST_DOUBLE
from runhue_shared.coloring.stability import stable_domain

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=5e-324, allow_infinity=False)


def domains(numbers: "st.SearchStrategy[float]") -> "st.SearchStrategy[Domain]":
    return st.lists(numbers, min_size=2, max_size=2).map(sorted).map(lambda ends: Domain(ends[0], ends[1]))


def test_first_domain_gets_headroom() -> None:
    """A tenth of the span on each side, in exact decimals."""
    assert stable_domain(None, Domain(0.0, 1.0), live=True) == Domain(-0.1, 1.1)


def test_domain_stays_while_values_fill_it() -> None:
    """Values inside that fill 33 % or more change nothing."""
    held = Domain(0.0, 1.0)

    assert stable_domain(held, Domain(0.33, 0.66), live=True) is held


def test_domain_shrinks_when_values_fill_little_of_it() -> None:
    """Below 33 % the buckets would say too little."""
    assert stable_domain(Domain(0.0, 1.0), Domain(0.33, 0.65), live=True) == Domain(0.298, 0.682)


@pytest.mark.parametrize("current", [Domain(-0.01, 0.9), Domain(0.1, 1.01)])
def test_domain_moves_when_a_value_is_outside(current: Domain) -> None:
    """A value beyond either end gives new ends with headroom."""
    moved = stable_domain(Domain(0.0, 1.0), current, live=True)

    assert moved.low < current.low
    assert moved.high > current.high


def test_domain_is_exact_once_no_run_is_live() -> None:
    """Final colors are those of the live mode."""
    assert stable_domain(Domain(0.0, 1.0), Domain(0.1, 0.9), live=False) == Domain(0.1, 0.9)


@pytest.mark.parametrize("scale", ["quantile", "custom"])
def test_domain_is_exact_where_thresholds_do_not_follow_it(scale: str) -> None:
    """Quantile and custom thresholds ignore the ends, so the ends shown are the true ones."""
    current = Domain(0.1, 0.9)

    assert stable_domain(Domain(0.0, 1.0), current, live=True, scale=scale) is current  # type: ignore[arg-type]  # from the list above


def test_equal_values_have_no_headroom() -> None:
    """A single value stays a single bucket."""
    assert stable_domain(None, Domain(2.0, 2.0), live=True) == Domain(2.0, 2.0)


def test_log_headroom_is_a_ratio() -> None:
    """Ten decades of values get one more on each side, and never reach zero."""
    assert stable_domain(None, Domain(1e-5, 1e5), live=True, scale="log") == Domain(1e-6, 1e6)


def test_log_domain_is_filled_by_ratio() -> None:
    """Three of nine decades are a third: enough; two are not."""
    held = Domain(1.0, 1e9)

    assert stable_domain(held, Domain(1e3, 1e6), live=True, scale="log") is held
    assert stable_domain(held, Domain(1e3, 1e5), live=True, scale="log") != held


def test_headroom_ends_with_the_doubles() -> None:
    """The widest range has no room left."""
    widest = Domain(-float_info.max, float_info.max)

    assert stable_domain(None, widest, live=True) == Domain(-LARGEST_DOUBLE, LARGEST_DOUBLE)


@given(previous=domains(finite), current=domains(finite))
def test_stable_domain_holds_all_values_and_stays(previous: Domain, current: Domain) -> None:
    """The domain covers the values, and asking again with the same values keeps it."""
    domain = stable_domain(previous, current, live=True)

    assert domain.low <= current.low <= current.high <= domain.high
    assert stable_domain(domain, current, live=True) == domain


@given(previous=domains(positive), current=domains(positive))
def test_stable_log_domain_holds_all_values_and_stays(previous: Domain, current: Domain) -> None:
    """The same on a log scale."""
    domain = stable_domain(previous, current, live=True, scale="log")

    assert 0 < domain.low <= current.low <= current.high <= domain.high
    assert stable_domain(domain, current, live=True, scale="log") == domain
