"""Fewer points of a curve, the same ones each time."""

from collections.abc import Sequence
from typing import TypeVar

Point = TypeVar("Point")


def thinned(curves: Sequence[Sequence[Point]], at_most: int) -> list[list[Point]]:
    """The curves with `at_most` points together, each in proportion to its length.

    First and last point of a curve stay, the others are evenly spread over it; a curve keeps two
    points even where that makes more than `at_most` of them all.
    """
    total = sum(map(len, curves))
    if total <= at_most:
        return [list(curve) for curve in curves]
    return [_spread(curve, max(2, len(curve) * at_most // total)) for curve in curves]


def _spread(curve: Sequence[Point], count: int) -> list[Point]:
    if len(curve) <= count:
        return list(curve)
    last = len(curve) - 1
    return [curve[at * last // (count - 1)] for at in range(count)]
