"""What a preset may hold: bounded JSON that names our rows and loads nothing from anywhere."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from runhue_shared.charts.placeholders import SOURCES
from runhue_shared.charts.refusals import PresetRefused
from runhue_shared.charts.walking import Path, parts_of

MAX_SPEC_BYTES = 256 * 1024
MAX_DEPTH = 32

Library = Literal["vega", "vega-lite"]

_LIBRARIES: Mapping[str, Library] = {"vega": "vega", "vega-lite": "vega-lite"}
_OF_VEGA = frozenset({"marks", "signals", "scales", "axes", "legends"})
_OF_VEGA_LITE = frozenset(
    {"mark", "layer", "encoding", "facet", "repeat", "concat", "hconcat", "vconcat", "spec"}
)


def check_bounds(spec: Mapping[str, Any]) -> None:
    """Refuse a spec that is too large or too deep.

    Raises:
        PresetRefused: more than `MAX_SPEC_BYTES`, or nested deeper than `MAX_DEPTH`.
    """
    for path, _ in parts_of(spec):
        if len(path) > MAX_DEPTH:
            fix = "nest views, conditions and signals less deep"
            raise PresetRefused(path[:6], f"nests deeper than {MAX_DEPTH} levels", fix, MAX_DEPTH)
    size = len(json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))
    if size > MAX_SPEC_BYTES:
        why = f"has {size} bytes, the limit is {MAX_SPEC_BYTES}"
        raise PresetRefused((), why, "leave data out of the spec", MAX_SPEC_BYTES)


def library_of(spec: Mapping[str, Any]) -> tuple[Library, int | None]:
    """(whose language the spec is in, its major version; None when it does not say).

    Raises:
        PresetRefused: `$schema` names another one, or there is none and the members do not tell.
    """
    if "$schema" in spec:
        return _named_library(spec["$schema"])
    if _OF_VEGA & set(spec):
        return "vega", None
    if _OF_VEGA_LITE & set(spec):
        return "vega-lite", None
    fix = 'begin with {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"}'
    raise PresetRefused((), "is neither a Vega nor a Vega-Lite spec", fix)


def _named_library(schema: object) -> tuple[Library, int | None]:
    name, _, version = str(schema).removesuffix(".json").rpartition("/")
    found = name.rpartition("/")[2]
    number = version.removeprefix("v").partition(".")[0]
    if found in _LIBRARIES:
        return _LIBRARIES[found], int(number) if number.isdecimal() and len(number) < 4 else None
    why = f"{str(schema)[:100]!r} is the schema of neither Vega nor Vega-Lite"
    raise PresetRefused(("$schema",), why, 'write "https://vega.github.io/schema/vega-lite/v6.json"')


def check_source(spec: Mapping[str, Any]) -> None:
    """Refuse a spec that does not draw the chart's rows.

    Raises:
        PresetRefused: no data source has one of the names in `SOURCES`.
    """
    if source_of(spec) is None:
        why = "no data source is called " + " or ".join(map(repr, SOURCES))
        raise PresetRefused(("data",), why, 'give the chart\'s rows with "data": {"name": "wandb"}')


def source_of(spec: Mapping[str, Any]) -> str | None:
    """The name under which a spec, whose placeholders are filled, has the chart's rows; None without one."""
    return next((str(name) for name in _sources(spec) if name in SOURCES), None)


def _sources(spec: Mapping[str, Any]) -> Iterator[object]:
    for path, part in _outside_of_rows(spec):
        if not isinstance(part, dict):
            continue
        is_source = path[-1:] == ("data",) or (len(path) > 1 and path[-2] == "data")
        if is_source and isinstance(part.get("name"), str):
            yield part["name"]


def check_loads_nothing(spec: Mapping[str, Any]) -> None:
    """Refuse whatever a viewer would load, or lead its user to, from an address in the spec.

    Raises:
        PresetRefused: a `url`, an `href`, options of vega-embed, or `url(...)` in a string; names the place.
    """
    for path, part in _outside_of_rows(spec):
        _check_part(path, part)


def _check_part(path: Path, part: Any) -> None:  # JSON
    member = path[-1] if path else ""
    if member == "url" and not _is_column(part):
        fix = 'have the chart\'s rows with "data": {"name": "wandb"}; images are given by a column'
        raise PresetRefused(path, "loads from an address", fix, code="preset_loads")
    if member == "href":
        raise PresetRefused(path, "leads to an address", "leave links out", code="preset_loads")
    if member == "embedOptions":
        raise PresetRefused(path, "sets options of the viewer", "leave them out", code="preset_loads")
    if isinstance(part, str) and "url(" in part.replace(" ", "").lower().replace("url(#", ""):
        raise PresetRefused(path, "has url(...), which loads", "name a color instead", code="preset_loads")


def _is_column(part: Any) -> bool:  # JSON
    """Whether an image's address is that in a column of the rows, and nothing else."""
    return (
        isinstance(part, dict) and isinstance(part.get("field"), str) and not {"value", "signal"} & set(part)
    )


def _outside_of_rows(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every part of the spec but inline rows, which are data and may have any members."""
    return ((path, part) for path, part in parts_of(spec) if not _is_in_rows(path))


def _is_in_rows(path: Path) -> bool:
    """Below `datasets.<name>`, `data.values`, or Vega's `data[i].values`."""
    if path[:1] == ("datasets",):
        return len(path) > 2
    ends = (at for at, part in enumerate(path[:-1]) if part == "values")
    return any("data" in path[max(at - 2, 0) : at] for at in ends)
