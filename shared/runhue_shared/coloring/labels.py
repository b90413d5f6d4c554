"""What the legend prints for each bucket: made here only, since languages round ties differently (L3).

Source: docs/color.md L1, L2.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

Printer = Callable[[Fraction], str]

MIN_DECIMALS = 4
MAX_FIXED_DECIMALS = 8
MAX_MANTISSA_DECIMALS = 16
FIXED_FROM = Fraction(1, 10_000)
FIXED_BELOW = Fraction(10**9)
MILLISECONDS_BELOW = Fraction(10)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = Fraction(-62_135_596_800)  # 0001-01-01T00:00:00Z
_LAST_SECOND = Fraction(253_402_300_799)  # 9999-12-31T23:59:59Z


def bucket_labels(
    boundaries: Sequence[Fraction], ends: Sequence[Fraction] = (), *, wall_time: bool = False
) -> tuple[str, ...]:
    """Labels of the buckets between exact, ascending boundaries: "Min - b1", "b1 - b2", ..., "bn - Max".

    Args:
        boundaries: shape (n - 1,), at least one, in the key's unit.
        ends: the exact ends of the scale; they are not printed but decide how many decimals are.
        wall_time: print seconds since the epoch as UTC.
    Source: docs/color.md L1; seed 000, "Customize buckets".
    """
    show = _printer([*ends, *boundaries], wall_time)
    shown = [show(boundary) for boundary in boundaries]
    # "-0.5 - -0.2" is hard to read.
    separator = " to " if any(text.startswith("-") for text in shown) else " - "
    return tuple(separator.join(pair) for pair in pairwise(["Min", *shown, "Max"]))


def value_label(value: Fraction, *, wall_time: bool = False) -> str:
    """Label of the only bucket when all values are equal. Source: docs/color.md S14, L2."""
    return _printer([value], wall_time)(value)


def _printer(numbers: Sequence[Fraction], wall_time: bool) -> Printer:
    """How to print these numbers so that neighbors differ: the error is at most 5 % of the smallest gap."""
    largest = max(abs(number) for number in numbers)
    gap = _smallest_gap(numbers) or largest / 100
    if wall_time and all(_FIRST_SECOND <= number < _LAST_SECOND for number in numbers):
        return lambda number: _as_utc(number, gap < MILLISECONDS_BELOW)
    if largest == 0:
        return lambda number: _as_fixed(number, MIN_DECIMALS)
    decimals = _decimals(gap)
    if FIXED_FROM <= largest < FIXED_BELOW and decimals <= MAX_FIXED_DECIMALS:
        return lambda number: _as_fixed(number, decimals)
    digits = min(_decimals(gap / _power_of_ten(_exponent(largest))), MAX_MANTISSA_DECIMALS)
    return lambda number: _as_scientific(number, digits)


def _smallest_gap(numbers: Sequence[Fraction]) -> Fraction | None:
    return min((right - left for left, right in pairwise(sorted(set(numbers)))), default=None)


def _decimals(gap: Fraction) -> int:
    """Smallest d of at least 4 with 10 ** (1 - d) <= gap."""
    return max(MIN_DECIMALS, 1 - _exponent(gap))


def _exponent(number: Fraction) -> int:
    """floor(log10(number)) of a positive rational, exactly."""
    guess = len(str(number.numerator)) - len(str(number.denominator))
    return guess if _power_of_ten(guess) <= number else guess - 1


def _power_of_ten(exponent: int) -> Fraction:
    return Fraction(10) ** exponent


def _as_fixed(number: Fraction, decimals: int) -> str:
    digits = str(_round(abs(number) * 10**decimals)).zfill(decimals + 1)
    sign = "-" if number < 0 and digits.strip("0") else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def _as_scientific(number: Fraction, decimals: int) -> str:
    if number == 0:
        return "0"
    exponent = _exponent(abs(number))
    digits = _round(abs(number) / _power_of_ten(exponent) * 10**decimals)
    if digits == 10 ** (decimals + 1):  # 9.99996 rounds up to the next power of ten
        digits, exponent = digits // 10, exponent + 1
    mantissa = _as_fixed(Fraction(digits, 10**decimals), decimals)
    return f"{'-' if number < 0 else ''}{mantissa}e{exponent:+d}"


def _as_utc(seconds: Fraction, milliseconds: bool) -> str:
    scale = 1000 if milliseconds else 1
    ticks = _round(abs(seconds) * scale) * (-1 if seconds < 0 else 1)
    moment = _EPOCH + timedelta(milliseconds=ticks * (1000 // scale))
    timespec = "milliseconds" if milliseconds else "seconds"
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def _round(number: Fraction) -> int:
    """Nearest integer of a number that is not negative, halves upwards."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)
