"""The wandb client's filters and orders of runs, in terms of our own filter language.

Names differ (`displayName` is our `name`), a config key may be followed by `.value`, regular expressions are
RE2's, and times have whole seconds. The rest is MongoDB's to both.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from runhue_server.gateway.refusals import NotUnderstood
from runhue_shared.db.run_order import Order
from runhue_shared.filters import (
    EVERY_RUN,
    MAX_DEPTH,
    And,
    Comparison,
    Field,
    Filter,
    InvalidFilter,
    Not,
    Or,
    field_named,
    parse,
)

ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "name": "id",
        "displayName": "name",
        "display_name": "name",
        "state": "state",
        "group": "group",
        "jobType": "job_type",
        "job_type": "job_type",
        "tags": "tags",
        "notes": "notes",
        "host": "host",
        "username": "username",
        "user.username": "username",
        "createdAt": "created_at",
        "created_at": "created_at",
        "heartbeatAt": "heartbeat_at",
        "heartbeat_at": "heartbeat_at",
        "duration": "duration",
    }
)
"""Fields of a run as the client names them, and as we do."""

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "config.": "config.",
        "summary_metrics.": "summary.",
        "summaryMetrics.": "summary.",
        "summary.": "summary.",
    }
)
"""How the names of config and summary keys begin."""

DEFAULT_ORDER = "+created_at"
MAX_ORDERS = 5
UNSORTED = frozenset({"tags"})
VALUE = ".value"
_NEXT_ORDER = re.compile(r"\s*,\s*(?=[+-])")
_FLAGS = re.compile(r"\(\?([ismU]+)\)")
_NAMED_GROUP = re.compile(r"\(\?P?<[A-Za-z_]\w*>")
_HEX = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_LITERAL = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_ESCAPES = {r"\b": r"\y", r"\B": r"\Y", r"\z": r"\Z"}


def refused(error: InvalidFilter) -> NotUnderstood:
    """The answer to a filter or order that says nothing we understand."""
    return NotUnderstood(str(error), field=error.field, limit=error.limit, fix=error.fix)


def run_filter(text: str | None) -> Filter:
    """The tree of a client's filter, a JSON text; None and an empty one are every run.

    Raises:
        InvalidFilter: not JSON, an unknown field or operator, or a bound of `filters.parse` exceeded.
    """
    if text is None or not text.strip():
        return EVERY_RUN
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidFilter("filters", f"not JSON: {error}", 'write it like {"state": "finished"}') from error
    return _in_our_terms(parse(_renamed(document, "filters", 0)))


def run_orders(text: str | None) -> list[Order]:
    """What a list is sorted by, e.g. `-summary_metrics.loss`; further ones may follow after commas.

    Without a sign, or with +, it ascends. Runs without the value come last.

    Raises:
        InvalidFilter: an unknown field, one that has no order, or more than 5.
    """
    parts = _NEXT_ORDER.split((text or "").strip() or DEFAULT_ORDER)
    if len(parts) > MAX_ORDERS:
        raise InvalidFilter("order", f"{len(parts)} fields", "sort by fewer", MAX_ORDERS)
    return [_order(part) for part in parts]


def _order(text: str) -> Order:
    name = text[1:] if text[:1] in ("+", "-") else text
    field = field_named(_our_name(name.strip(), "order"), "order")
    if field.section == "run" and field.name in UNSORTED:
        raise InvalidFilter("order", f"{name!r} has no order", "sort by created_at, config.<key> or another")
    if field.section == "config":
        field = Field("config", _config_names(field.name)[-1])
    return Order(field, text.startswith("-"))


def _our_name(name: str, at: str) -> str:
    for theirs, ours in SECTIONS.items():
        if name.startswith(theirs) and name != theirs:
            return ours + name.removeprefix(theirs)
    if name not in ATTRIBUTES:
        raise InvalidFilter(
            at,
            f"unknown field {name[:100]!r}",
            f"use one of: {', '.join(ATTRIBUTES)}, config.<key>, summary_metrics.<key>",
        )
    return ATTRIBUTES[name]


def _renamed(document: Any, at: str, depth: int) -> Any:  # whatever JSON the client sent
    """The filter with our names; what is no filter stays, for `parse` to refuse."""
    if not isinstance(document, dict) or depth > MAX_DEPTH:
        return document
    parts = [_renamed_part(key, value, at, depth) for key, value in document.items()]
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}


def _renamed_part(key: str, value: Any, at: str, depth: int) -> dict[str, Any]:
    if key in ("$and", "$or", "$nor") and isinstance(value, list):
        return {key: [_renamed(part, at, depth + 1) for part in value]}
    if key == "$not":
        return {key: _renamed(value, at, depth + 1)}
    return {key if key.startswith("$") else _our_name(key, at): value}


def _in_our_terms(parsed: Filter) -> Filter:
    match parsed:
        case Not(inner):
            return Not(_in_our_terms(inner))
        case And(filters):
            return And(tuple(map(_in_our_terms, filters)))
        case Or(filters):
            return Or(tuple(map(_in_our_terms, filters)))
        case Comparison():
            return _comparison(parsed)


def _comparison(leaf: Comparison) -> Filter:
    if leaf.operator == "$regex":
        leaf = Comparison(leaf.field, "$regex", postgres_pattern(str(leaf.operand)))
    if leaf.field.type == "time":
        return _in_whole_seconds(leaf)
    names = _config_names(leaf.field.name) if leaf.field.section == "config" else []
    return _of_any_name(leaf, names) if len(names) > 1 else leaf


def _config_names(key: str) -> list[str]:
    """The keys that `key` may mean: itself, and without the `value` in which clients wrap a config value."""
    if key.endswith(VALUE) and key != VALUE:
        return [key, key.removesuffix(VALUE)]
    return [key, key.replace(f"{VALUE}.", ".", 1)] if f"{VALUE}." in key else [key]


def _of_any_name(leaf: Comparison, names: list[str]) -> Filter:
    """The comparison where one of these names has a value; a missing value is missing under all of them."""
    if leaf.operator == "$in" and isinstance(leaf.operand, tuple) and None in leaf.operand:
        some = tuple(choice for choice in leaf.operand if choice is not None)
        null = _of_any_name(Comparison(leaf.field, "$eq", None), names)
        return Or((null, _of_any_name(Comparison(leaf.field, "$in", some), names)))
    parts = tuple(Comparison(Field("config", name), leaf.operator, leaf.operand) for name in names)
    absent = leaf.operand is None or (leaf.operator == "$exists" and leaf.operand is False)
    return And(parts) if absent else Or(parts)


def _in_whole_seconds(leaf: Comparison) -> Filter:
    """A comparison with a time that has no fraction, as the client reads times: without theirs."""
    moment = leaf.operand
    if isinstance(moment, tuple):
        return Or(tuple(_in_whole_seconds(Comparison(leaf.field, "$eq", choice)) for choice in moment))
    if not isinstance(moment, float) or not moment.is_integer():
        return leaf
    compare: Callable[..., Comparison] = lambda name, value: Comparison(leaf.field, name, value)  # noqa: E731
    match leaf.operator:
        case "$eq":
            return And((compare("$gte", moment), compare("$lt", moment + 1)))
        case "$gt":
            return compare("$gte", moment + 1)
        case "$lte":
            return compare("$lt", moment + 1)
    return leaf


def postgres_pattern(pattern: str) -> str:
    """A regular expression of RE2 in the words of Postgres.

    Flags at its beginning, word boundaries, named groups, `\\Q...\\E` and hexadecimal characters are said as
    Postgres has them, and `.` does not match a newline. What still differs: Postgres also knows lookahead and
    back references, counts repetitions to 255 only, and has neither `\\p{...}` nor flags inside a pattern;
    it refuses what it cannot read.

    Source: RE2's syntax page; PostgreSQL's documentation, 9.7.3.
    """
    found = _FLAGS.match(pattern)
    flags = found[1] if found else ""
    rest = _LITERAL.sub(lambda literal: re.escape(literal[1]), pattern[found.end() if found else 0 :])
    return f"(?{_postgres_flags(flags)}){_translated(rest)}" if rest else ""


def _postgres_flags(flags: str) -> str:
    lines, dot_takes_newline = "m" in flags, "s" in flags
    newline = {(True, True): "w", (True, False): "n", (False, True): "s"}.get((lines, dot_takes_newline), "p")
    return ("i" if "i" in flags else "") + newline


def _translated(pattern: str) -> str:
    parts = []
    place, in_brackets = 0, False
    while place < len(pattern):
        taken, part = _token(pattern, place, in_brackets)
        if part == "[":
            in_brackets = True
            opening = re.compile(r"\[\^?\]?").match(pattern, place)
            taken = part = opening[0] if opening else part
        elif part == "]":
            in_brackets = False
        parts.append(part)
        place += len(taken)
    return "".join(parts)


def _token(pattern: str, place: int, in_brackets: bool) -> tuple[str, str]:
    """(what is there, how Postgres says it)."""
    if hexadecimal := _HEX.match(pattern, place):
        code = int(hexadecimal[1] or hexadecimal[2], 16)
        return hexadecimal[0], re.escape(chr(code)) if 0 < code < 0xD800 else hexadecimal[0]
    if pattern[place] == "\\":
        escape = pattern[place : place + 2]
        return escape, escape if in_brackets else _ESCAPES.get(escape, escape)
    if not in_brackets and (group := _NAMED_GROUP.match(pattern, place)):
        return group[0], "("
    return pattern[place], pattern[place]
