"""Which type a logged value has. Source: docs/color.md S6, S8."""

import json
import math
from typing import Any, Final

NUMBER: Final = "number"
STRING: Final = "string"
BOOL: Final = "bool"
NULL: Final = "null"
OTHER: Final = "other"
NUMBER_CODE: Final = 0
PLAIN_TYPES: Final = frozenset({NUMBER, STRING, BOOL, NULL, OTHER})
NON_FINITE_STRINGS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MAX_TYPE_LENGTH: Final = 100


def value_type(value: Any) -> str:  # a logged value can be anything
    """number, string, bool, null, other, or the `_type` of a media dict.

    The strings "NaN", "Infinity" and "-Infinity" are numbers. A `_type` that is no short text or is one of
    our own names makes no media value: the dict is `other`.
    """
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return NUMBER if value in NON_FINITE_STRINGS else STRING
    return _media_type(value) if isinstance(value, dict) else OTHER


def _media_type(value: dict[Any, Any]) -> str:
    name = value.get("_type")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_TYPE_LENGTH:
        return OTHER
    return OTHER if name in PLAIN_TYPES or "\0" in name else name


def is_json(value: Any, max_depth: int) -> bool:  # a logged value can be anything
    """Whether `value` is made of JSON's parts alone, nested at most `max_depth` deep."""
    level = [value]
    for _ in range(max_depth + 1):
        below: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                if not all(isinstance(key, str) for key in part):
                    return False
                below.extend(part.values())
            elif isinstance(part, list | tuple):
                below.extend(part)
            elif part is not None and not isinstance(part, str | int | float | bool):
                return False
        if not below:
            return True
        level = below
    return False


def json_text(value: Any) -> str:  # a logged value can be anything
    """JSON in one line, with NaN and Infinity tokens; NUL characters are escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def stat_number(value: float) -> float:
    """The number as statistics hold it: 0.0 for -0.0 (docs/color.md S4)."""
    return value + 0.0
