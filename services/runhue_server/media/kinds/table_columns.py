"""Columns of a table: the narrowest type that holds every cell exactly, and what can be told of them."""

import json
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.table_json import Row, check_unicode

ColumnType = Literal["number", "bool", "string", "media", "other"]

MAX_DEPTH = 64
"""How deep a cell nests; the SDK logs none that is deeper."""

MAX_TYPE_LENGTH = 64
EXACT_INTEGER = 2**53
"""Doubles hold every integer up to here."""

INT64 = (-(2**63), 2**63 - 1)

_json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Column(NamedTuple):
    """A column. `cells`: an Arrow array of the type; media and other are JSON text in it.

    `low` and `high` are over finite numbers; `media` are the `_type`s of its media, sorted.
    """

    name: str | int
    type: ColumnType
    cells: pa.Array
    low: int | float | None
    high: int | float | None
    nulls: int
    nans: int
    distinct: int | None
    media: list[str]


def column_of(name: str | int, number: int, rows: Sequence[Row]) -> Column:
    """The column at position `number` of the rows.

    Raises:
        Refused: a cell nests too deep, or holds half a surrogate pair.
    """
    cells = list(map(itemgetter(number), rows))
    media = media_types(cells)
    type_, arrow = _types(cells, is_media=bool(media))
    try:
        array = _array(cells, type_, arrow)
    except UnicodeEncodeError:
        raise Refused("not_unicode", f"column {str(name)[:80]!r} holds half a surrogate pair") from None
    low, high = _range(array) if type_ == "number" else (None, None)
    nans = pc.sum(pc.is_nan(array)).as_py() or 0 if pa.types.is_floating(arrow) else 0
    distinct = None if type_ == "media" else pc.count_distinct(array, mode="only_valid").as_py()
    return Column(name, type_, array, low, high, array.null_count, nans, distinct, sorted(media))


def media_types(cells: Iterable[Any]) -> set[str]:  # any JSON
    """The `_type`s of cells that are media, or lists of media."""
    found: set[str] = set()
    for cell in cells:
        if type(cell) is dict:
            found.update(_media_type(cell))
        elif type(cell) is list:
            for part in cell:
                found.update(_media_type(part) if type(part) is dict else ())
    return found


def _media_type(value: dict[str, Any]) -> tuple[str, ...]:
    name = value.get("_type")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_TYPE_LENGTH:
        return ()
    check_unicode(name)
    return (name,)


def _is_media(cell: Any) -> bool:  # any JSON
    """Whether a cell is nothing, media, or a list of media."""
    if cell is None:
        return True
    parts = cell if type(cell) is list else [cell]
    return bool(parts) and all(type(part) is dict and _media_type(part) for part in parts)


def _types(cells: Sequence[Any], *, is_media: bool) -> tuple[ColumnType, pa.DataType]:
    kinds = set(map(type, cells)) - {type(None)}
    if kinds == {bool}:
        return "bool", pa.bool_()
    if kinds == {str}:
        return "string", pa.string()
    if kinds == {float}:
        return "number", pa.float64()
    if kinds and kinds <= {int, float}:
        return _number_type(cells, only_integers=kinds == {int})
    if is_media and all(map(_is_media, cells)):
        return "media", pa.string()
    return "other", pa.string()


def _number_type(cells: Sequence[Any], *, only_integers: bool) -> tuple[ColumnType, pa.DataType]:
    """The type of integers, with doubles among them or not; what no number type holds exactly is other."""
    integers = [cell for cell in cells if type(cell) is int]
    low, high = min(integers), max(integers)
    if only_integers and INT64[0] <= low and high <= INT64[1]:
        return "number", pa.int64()
    if not only_integers and low >= -EXACT_INTEGER and high <= EXACT_INTEGER:
        return "number", pa.float64()
    return "other", pa.string()


def _array(cells: Sequence[Any], type_: ColumnType, arrow: pa.DataType) -> pa.Array:
    if type_ in ("media", "other"):
        return pa.array([None if cell is None else _cell_text(cell) for cell in cells], arrow)
    if pa.types.is_floating(arrow):
        return pa.array([None if cell is None else float(cell) for cell in cells], arrow, from_pandas=False)
    return pa.array(cells, arrow)


def _cell_text(cell: Any) -> str:  # any JSON
    text = _json_text(cell)
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(cell) > MAX_DEPTH:
        raise Refused("too_deep", f"a cell nests deeper than {MAX_DEPTH} levels")
    return text


def depth(cell: Any) -> int:  # any JSON
    """How many lists and objects lie in one another; counting ends behind `MAX_DEPTH`."""
    level = [cell] if isinstance(cell, dict | list) else []
    for found in range(MAX_DEPTH + 1):
        if not level:
            return found
        parts = (part for held in level for part in (held.values() if isinstance(held, dict) else held))
        level = [part for part in parts if isinstance(part, dict | list)]
    return MAX_DEPTH + 1


def _range(numbers: pa.Array) -> tuple[int | float | None, int | float | None]:
    if pa.types.is_floating(numbers.type):
        numbers = numbers.filter(pc.is_finite(numbers), null_selection_behavior="drop")
    found = pc.min_max(numbers).as_py()
    low, high = found["min"], found["max"]
    return (low, high) if low is None or math.isfinite(low) else (None, None)
