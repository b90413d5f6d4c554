"""Presets: checked when somebody makes one, and filled when a chart uses it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from runhue_shared.charts.contents import (
    Library,
    check_bounds,
    check_loads_nothing,
    check_source,
    library_of,
)
from runhue_shared.charts.placeholders import Filling, asked, filled, with_names
from runhue_shared.charts.schema import VERSIONS, check_schema

SCHEMA_URL = "https://vega.github.io/schema/{}/v{}.json"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A preset that every server has.

    `several_runs` is merged into the spec (RFC 7396) when rows are of several runs; `defaults` are columns
    that stand for a field which a chart does not name, the first that the table has.
    """

    id: str
    title: str
    description: str
    spec: Mapping[str, Any]
    several_runs: Mapping[str, Any]
    defaults: Mapping[str, Sequence[str]] = field(default_factory=dict)


@lru_cache(maxsize=1)
def built_in() -> Mapping[str, BuiltIn]:
    """The built-in presets by id, in the order of ids."""
    folder = files("runhue_shared.charts").joinpath("presets")
    texts = {
        entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".json")
    }
    common = json.loads(texts.pop("common.json"))
    made = [_built_in(json.loads(text), common) for text in texts.values()]
    return {preset.id: preset for preset in sorted(made, key=lambda preset: preset.id)}


def _built_in(preset: Mapping[str, Any], common: Mapping[str, Any]) -> BuiltIn:
    spec = {**common, **preset["spec"]}
    return BuiltIn(**{**preset, "spec": spec})


def check_preset(spec: Mapping[str, Any]) -> Library:
    """Refuse a spec that cannot be a preset; tells its library.

    Raises:
        PresetRefused: it is too large or deep, in neither language, loads something, has no rows of the
            chart, or its schema does not allow it.
    """
    check_bounds(spec)
    library, version = library_of(spec)
    plain = with_names(spec)
    check_loads_nothing(plain)
    check_source(plain)
    check_schema({name: value for name, value in plain.items() if name != "$schema"}, library, version)
    return library


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a chart says of itself, and the columns of its rows.

    `run` are the columns that say of which run a row is, by `name` and `id`; empty for a single run.
    """

    fields: Mapping[str, Any]
    strings: Mapping[str, Any]
    columns: Collection[str]
    run: Mapping[str, str]


def drawn(spec: Mapping[str, Any], drawing: Drawing, preset: BuiltIn | None = None) -> dict[str, Any]:
    """The spec of one chart: placeholders filled, and with `$schema`."""
    defaults: Mapping[str, Sequence[str]] = {}
    if preset is not None:
        defaults = preset.defaults
        if drawing.run:
            spec = merged(spec, preset.several_runs)
    fields = {name: column for name in asked(spec).fields if (column := _column(name, drawing, defaults))}
    strings = {
        name: str(text) for name, text in drawing.strings.items() if isinstance(text, str | int | float)
    }
    done: dict[str, Any] = filled(spec, Filling(fields, strings, drawing.run))
    library, version = library_of(spec)
    return {"$schema": SCHEMA_URL.format(library, VERSIONS[-1] if version is None else version), **done}


def _column(name: str, drawing: Drawing, defaults: Mapping[str, Sequence[str]]) -> str | None:
    """The column that a field stands for; without a word of the chart the one of its name."""
    if name in drawing.fields:
        column = drawing.fields[name]
        return column if isinstance(column, str) and column else None
    known = drawing.columns
    return next((column for column in defaults.get(name, (name,)) if column in known), None)


def merged(document: Any, patch: Any) -> Any:  # JSON
    """A JSON document with a merge patch applied (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    done = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            done.pop(name, None)
        else:
            done[name] = merged(done.get(name), value)
    return done
