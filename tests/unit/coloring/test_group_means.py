"""The exact mean of a group."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.buckets import Domain, bucket_of, linear_thresholds
from runhue_shared.coloring.exact import decimal_value
from runhue_shared.coloring.groups import group_value, group_values

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_mean_is_exact() -> None:
    """0.1, 0.2 and 0.3 have mean 0.2, which float addition misses."""
    assert group_values({"r1": 0.1, "r2": 0.2, "r3": 0.3}, {"r1": "a", "r2": "a", "r3": "a"}) == {"a": 0.2}


def test_huge_members_do_not_overflow() -> None:
    """The sum may be beyond the doubles; the mean never is."""
    assert group_values({"r1": 1.7e308, "r2": 1.7e308}, {"r1": "a", "r2": "a"}) == {"a": 1.7e308}


def test_runs_outside_groups_take_no_part() -> None:
    """And a group without a valued member has no value."""
    assert group_values({"r1": 1.0, "r2": 5.0}, {"r1": "a", "r3": "b"}) == {"a": 1.0}


def test_mean_on_a_boundary_is_in_the_upper_bucket() -> None:
    """A mean of one third in three buckets from 0 to 1 lies exactly on a boundary (S3)."""
    mean = group_value(Fraction(1), 3)

    assert bucket_of(mean, linear_thresholds(Domain(0.0, 1.0), 3)) == 2


def test_total_may_be_a_decimal() -> None:
    """As the database keeps it."""
    assert group_value(Decimal("0.6"), 3) == 0.2


@given(values=st.lists(finite, min_size=1, max_size=8), data=st.data())
def test_mean_does_not_depend_on_order(values: list[float], data: st.DataObject) -> None:
    """Workers may add members as they arrive."""
    shuffled = data.draw(st.permutations(values))

    means = [
        group_value(sum(map(decimal_value, order), Fraction()), len(order)) for order in (values, shuffled)
    ]

    assert means[0] == means[1]
    assert min(values) <= means[0] <= max(values)
