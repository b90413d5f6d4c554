"""Doubles as the decimals people see, and the smallest double on the right side of an exact bound.

A double stands here for the shortest decimal that round-trips it, because that is the number a person
logged and reads back. The map is strictly monotone, so comparing doubles with a threshold made by this
module answers the exact question. Source: docs/color.md S4.
"""

import sys
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from math import inf, nextafter

LARGEST_DOUBLE = sys.float_info.max
SMALLEST_POSITIVE_DOUBLE = nextafter(0.0, 1.0)

_LARGEST_EXACT = Fraction(LARGEST_DOUBLE)
# Only the starting point of a search uses this precision; the search itself is exact.
_GUESS = Context(prec=20, Emax=MAX_EMAX, Emin=MIN_EMIN)


def decimal_value(number: float) -> Fraction:
    """Exact value D(x) of the shortest decimal that round-trips a finite double. Source: docs/color.md S4."""
    return Fraction(Decimal(repr(number)))


def smallest_double_at_least(bound: Fraction) -> float:
    """The smallest finite double t with D(t) >= bound, or the largest double when none is.

    Returns:
        t, never -0.0; for every finite double v, `v >= t` exactly when `D(v) >= bound`.
    Source: docs/color.md S4.
    """
    return _smallest(nearest_double(bound), lambda number: decimal_value(number) >= bound, -LARGEST_DOUBLE)


def smallest_root_at_least(power: Fraction, degree: int) -> float:
    """The smallest positive double t with D(t) ** degree >= power, or the largest double when none is.

    Args:
        power: a positive rational.
        degree: 1 or more.
    Source: docs/color.md "Scales", log.
    """
    ratio = _GUESS.divide(Decimal(power.numerator), Decimal(power.denominator))
    guess = float(_GUESS.power(ratio, _GUESS.divide(Decimal(1), Decimal(degree))))
    return _smallest(guess, lambda number: decimal_value(number) ** degree >= power, SMALLEST_POSITIVE_DOUBLE)


def nearest_double(number: Fraction) -> float:
    """The double nearest to a rational, kept within the finite doubles; never -0.0."""
    if abs(number) >= _LARGEST_EXACT:
        return LARGEST_DOUBLE if number > 0 else -LARGEST_DOUBLE
    return float(number) + 0.0


def _smallest(start: float, reaches: Callable[[float], bool], lowest: float) -> float:
    """The smallest double from `lowest` on that `reaches`, a monotone condition, looking near `start`."""
    number = min(max(start, lowest), LARGEST_DOUBLE)
    while number < LARGEST_DOUBLE and not reaches(number):
        number = nextafter(number, inf)
    while number > lowest and reaches(below := nextafter(number, -inf)):
        number = below
    return number + 0.0  # nextafter can give -0.0
