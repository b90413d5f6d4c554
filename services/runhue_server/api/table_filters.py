"""The filter of a table: a JSON list of conditions that all must hold.

A condition is `{"column", "op", "value"}`, `{"any": [...]}`, `{"all": [...]}` or `{"not": ...}`. A cell
that is null meets no condition but `is_null`, `!=` and `not`; `!=` is the opposite of `=`, for NaN too.
"""

import json
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runhue_server.api.table_columns import Column, ColumnType, StoredTable
from runhue_server.api.table_comparisons import Number, compared, equal_to_any, ordered
from runhue_server.web.problems import Invalid

MAX_TEXT = 100_000
MAX_DEPTH = 8
MAX_CONDITIONS = 100
MAX_CHOICES = 1_000
MAX_PATTERN = 1_000

FIELD = "filter"

Mask = Callable[[StoredTable, int], NDArray[np.bool_]]
"""Which rows of a group of a table pass, shape (rows of the group,)."""

Test = Callable[[pa.Array], pa.Array]
"""Which cells pass; null where that is not known."""

_ORDERS: Final = ("<", "<=", ">", ">=")
_EQUALITY: Final = ("=", "!=", "in")
_TEXTS: Final = ("contains", "matches")

OPERATORS: Final[dict[ColumnType, tuple[str, ...]]] = {
    "number": (*_EQUALITY, *_ORDERS, "is_null"),
    "string": (*_EQUALITY, *_ORDERS, *_TEXTS, "is_null"),
    "bool": (*_EQUALITY, "is_null"),
    "media": ("contains", "is_null"),
    "other": ("contains", "is_null"),
}
"""What can be asked of a column, by its type. `contains` looks into the JSON text of media and other."""

_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class InvalidTableFilter(Invalid):
    """A filter that says nothing of this table."""

    code = "invalid_filter"

    def __init__(self, problem: str, fix: str, limit: int | None = None) -> None:
        super().__init__(f"{FIELD}: {problem}", field=FIELD, fix=fix, limit=limit)


def filter_of(table: StoredTable, text: str | None) -> Mask | None:
    """The filter in a JSON text; None when it passes every row.

    Raises:
        InvalidTableFilter: no JSON of that form, a value of another type than the column's, or a bound
            exceeded: 100 conditions, 8 levels, 1,000 choices, 1,000 characters of pattern.
        ColumnUnknown: the table has no such column.
    """
    if text is None or not text.strip():
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidTableFilter(f"not JSON: {error}", _EXAMPLE) from None
    if isinstance(found, dict):
        found = [found]
    reading = _Reading(table)
    masks = reading.masks(found, 0)
    return _all(masks) if masks else None


_EXAMPLE: Final = 'write it like [{"column": "score", "op": ">=", "value": 0.5}]'


class _Reading:
    """Reads conditions, and counts them."""

    def __init__(self, table: StoredTable) -> None:
        self._table = table
        self._count = 0

    def masks(self, conditions: Any, depth: int) -> list[Mask]:  # decoded JSON
        if not isinstance(conditions, list):
            raise InvalidTableFilter(f"no list of conditions: {str(conditions)[:100]}", _EXAMPLE)
        return [self.mask(condition, depth + 1) for condition in conditions]

    def mask(self, condition: Any, depth: int) -> Mask:  # decoded JSON
        self._count += 1
        if self._count > MAX_CONDITIONS or depth > MAX_DEPTH:
            raise InvalidTableFilter(
                f"more than {MAX_CONDITIONS} conditions, or nested deeper than {MAX_DEPTH}",
                "ask for less",
                MAX_CONDITIONS,
            )
        if not isinstance(condition, dict):
            raise InvalidTableFilter(f"no condition: {str(condition)[:100]}", _EXAMPLE)
        match [*condition.items()]:
            case [("any", conditions)]:
                return _any(self.masks(conditions, depth))
            case [("all", conditions)]:
                return _all(self.masks(conditions, depth))
            case [("not", inner)]:
                return _not(self.mask(inner, depth + 1))
        return self._leaf(condition)

    def _leaf(self, condition: dict[str, Any]) -> Mask:
        unknown = set(condition) - {"column", "op", "value", "ignore_case"}
        if unknown or not {"column", "op"} <= set(condition):
            raise InvalidTableFilter(f"no condition: {json.dumps(condition)[:100]}", _EXAMPLE)
        column = self._table.column(str(condition["column"]), FIELD)
        ignore_case = condition.get("ignore_case", False)
        test = asked_test(column, condition["op"], condition.get("value"), ignore_case)

        def mask(table: StoredTable, group: int) -> NDArray[np.bool_]:
            return _passing(test(table.cells(column, group)))

        return _not(mask) if condition["op"] == "!=" else mask


def _passing(found: pa.Array) -> NDArray[np.bool_]:
    passing: NDArray[np.bool_] = pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False)
    return passing


def _not(mask: Mask) -> Mask:
    return lambda table, group: ~mask(table, group)


def _any(masks: Sequence[Mask]) -> Mask:
    def passing(table: StoredTable, group: int) -> NDArray[np.bool_]:
        found = np.zeros(len(table.group_rows(group)), dtype=np.bool_)
        for mask in masks:
            found |= mask(table, group)
        return found

    return passing


def _all(masks: Sequence[Mask]) -> Mask:
    def passing(table: StoredTable, group: int) -> NDArray[np.bool_]:
        found = np.ones(len(table.group_rows(group)), dtype=np.bool_)
        for mask in masks:
            found &= mask(table, group)
        return found

    return passing


def asked_test(column: Column, op: Any, value: Any, ignore_case: Any) -> Test:  # decoded JSON
    """What the condition asks of cells; of `!=` what `=` does.

    Raises:
        InvalidTableFilter: the operator is not for the column's type, or the value not for both.
    """
    allowed = OPERATORS[column.type]
    if op not in allowed:
        raise InvalidTableFilter(
            f"{str(op)[:50]!r} cannot be asked of {column.name!r}, which is of type {column.type}",
            f"use one of {', '.join(allowed)}",
        )
    if not isinstance(ignore_case, bool):
        raise InvalidTableFilter("ignore_case is no bool", "write true or false")
    if op == "is_null":
        return _null_test(value)
    if op in _TEXTS:
        return _text_test(op, value, ignore_case)
    if op == "in":
        return _choice_test(column, value)
    operand = _operand(column, value)
    return _equal_test(column, [operand]) if op in _EQUALITY else _order_test(column, op, operand)


def _null_test(value: Any) -> Test:  # decoded JSON
    if value not in (None, True, False):
        raise InvalidTableFilter(f"is_null takes true or false, not {str(value)[:50]!r}", "leave value out")
    return lambda cells: pc.is_valid(cells) if value is False else pc.is_null(cells)


def _text_test(op: str, value: Any, ignore_case: bool) -> Test:  # decoded JSON
    if not isinstance(value, str) or len(value) > MAX_PATTERN:
        raise InvalidTableFilter(
            f"{op} takes a text of at most {MAX_PATTERN} characters", "shorten it", MAX_PATTERN
        )
    _check_unicode(value)
    if op == "contains":
        return lambda cells: pc.match_substring(cells, value, ignore_case=ignore_case)
    try:
        pc.match_substring_regex(pa.array([""]), value, ignore_case=ignore_case)
    except pa.ArrowInvalid as error:
        raise InvalidTableFilter(f"no regular expression: {error}", "see the syntax of RE2") from None
    return lambda cells: pc.match_substring_regex(cells, value, ignore_case=ignore_case)


def _choice_test(column: Column, value: Any) -> Test:  # decoded JSON
    if not isinstance(value, list) or len(value) > MAX_CHOICES:
        raise InvalidTableFilter(
            f"in takes a list of at most {MAX_CHOICES} values", "ask for fewer", MAX_CHOICES
        )
    equal = _equal_test(column, [_operand(column, one) for one in value if one is not None])
    if None not in value:
        return equal
    return lambda cells: pc.or_(pc.fill_null(equal(cells), fill_value=False), pc.is_null(cells))


def _equal_test(column: Column, operands: Collection[Any]) -> Test:
    if column.type == "number":
        numbers = list(operands)
        return lambda cells: equal_to_any(cells, numbers)
    choices = pa.array(list(operands), column.arrow)
    return lambda cells: pc.is_in(cells, value_set=choices)


def _order_test(column: Column, op: str, operand: Any) -> Test:  # a number or a text
    if column.type == "number":
        return lambda cells: compared(cells, op, operand)
    # UTF-8 sorts as code points do, and so does Python.
    return lambda cells: ordered(cells, op, pa.scalar(operand, pa.string()))


def _operand(column: Column, value: Any) -> Number | str | bool:  # decoded JSON
    """The value, when cells of the column can be compared with it."""
    if column.type == "number":
        value = _WORDS.get(value, value) if isinstance(value, str) else value
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, bool if column.type == "bool" else str)
    if not fits:
        raise InvalidTableFilter(
            f"{column.name!r} is of type {column.type} and cannot be compared with {json.dumps(value)[:100]}",
            f"give a {column.type}; for nothing, use is_null",
        )
    if isinstance(value, str):
        _check_unicode(value)
    found: Number | str | bool = value
    return found


def _check_unicode(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidTableFilter("a text holds half a surrogate pair", "send whole characters") from None
