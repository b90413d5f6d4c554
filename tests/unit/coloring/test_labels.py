"""What the legend prints: L1 and L2."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.buckets import Domain, numeric_scale
from runhue_shared.coloring.exact import decimal_value
from runhue_shared.coloring.labels import bucket_labels, value_label
from runhue_shared.coloring.settings import ColorSettings


def exact(*numbers: str) -> list[Fraction]:
    return [Fraction(number) for number in numbers]


def labels_of(low: float, high: float, n: int) -> tuple[str, ...]:
    scale = numeric_scale(Domain(low, high), ColorSettings(buckets=n))
    assert scale is not None
    return bucket_labels(scale.boundaries, scale.ends)


def test_documented_labels() -> None:
    """The six lines of the documented example, to the letter (seed 000)."""
    assert labels_of(0.49665, 0.99543, 6) == (
        "Min - 0.5798",
        "0.5798 - 0.6629",
        "0.6629 - 0.7460",
        "0.7460 - 0.8292",
        "0.8292 - 0.9123",
        "0.9123 - Max",
    )


def test_second_documented_labels() -> None:
    """The six lines of the other documented example (seed 001)."""
    assert labels_of(0.7434, 0.8604, 6) == (
        "Min - 0.7629",
        "0.7629 - 0.7824",
        "0.7824 - 0.8019",
        "0.8019 - 0.8214",
        "0.8214 - 0.8409",
        "0.8409 - Max",
    )


@pytest.mark.parametrize(
    ("boundary", "printed"),
    [
        ("0.03125", "0.0313"),
        ("2.00005", "2.0001"),
        ("-0.03125", "-0.0313"),
        ("0.00004999", "0.0000"),
        ("-0.00004999", "0.0000"),
        ("98.66665", "98.6667"),
    ],
)
def test_ties_round_away_from_zero(boundary: str, printed: str) -> None:
    """Languages disagree here, so the rule is fixed; a rounded zero has no sign."""
    labels = bucket_labels(exact(boundary), exact("-100", "100"))

    assert labels[1].startswith(f"{printed} ")


def test_negative_numbers_are_separated_by_a_word() -> None:
    """Minus signs and dashes do not meet, in any line of the legend."""
    assert labels_of(-1.0, 1.0, 4) == (
        "Min to -0.5000",
        "-0.5000 to 0.0000",
        "0.0000 to 0.5000",
        "0.5000 to Max",
    )


def test_negative_minimum_that_is_not_printed_needs_no_word() -> None:
    """Only printed numbers count."""
    assert labels_of(-1.0, 3.0, 2) == ("Min - 1.0000", "1.0000 - Max")


@pytest.mark.parametrize(
    ("low", "high", "n", "second"),
    [
        (0.5, 0.508, 8, "0.5010 - 0.5020"),
        (0.5, 0.504, 8, "0.50050 - 0.50100"),
        (0.99, 0.990008, 8, "0.9900010 - 0.9900020"),
        (0.99, 0.9900008, 8, "0.99000010 - 0.99000020"),
        (0.99, 0.99000008, 8, "9.90000010e-1 - 9.90000020e-1"),
        (1e-6, 4e-6, 4, "1.7500e-6 - 2.5000e-6"),
        (0.0, 4e-6, 4, "1.0000e-6 - 2.0000e-6"),
        (0.0, 4e9, 4, "1.0000e+9 - 2.0000e+9"),
        (16.0, 512.0, 4, "140.0000 - 264.0000"),
        (0.0, 9.99e8, 2, "499500000.0000 - Max"),
    ],
)
def test_decimals_follow_the_smallest_gap(low: float, high: float, n: int, second: str) -> None:
    """At least four decimals, as many as keep the error within 5 % of a bucket, else scientific."""
    assert labels_of(low, high, n)[1] == second


def test_large_numbers_are_scientific() -> None:
    """Exponents have a sign and no padding."""
    labels = bucket_labels(exact("9007199254740993"), exact("0", "1e16"))

    assert labels == ("Min - 9.0072e+15", "9.0072e+15 - Max")


def test_zero_among_large_numbers_is_plain() -> None:
    """Zero has no exponent."""
    assert bucket_labels(exact("0"), exact("-1e12", "1e12")) == ("Min - 0", "0 - Max")


def test_mantissa_that_rounds_up_to_ten_moves_the_exponent() -> None:
    """9.99996e-6 prints as 1.0000e-5."""
    assert bucket_labels(exact("0.00000999996"), exact("0", "0.00002"))[1] == "1.0000e-5 - Max"


def test_mantissa_has_at_most_sixteen_decimals() -> None:
    """Two adjacent doubles still have a label, if not a telling one."""
    assert labels_of(1.0, 1.0000000000000002, 2) == (
        "Min - 1.0000000000000001e+0",
        "1.0000000000000001e+0 - Max",
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0.0000"),
        (42.0, "42.0000"),
        (-3.5, "-3.5000"),
        (0.001, "0.001000"),
        (0.0001, "0.0001000"),
        (0.00001, "1.0000e-5"),
        (1e9, "1.0000e+9"),
        (5e-324, "5.0000e-324"),
    ],
)
def test_single_value_is_its_label(value: float, printed: str) -> None:
    """When all runs agree, the label is the value (S14)."""
    assert value_label(decimal_value(value)) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        ("1763721613", "2025-11-21T10:40:13Z"),
        ("1763721612.5", "2025-11-21T10:40:13Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("-1", "1969-12-31T23:59:59Z"),
    ],
)
def test_wall_time_is_utc(seconds: str, printed: str) -> None:
    """Seconds since the epoch are printed as a date and a time."""
    assert (
        bucket_labels(exact(seconds), exact("-3600", "1800000000"), wall_time=True)[0] == f"Min - {printed}"
    )


def test_close_wall_times_have_milliseconds() -> None:
    """Runs that started within seconds of each other are told apart."""
    labels = bucket_labels(exact("1763721613.0005"), exact("1763721610", "1763721616"), wall_time=True)

    assert labels[0] == "Min - 2025-11-21T10:40:13.001Z"


def test_wall_time_beyond_the_calendar_is_a_number() -> None:
    """A wrong clock does not break the legend."""
    assert value_label(Fraction(10) ** 15, wall_time=True) == "1.0000e+15"


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2, unique=True).map(
        sorted
    ),
    st.integers(2, 8),
)
def test_every_bucket_of_every_range_has_a_label(ends: list[float], n: int) -> None:
    """One line per bucket, from Min to Max, each line beginning where the one before ends."""
    labels = labels_of(ends[0], ends[1], n)

    separator = " to " if " to " in labels[0] else " - "
    parts = [label.split(separator) for label in labels]
    assert len(labels) == n
    assert (parts[0][0], parts[-1][1]) == ("Min", "Max")
    assert [left[1] for left in parts[:-1]] == [right[0] for right in parts[1:]]


@given(st.lists(st.decimals(-999, 999, places=3), min_size=1, max_size=7, unique=True))
def test_labels_read_back_within_a_twentieth_of_a_bucket(boundaries: list[Fraction]) -> None:
    """The printed number is at most 5 % of the smallest gap away from the exact one."""
    numbers = sorted(Fraction(boundary) for boundary in boundaries)
    gap = min((b - a for a, b in pairwise(numbers)), default=abs(numbers[0]) / 100)

    printed = [label.replace(" to ", " - ").split(" - ")[0] for label in bucket_labels(numbers)[1:]]

    assert all(
        abs(Fraction(text) - number) <= gap / 20 for text, number in zip(printed, numbers, strict=True)
    )
