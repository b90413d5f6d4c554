"""Placeholders of presets, in wandb's spelling: `${field:x}`, `${string:title}`.

A field is a column of the chart's table, a string a text of the chart. Ours is `${run:name}`: the column that
says of which run a row is. `${history-table...}` and its like name where wandb's page gets the rows from;
here they stand for the chart's rows.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from runhue_shared.charts.walking import parts_of

SOURCES = ("wandb", "runhue")
"""Names under which a spec asks for the chart's rows."""

_PLACEHOLDER = re.compile(r"\$\{([a-zA-Z-]{1,40})(?::([^:{}]{0,200}))?(?::([^{}]{0,1000}))?\}")
_TEXTS = frozenset({"title", "text", "subtitle", "description", "name", "as"})
"""Members whose strings are shown as they are; elsewhere a name stands for a field."""

_GONE = object()
"""What is left of a part whose placeholder says nothing."""


class Asked(NamedTuple):
    """What a preset asks for, in the order of its spec."""

    fields: tuple[str, ...]
    strings: tuple[str, ...]


class Filling(NamedTuple):
    """What placeholders stand for: columns by field, texts by string, columns by what they say of the run."""

    fields: Mapping[str, str]
    strings: Mapping[str, str]
    run: Mapping[str, str]


def asked(spec: Any) -> Asked:  # JSON
    """The fields and strings that a spec asks for."""
    found: dict[str, dict[str, None]] = {"field": {}, "string": {}}
    for _, part in parts_of(spec):
        for match in _PLACEHOLDER.finditer(part) if isinstance(part, str) else ():
            if match[1] in found and match[2]:
                found[match[1]][match[2]] = None
    return Asked(tuple(found["field"]), tuple(found["string"]))


def with_names(spec: Any) -> Any:  # JSON
    """The spec with each placeholder filled with its own name, to be checked."""
    names = asked(spec)
    fields = {name: name for name in names.fields}
    return filled(spec, Filling(fields, {name: name for name in names.strings}, {"name": "run", "id": "run"}))


def filled(spec: Any, filling: Filling) -> Any:  # JSON
    """The spec with its placeholders filled.

    Where a string is nothing but a placeholder that says nothing, its member goes, and with the member
    `field` the definition around it: a line without a `stroke` has no color by it. Inside longer strings
    nothing is put for it.
    """
    done = _filled(spec, filling, "")
    return {} if done is _GONE else done


def _filled(part: Any, filling: Filling, member: str) -> Any:  # JSON
    if isinstance(part, str):
        return _text(part, filling, member)
    if isinstance(part, list):
        items = (_filled(item, filling, member) for item in part)
        return [item for item in items if item is not _GONE]
    if not isinstance(part, dict):
        return part
    done = {name: _filled(value, filling, name) for name, value in part.items()}
    if done.get("field") is _GONE:
        return _GONE
    return {name: value for name, value in done.items() if value is not _GONE}


def _text(text: str, filling: Filling, member: str) -> Any:  # a string, or _GONE
    whole = _PLACEHOLDER.fullmatch(text)
    if whole is None:
        return _PLACEHOLDER.sub(lambda match: _inside(match, filling, member), text)
    value = _value(whole, filling)
    if value is None:
        return _GONE
    return _as_field(value) if whole[1] in ("field", "run") and member not in _TEXTS else value


def _value(match: re.Match[str], filling: Filling) -> str | None:
    kind, name, default = match[1], match[2] or "", match[3]
    known = {"field": filling.fields, "string": filling.strings, "run": filling.run}.get(kind)
    return SOURCES[0] if known is None else known.get(name, default)


def _inside(match: re.Match[str], filling: Filling, member: str) -> str:
    """A value within a longer string: of a text, or of an expression, where it is within quotes."""
    value = _value(match, filling) or ""
    if member in _TEXTS:
        return value
    return re.sub(r"""([\\'"])""", r"\\\1", value).replace("\n", "\\n").replace("\r", "\\r")


def _as_field(column: str) -> str:
    """A column's name as Vega takes it for a field: dots and brackets would lead into nested objects."""
    return re.sub(r"""([\\.\[\]'"])""", r"\\\1", column)
