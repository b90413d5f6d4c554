"""The filter language: Mongo-style JSON to a typed tree, and what the tree means.

`parse()` turns `{"config.lr": {"$lt": 0.1}}` into nested `And`, `Or`, `Not` and
`Comparison`; `$ne`, `$nin` and `$nor` are gone after parsing, so whoever reads a tree
handles six operators. `matches()` is the meaning in Python; `db/filtering.py` says the
same in SQL. As in MongoDB a comparison never matches across types, `$ne` and `$nin` also
match runs without the field, and `null` equals a missing field.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from runhue_shared.events import as_double

MAX_DEPTH = 20
MAX_COMPARISONS = 200
MAX_CHOICES = 1_000
MAX_TEXT = 10_000
MAX_PATTERN = 1_000

Scalar = None | bool | float | str
Operator = Literal["$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$regex", "$exists"]
FieldType = Literal["text", "texts", "time", "number", "any"]

ATTRIBUTES: Mapping[str, FieldType] = MappingProxyType(
    {
        "id": "text",
        "name": "text",
        "state": "text",
        "group": "text",
        "job_type": "text",
        "tags": "texts",
        "notes": "text",
        "created_at": "time",
        "heartbeat_at": "time",
        "duration": "number",
        "host": "text",
        "username": "text",
    }
)
"""Fields of a run that are neither config nor summary, with what they hold. `duration` is seconds."""

NON_FINITE: Mapping[str, float] = MappingProxyType(
    {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
)
"""How numbers are written that JSON has no word for (docs/api.md, Numbers)."""

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
)
_OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$not")


@dataclass(frozen=True, slots=True)
class Field:
    """What a comparison looks at: `section` run (an attribute), config or summary."""

    section: Literal["run", "config", "summary"]
    name: str

    @property
    def type(self) -> FieldType:
        """What the field can hold; config and summary values have any type."""
        return ATTRIBUTES[self.name] if self.section == "run" else "any"

    def __str__(self) -> str:
        return self.name if self.section == "run" else f"{self.section}.{self.name}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of one field. `operand`: a scalar; for `$in` a tuple of scalars; times are Unix seconds."""

    field: Field
    operator: Operator
    operand: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Not:
    filter: "Filter"


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none at all is true of every run."""

    filters: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    filters: tuple["Filter", ...]


Filter = Comparison | Not | And | Or

EVERY_RUN = And(())


class InvalidFilter(ValueError):
    """A filter that says nothing we understand: where (`field`), what holds (`limit`), what to do (`fix`)."""

    def __init__(self, field: str, problem: str, fix: str, limit: int | None = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.limit = limit
        self.fix = fix


def parse_json(text: str) -> Filter:
    """The filter in a JSON text; an empty text is every run.

    Raises:
        InvalidFilter: not JSON, or JSON that `parse` refuses.
    """
    if not text.strip():
        return EVERY_RUN
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidFilter(
            "filter", f"not JSON: {error}", 'write one JSON object, like {"state": "running"}'
        ) from error
    return parse(document)


def parse(document: Any) -> Filter:  # whatever JSON the caller decoded
    """The tree of a decoded filter; `None` and `{}` are every run.

    Raises:
        InvalidFilter: unknown field or operator, an operand of the wrong type, or a bound exceeded
            (depth 20, 200 comparisons, 1,000 choices, 1,000 characters of pattern).
    """
    if document is None:
        return EVERY_RUN
    parsed = _filter(document, "filter", 0)
    count = sum(1 for _ in comparisons(parsed))
    if count > MAX_COMPARISONS:
        raise InvalidFilter(
            "filter",
            f"{count} comparisons",
            "use $in for many values of one field",
            MAX_COMPARISONS,
        )
    return parsed


def comparisons(parsed: Filter) -> Iterator[Comparison]:
    """Every comparison in the tree, from left to right."""
    match parsed:
        case Comparison():
            yield parsed
        case Not(inner):
            yield from comparisons(inner)
        case And(filters) | Or(filters):
            for part in filters:
                yield from comparisons(part)


def _filter(document: Any, at: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise InvalidFilter(at, "nested too deeply", "flatten $and and $or", MAX_DEPTH)
    if not isinstance(document, dict):
        raise InvalidFilter(
            at, f"a filter is a JSON object, got {_kind(document)}", 'write it like {"state": "running"}'
        )
    parts = [_clause(key, value, f"{at}.{key}", depth) for key, value in document.items()]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _clause(key: str, value: Any, at: str, depth: int) -> Filter:
    if key in ("$and", "$or", "$nor"):
        parts = _filters(value, at, depth)
        if key == "$and":
            return And(parts)
        return Or(parts) if key == "$or" else Not(Or(parts))
    if key == "$not":
        return Not(_filter(value, at, depth + 1))
    return _of_field(field_named(key, at), value, at, depth)


def _filters(value: Any, at: str, depth: int) -> tuple[Filter, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidFilter(
            at, f"needs a list of at least one filter, got {_kind(value)}", "list the filters in []"
        )
    return tuple(_filter(part, f"{at}.{index}", depth + 1) for index, part in enumerate(value))


def field_named(name: str, at: str = "filter") -> Field:
    """The field called `name`: an attribute, `config.<key>` or `summary.<key>`.

    Raises:
        InvalidFilter: there is no such field; `at` says where it was asked for.
    """
    for section in ("config", "summary"):
        key = name.removeprefix(f"{section}.")
        if key != name and key:
            return Field("config" if section == "config" else "summary", _text(key, at, MAX_PATTERN))
    if name not in ATTRIBUTES:
        what = "operator" if name.startswith("$") else "field"
        known = ", ".join(
            ("$and, $or, $nor, $not",)
            if what == "operator"
            else (*ATTRIBUTES, "config.<key>", "summary.<key>")
        )
        raise InvalidFilter(at, f"unknown {what} {name[:100]!r}", f"use one of: {known}")
    return Field("run", name)


def _of_field(field: Field, value: Any, at: str, depth: int) -> Filter:
    if not isinstance(value, dict):
        return Comparison(field, "$eq", _operand(field, value, at))
    if depth > MAX_DEPTH:
        raise InvalidFilter(at, "nested too deeply", "flatten $not", MAX_DEPTH)
    if not value:
        raise InvalidFilter(at, "no operator", f"use one of: {', '.join(_OPERATORS)}")
    parts = [_comparison(field, name, operand, f"{at}.{name}", depth) for name, operand in value.items()]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _comparison(field: Field, name: str, operand: Any, at: str, depth: int) -> Filter:
    match name:
        case "$eq" | "$ne":
            equal = Comparison(field, "$eq", _operand(field, operand, at))
            return equal if name == "$eq" else Not(equal)
        case "$in" | "$nin":
            among = Comparison(field, "$in", _choices(field, operand, at))
            return among if name == "$in" else Not(among)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return Comparison(field, name, _ordered(field, operand, at))
        case "$exists":
            return Comparison(field, "$exists", _boolean(operand, at))
        case "$regex":
            return Comparison(field, "$regex", _pattern(field, operand, at))
        case "$not":
            if not isinstance(operand, dict):
                raise InvalidFilter(
                    at, f"needs operators, got {_kind(operand)}", 'write it like {"$not": {"$gt": 1}}'
                )
            return Not(_of_field(field, operand, at, depth + 1))
    nested = "" if name.startswith("$") else "; for a nested key join the names with dots"
    raise InvalidFilter(
        at, f"unknown operator {name[:100]!r}", f"use one of: {', '.join(_OPERATORS)}{nested}"
    )


def _choices(field: Field, operand: Any, at: str) -> tuple[Scalar, ...]:
    if not isinstance(operand, list):
        raise InvalidFilter(at, f"needs a list, got {_kind(operand)}", "list the values in []")
    if len(operand) > MAX_CHOICES:
        raise InvalidFilter(at, f"{len(operand)} values", "split the filter", MAX_CHOICES)
    return tuple(_operand(field, choice, f"{at}.{index}") for index, choice in enumerate(operand))


def _operand(field: Field, value: Any, at: str) -> Scalar:
    """A value to be equal to, typed by the field where that has one type."""
    if value is None:
        return None
    if isinstance(value, list | dict):
        raise InvalidFilter(
            at, f"cannot compare with {_kind(value)}", "compare with a number, text, true, false or null"
        )
    if field.type == "any":
        return _any_scalar(value, at)
    if field.type in ("text", "texts"):
        if not isinstance(value, str):
            raise InvalidFilter(at, f"{field} is text, got {_kind(value)}", "put the value in quotes")
        return _text(value, at, MAX_TEXT)
    return _moment(value, at) if field.type == "time" else _number(field, value, at)


def _any_scalar(value: bool | float | str, at: str) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return NON_FINITE[value] if value in NON_FINITE else _text(value, at, MAX_TEXT)
    return as_double(value)


def _number(field: Field, value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidFilter(at, f"{field} is a number, got {_kind(value)}", "write a number of seconds")
    return as_double(value)


def _moment(value: Any, at: str) -> float:
    """Unix seconds of a number or an RFC 3339 text; a text without an offset is UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_double(value)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidFilter(
            at,
            f"is a time, got {str(value)[:100]!r}",
            "write Unix seconds or RFC 3339, like 2026-01-31T12:00:00Z",
        ) from error


def _ordered(field: Field, value: Any, at: str) -> Scalar:
    operand = _operand(field, value, at)
    if operand is None or isinstance(operand, bool) or operand != operand:
        raise InvalidFilter(at, f"{_kind(operand)} has no order", "compare with a number or text, or use $eq")
    return operand


def _boolean(value: Any, at: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidFilter(at, f"needs true or false, got {_kind(value)}", "write true or false")
    return value


def _pattern(field: Field, value: Any, at: str) -> str:
    if field.type in ("time", "number"):
        raise InvalidFilter(at, f"{field} is no text", "use $gt and $lt")
    if not isinstance(value, str):
        raise InvalidFilter(at, f"needs a regular expression, got {_kind(value)}", "put it in quotes")
    return _text(value, at, MAX_PATTERN)


def _text(value: str, at: str, longest: int) -> str:
    if len(value) > longest:
        raise InvalidFilter(at, f"{len(value)} characters", "shorten it", longest)
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidFilter(
            at, "holds NUL or half a surrogate pair, which no stored text does", "leave it out"
        )
    return value


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"text {value[:100]!r}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
    return f"number {value}"


def matches(parsed: Filter, run: Mapping[str, Any]) -> bool:
    """Whether `run` passes.

    Args:
        run: attributes by name (absent or None: not set; `created_at` Unix seconds), `config` and
            `summary` with dotted keys and JSON-like values; summary keys meet by casefold.
    Raises:
        re.error: a `$regex` that Python cannot read (Postgres reads another dialect).
    """
    match parsed:
        case Comparison():
            return _holds(parsed, _values(parsed.field, run))
        case Not(inner):
            return not matches(inner, run)
        case And(filters):
            return all(matches(part, run) for part in filters)
        case Or(filters):
            return any(matches(part, run) for part in filters)


def _values(field: Field, run: Mapping[str, Any]) -> list[Any]:
    """What a comparison meets: nothing for a missing field, each element of `tags`, else one value."""
    if field.section == "run":
        value = run.get(field.name)
        return list(value or ()) if field.type == "texts" else [] if value is None else [value]
    if field.section == "config":
        return [run["config"][field.name]] if field.name in run["config"] else []
    folded = field.name.casefold()
    return [value for key, value in run["summary"].items() if key.casefold() == folded][-1:]


def _holds(comparison: Comparison, values: list[Any]) -> bool:
    operand = comparison.operand
    match comparison.operator:
        case "$exists":
            return bool(values) is operand
        case "$regex":
            return any(isinstance(value, str) and re.search(str(operand), value) for value in values)
        case "$eq":
            return _equals_any(operand, values)
        case "$in":
            return any(_equals_any(choice, values) for choice in operand)  # type: ignore[union-attr]  # $in holds a tuple
    order = _ORDERS[comparison.operator]
    return any(
        _type_of(value) == _type_of(operand) and order(_comparable(value), operand) for value in values
    )


def _equals_any(operand: Any, values: list[Any]) -> bool:
    if operand is None and not values:
        return True
    return any(_equal(value, operand) for value in values)


def _equal(value: Any, operand: Any) -> bool:
    if _type_of(value) != _type_of(operand) or _type_of(value) == "other":
        return False
    left = _comparable(value)
    return bool(left == operand) or (left != left and operand != operand)


def _comparable(value: Any) -> Any:
    return as_double(value) if _type_of(value) == "number" else value


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "other"
