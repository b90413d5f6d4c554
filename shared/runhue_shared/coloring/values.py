"""The one value that stands for a run, or the reason why it has none.

Source: docs/color.md S5 to S11.
"""

import re
from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Final, Literal

from msgspec import Struct

from runhue_shared.coloring.settings import KeyType, YValue

Reason = Literal["missing", "null", "non_finite", "type_mismatch", "non_positive", "not_in_population"]
RunValue = float | str | bool

# Ties go to the first. Source: docs/color.md S8.
KEY_TYPES: Final[tuple[KeyType, ...]] = ("number", "string", "bool")
# Some logging clients write these three as strings. Source: docs/color.md S6.
_NON_FINITE_STRINGS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class NumberStats(Struct, frozen=True):
    """A run's numbers for a key: the last one, perhaps not finite, and the extremes of the finite ones."""

    latest: float
    low: float | None = None
    high: float | None = None


class BoolStats(Struct, frozen=True):
    """The booleans a run has for a key; false is less than true."""

    latest: bool
    low: bool
    high: bool


class RunStats(Struct, frozen=True):
    """What is known of one run and one key, split by type; None where the run has no value of that type.

    `has_null` and `has_other` (lists, objects, media) tell why nothing of the wanted type is there.
    """

    number: NumberStats | None = None
    string: str | None = None
    boolean: BoolStats | None = None
    has_null: bool = False
    has_other: bool = False


class Representative(Struct, frozen=True):
    """A run's value for the coloring, or the reason why there is none; exactly one of the two is set."""

    value: RunValue | None = None
    reason: Reason | None = None


NO_STATS: Final = RunStats()


def stats_of_value(value: object) -> RunStats:
    """Stats of a single value: a config entry, or a summary entry that has no history.

    Integers become the nearest double (too large: infinite) and -0.0 becomes 0.0; "NaN", "Infinity" and
    "-Infinity" are numbers. Source: docs/color.md S4, S5, S6, S8, S10.
    """
    if value is None:
        return RunStats(has_null=True)
    if isinstance(value, bool):
        return RunStats(boolean=BoolStats(value, value, value))
    number = _as_number(value)
    if number is not None:
        finite = number if isfinite(number) else None
        return RunStats(number=NumberStats(number, finite, finite))
    return RunStats(string=value) if isinstance(value, str) else RunStats(has_other=True)


def stats_of_points(values: Iterable[object]) -> RunStats:
    """Stats of a metric's values in step order, one per step. Source: docs/color.md S5."""
    stats = NO_STATS
    for value in values:
        stats = followed_by(stats, stats_of_value(value))
    return stats


def followed_by(earlier: RunStats, later: RunStats) -> RunStats:
    """Stats of two stretches of one history; every step of `later` comes after all of `earlier`."""
    return RunStats(
        number=_join_numbers(earlier.number, later.number),
        string=earlier.string if later.string is None else later.string,
        boolean=_join_bools(earlier.boolean, later.boolean),
        has_null=earlier.has_null or later.has_null,
        has_other=earlier.has_other or later.has_other,
    )


def with_numeric_strings(stats: RunStats) -> RunStats:
    """The stats with a JSON number in a string read as a number: `coerce_numeric_strings`, for config keys.

    "+1", ".5", "0x10" and " 1 " are not JSON numbers. Source: docs/color.md S10.
    """
    if stats.string is None or not _JSON_NUMBER.fullmatch(stats.string):
        return stats
    return stats_of_value(float(stats.string))


def resolved_type(counts: Mapping[KeyType, int]) -> KeyType | None:
    """The type that most runs have, ties in the order number, string, bool; None when no run has the key.

    Source: docs/color.md S8.
    """
    best = max(KEY_TYPES, key=lambda key_type: counts.get(key_type, 0))
    return best if counts.get(best, 0) else None


def types_of(stats: RunStats) -> tuple[KeyType, ...]:
    """The selectable types a run has for the key."""
    present = (stats.number, stats.string, stats.boolean)
    return tuple(key_type for key_type, part in zip(KEY_TYPES, present, strict=True) if part is not None)


def representative(stats: RunStats, key_type: KeyType | None, y: YValue = "latest") -> Representative:
    """The value of `key_type` that stands for a run under the Y value, or the reason why there is none.

    Strings have a latest value only, whatever Y says. Source: docs/color.md S5, S6, S8, S10, S11, S12, S13.
    """
    value: RunValue | None = None
    if key_type == "number" and stats.number is not None:
        return _finite(_at(stats.number, y))
    if key_type == "bool" and stats.boolean is not None:
        value = _at(stats.boolean, y)
    elif key_type == "string":
        value = stats.string
    return Representative(reason=_absence(stats)) if value is None else Representative(value)


def positive_only(found: Representative) -> Representative:
    """The representative on a log scale, which has no place for zero and below. Source: docs/color.md S11."""
    if isinstance(found.value, float) and found.value <= 0:
        return Representative(reason="non_positive")
    return found


def _at(stats: NumberStats | BoolStats, y: YValue) -> float | None:
    return {"latest": stats.latest, "max": stats.high, "min": stats.low}[y]


def _finite(number: float | None) -> Representative:
    if number is None or not isfinite(number):
        return Representative(reason="non_finite")
    return Representative(number)


def _absence(stats: RunStats) -> Reason:
    if types_of(stats) or stats.has_other:
        return "type_mismatch"
    return "null" if stats.has_null else "missing"


def _as_number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if value in _NON_FINITE_STRINGS else None
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value) + 0.0  # -0.0 becomes 0.0
    except OverflowError:
        return inf if value > 0 else -inf


def _join_numbers(earlier: NumberStats | None, later: NumberStats | None) -> NumberStats | None:
    if earlier is None or later is None:
        return earlier or later
    lows = [low for low in (earlier.low, later.low) if low is not None]
    highs = [high for high in (earlier.high, later.high) if high is not None]
    return NumberStats(later.latest, min(lows, default=None), max(highs, default=None))


def _join_bools(earlier: BoolStats | None, later: BoolStats | None) -> BoolStats | None:
    if earlier is None or later is None:
        return earlier or later
    return BoolStats(later.latest, earlier.low and later.low, earlier.high or later.high)
