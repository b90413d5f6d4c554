"""Filters and orders of artifact collections as SQL: MongoDB's operators over the fields that they have."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from psycopg import sql

MAX_DEPTH = 16

_FIELDS = {
    "name": sql.SQL("c.name"),
    "description": sql.SQL("coalesce(c.description, '')"),
    "type": sql.SQL("y.name"),
    "createdAt": sql.SQL("c.created_at"),
    "created_at": sql.SQL("c.created_at"),
    "updatedAt": sql.SQL("c.updated_at"),
    "updated_at": sql.SQL("c.updated_at"),
    "id": sql.SQL("c.id"),
}
_TAGS = frozenset({"tag", "tags"})
_TIMES = frozenset({"createdAt", "created_at", "updatedAt", "updated_at"})
_COMPARED = {
    "$eq": sql.SQL("="),
    "$ne": sql.SQL("<>"),
    "$gt": sql.SQL(">"),
    "$gte": sql.SQL(">="),
    "$lt": sql.SQL("<"),
    "$lte": sql.SQL("<="),
}
_JOINED = {"$and": sql.SQL(" AND "), "$or": sql.SQL(" OR "), "$nor": sql.SQL(" OR ")}


class UnknownFilter(ValueError):
    """A filter or an order says what collections cannot be asked for; the message names it."""


class Test(NamedTuple):
    """A condition on `artifact_collection c` of `artifact_type y`, with its parameters in order."""

    condition: sql.Composable
    params: list[Any]


class CollectionOrder(NamedTuple):
    """What a list is sorted by; equal ones by their ids, in the same direction."""

    field: str
    descending: bool


EVERY = Test(sql.SQL("true"), [])
NEWEST = CollectionOrder("id", descending=True)


def order(text: str | None) -> CollectionOrder:
    """The order that `name`, `+name` or `-createdAt` means; None is the newest first.

    Raises:
        UnknownFilter: collections have no such field.
    """
    if not text:
        return NEWEST
    name = text.lstrip("+-")
    if name not in _FIELDS:
        raise UnknownFilter(f"collections cannot be sorted by {name!r}, only by {', '.join(_FIELDS)}")
    return CollectionOrder(name, text.startswith("-"))


def sorted_by(wanted: CollectionOrder) -> sql.Composable:
    """The expression that a list in that order is sorted by."""
    return _FIELDS[wanted.field]


def passing(given: Mapping[str, Any], depth: int = 0) -> Test:
    """The condition that a filter is.

    Raises:
        UnknownFilter: it has a field or an operator that is none here, or it is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise UnknownFilter(f"the filter is nested more than {MAX_DEPTH} deep")
    return _all([_entry(name, value, depth) for name, value in given.items()])


def _entry(name: str, value: Any, depth: int) -> Test:
    if name in _JOINED:
        parts = value if isinstance(value, list) else [value]
        tests = [passing(part, depth + 1) for part in parts if isinstance(part, Mapping)]
        joined = _joined(tests, _JOINED[name])
        return _not(joined) if name == "$nor" else joined
    if name not in _FIELDS and name not in _TAGS:
        raise UnknownFilter(f"collections have no field {name!r}, only {', '.join([*_FIELDS, 'tags'])}")
    operators = value if isinstance(value, Mapping) else {"$eq": value}
    return _all([_comparison(name, operator, wanted, depth) for operator, wanted in operators.items()])


def _comparison(name: str, operator: str, wanted: Any, depth: int) -> Test:
    if operator == "$not":
        return _not(_entry(name, wanted, depth + 1))
    if operator == "$nin":
        return _not(_comparison(name, "$in", wanted, depth))
    if operator == "$exists":
        return EVERY if wanted else _not(EVERY)
    if name in _TAGS:
        return _tagged(operator, wanted)
    if operator in _COMPARED:
        cast = sql.SQL("%s::timestamptz") if name in _TIMES else sql.SQL("%s")
        return Test(sql.SQL("{} {} {}").format(_FIELDS[name], _COMPARED[operator], cast), [wanted])
    return _text(_FIELDS[name], operator, wanted)


def _text(field: sql.Composable, operator: str, wanted: Any) -> Test:
    forms: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
        "$in": ("{}::text = ANY(%s)", lambda value: [str(item) for item in value]),
        "$regex": ("{}::text ~ %s", str),
        "$contains": ("position(%s IN {}::text) > 0", str),
    }
    if operator not in forms:
        raise UnknownFilter(f"collections cannot be compared by {operator!r}")
    form, prepared = forms[operator]
    return Test(sql.SQL(form).format(field), [prepared(wanted)])


def _tagged(operator: str, wanted: Any) -> Test:
    if operator == "$ne":
        return _not(_tagged("$eq", wanted))
    if operator == "$in":
        return Test(sql.SQL("c.tags && %s::text[]"), [[str(item) for item in wanted]])
    if operator == "$regex":
        return Test(sql.SQL("EXISTS (SELECT 1 FROM unnest(c.tags) g WHERE g ~ %s)"), [str(wanted)])
    if operator not in ("$eq", "$contains"):
        raise UnknownFilter(f"tags cannot be compared by {operator!r}")
    return Test(sql.SQL("%s = ANY(c.tags)"), [str(wanted)])


def _all(tests: list[Test]) -> Test:
    return _joined(tests, _JOINED["$and"])


def _joined(tests: list[Test], word: sql.SQL) -> Test:
    if not tests:
        return EVERY
    condition = sql.SQL("({})").format(word.join([one.condition for one in tests]))
    return Test(condition, [value for one in tests for value in one.params])


def _not(one: Test) -> Test:
    return Test(sql.SQL("NOT ({})").format(one.condition), one.params)
