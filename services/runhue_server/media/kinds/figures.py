"""Looks at Plotly figures: which traces they have, and how many points these hold."""

import base64
import binascii
import math
from typing import Any, Final

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import shown
from runhue_server.media.kinds.json_files import as_list, as_object, named, read_json

MAX_TRACES: Final = 10_000
MAX_TITLE_LENGTH: Final = 300
_DEFAULT_TYPE: Final = "scatter"

_DATA: Final = (
    *("x", "y", "z", "value", "values", "labels", "parents", "ids", "lat", "lon", "locations"),
    *("r", "theta", "a", "b", "c", "open", "close", "real", "imag"),
)
"""Attributes of a trace that hold one entry for each point (plotly.js, reference of traces)."""

_GRIDS: Final = frozenset({"z"})
"""Attributes that may hold rows of points."""

_ITEM_BYTES: Final = {
    name: width
    for width, names in (
        (1, ("i1", "u1", "u1c", "int8", "uint8", "uint8c")),
        (2, ("i2", "u2", "int16", "uint16")),
        (4, ("i4", "u4", "f4", "int32", "uint32", "float32")),
        (8, ("i8", "u8", "f8", "int64", "uint64", "float64")),
    )
    for name in names
}
"""Of typed arrays `{"dtype", "bdata", "shape"}`, which plotly.py 6 writes for numpy's."""


def inspect_plotly(source: Source, _workshop: Workshop) -> Facts:
    """The traces of a figure.

    Returns:
        `traces`: `{"type", "points"}` of each, where points are the most entries that any of its data
        has (rows times columns of a grid); `title` as text, or null.
    Raises:
        Refused: as `read_json`; `wrong_shape` or `bad_data` with the trace; `too_many_traces`.
    """
    figure = as_object(read_json(source), "A figure")
    traces = as_list(figure.get("data"), "A figure's data")
    if len(traces) > MAX_TRACES:
        raise Refused(
            "too_many_traces", f"The figure has {len(traces):,} traces; {MAX_TRACES:,} are allowed."
        )
    layout = as_object(figure.get("layout") or {}, "A figure's layout")
    return {
        "traces": [_trace(trace, f"Trace {at:,}") for at, trace in enumerate(traces)],
        "title": _title(layout.get("title")),
    }


def _title(title: object) -> str | None:
    text = title.get("text") if isinstance(title, dict) else title
    return shown(text, MAX_TITLE_LENGTH) if isinstance(text, str) and text else None


def _trace(trace: Any, name: str) -> dict[str, Any]:  # whatever JSON says -> facts
    told = as_object(trace, name)
    kind = told.get("type", _DEFAULT_TYPE)
    if not isinstance(kind, str):
        raise Refused("wrong_shape", f"{name}: type must be text, found {named(kind)}.")
    return {"type": shown(kind, 40), "points": _points(told, name)}


def _points(trace: dict[str, Any], name: str) -> int:
    counts = [_entries(trace[key], key in _GRIDS, f"{name}: {key}") for key in _DATA if key in trace]
    counts += [_entries(values, False, f"{name}: {place}") for place, values in _nested(trace)]
    return max(counts, default=0)


def _nested(trace: dict[str, Any]) -> list[tuple[str, Any]]:
    """Data that lie deeper: columns of tables, links of flows, dimensions of parallel coordinates."""
    found: list[tuple[str, Any]] = []
    cells, link, dimensions = trace.get("cells"), trace.get("link"), trace.get("dimensions")
    if isinstance(cells, dict) and isinstance(cells.get("values"), list):
        found += [("cells.values", column) for column in cells["values"]]
    if isinstance(link, dict) and "value" in link:
        found.append(("link.value", link["value"]))
    if isinstance(dimensions, list):
        found += [("dimensions", one.get("values")) for one in dimensions if isinstance(one, dict)]
    return found


def _entries(values: Any, is_grid: bool, name: str) -> int:  # whatever JSON says
    if isinstance(values, dict) and "bdata" in values:
        return _typed_entries(values, is_grid, name)
    if not isinstance(values, list):
        return 0
    rows = [row for row in values if isinstance(row, list)] if is_grid else []
    return sum(len(row) for row in rows) if rows else len(values)


def _typed_entries(array: dict[str, Any], is_grid: bool, name: str) -> int:
    item = array.get("dtype")
    width = _ITEM_BYTES.get(item) if isinstance(item, str) else None
    if width is None:
        raise Refused("bad_data", f"{name}: dtype must be one of plotly's, found {named(item)}.")
    length = _length(array["bdata"], name)
    shape = _shape(array.get("shape"), name) or [length // width]
    if length % width or math.prod(shape) * width != length:
        shaped = f"{' x '.join(map(str, shape))} values of {width} bytes"
        raise Refused("bad_data", f"{name}: {shaped} are not the {length:,} bytes that are there.")
    return math.prod(shape[:2]) if is_grid else shape[0]


def _length(text: object, name: str) -> int:
    if not isinstance(text, str):
        raise Refused("bad_data", f"{name}: bdata must be text in base 64, found {named(text)}.")
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_data", f"{name}: bdata is not base 64.") from error


def _shape(shape: object, name: str) -> list[int]:
    if shape is None:
        return []
    axes = [part.strip() for part in str(shape).strip("[]()").split(",") if part.strip()]
    if not axes or len(axes) > 3 or not all(part.isdecimal() and len(part) < 12 for part in axes):
        raise Refused("bad_data", f"{name}: shape must be 1 to 3 whole numbers, found {named(shape)}.")
    return [int(part) for part in axes]
