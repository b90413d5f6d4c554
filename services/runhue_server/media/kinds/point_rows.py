"""Reads the rows of a point cloud piece by piece, into an array: as Python lists they would take tenfold."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import orjson

from runhue_server.media.contract import Refused, Source
from runhue_server.media.kinds.first_bytes import check_size, found_in
from runhue_server.media.kinds.json_files import as_list, as_object, is_number, json_of, named

MAX_BYTES: Final = 512 << 20
MAX_POINTS: Final = 5_000_000
MAX_REST_BYTES: Final = 64 << 20
"""Of a scene's boxes and vectors, and of a scene whose JSON only the lenient parser takes."""

_PIECE_BYTES: Final = 4 << 20
_MOST_SPACE: Final = 256
"""Between two rows; more is taken for a fault."""

_WIDTHS: Final = (3, 4, 6)
_LARGEST: Final = float(np.finfo(np.float32).max)
SCENE: Final = "lidar/beta"

Rows = np.ndarray[Any, np.dtype[np.float64]]


class Scene(NamedTuple):
    """`rows` of shape (n, 3), (n, 4) or (n, 6); boxes and vectors as they stand in the JSON."""

    rows: Rows
    boxes: list[Any]
    vectors: list[Any]
    is_lidar: bool


class _Parts(msgspec.Struct):
    type: Any = None
    points: msgspec.Raw = msgspec.Raw(b"null")
    boxes: msgspec.Raw = msgspec.Raw(b"null")
    vectors: msgspec.Raw = msgspec.Raw(b"null")


def read_scene(source: Source) -> Scene:
    """Points of `*.pts.json`: a list of points, or a scene `{"type": "lidar/beta", ...}`.

    Raises:
        Refused: `empty`, `too_large`, `not_json`, `not_text`, `too_deep`, `wrong_shape`, `ragged`,
            `bad_number` or `too_many_points`, with the row's number.
    """
    check_size(source, MAX_BYTES)
    content = source.path.read_bytes()
    start = _first_sign(content)
    if content[start : start + 1] == b"[":
        return Scene(_rows(memoryview(content), start), [], [], False)
    return _scene(content)


def _first_sign(content: bytes) -> int:
    start = 3 if content[:3] == b"\xef\xbb\xbf" else 0
    while content[start : start + 1] in {b" ", b"\t", b"\n", b"\r"}:
        start += 1
    return start


def _scene(content: bytes) -> Scene:
    try:
        parts = msgspec.json.decode(content, type=_Parts)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _lenient_scene(content)
    _check_type(parts.type)
    if max(len(memoryview(part)) for part in (parts.boxes, parts.vectors)) > MAX_REST_BYTES:
        raise Refused("too_large", f"Boxes and vectors may have {MAX_REST_BYTES:,} bytes of JSON.")
    boxes, vectors = (json_of(bytes(part)) for part in (parts.boxes, parts.vectors))
    points = memoryview(parts.points)
    is_list = bytes(points[:1]) == b"["
    rows = _rows(points, 0) if is_list else _array(_entries(json_of(bytes(points)), "points"), 0, None)
    return Scene(rows, _entries(boxes, "boxes"), _entries(vectors, "vectors"), True)


def _lenient_scene(content: bytes) -> Scene:
    """Of a scene with NaN in it, or of no JSON at all: whichever, the reason is found here."""
    if len(content) > MAX_REST_BYTES:
        found = found_in(content[:64])
        raise Refused(
            "not_json", f"A point cloud in JSON was expected; the file begins as {found}, with faults."
        )
    told = as_object(json_of(content[:]), "A point cloud that is no list")
    _check_type(told.get("type"))
    rows = _array(_entries(told.get("points"), "points"), 0, None)
    boxes, vectors = (_entries(told.get(name), name) for name in ("boxes", "vectors"))
    return Scene(rows, boxes, vectors, True)


def _check_type(found: object) -> None:
    if found != SCENE:
        raise Refused("wrong_shape", f"A scene's type must be {SCENE!r}, found {named(found)}.")


def _entries(value: Any, name: str) -> list[Any]:  # whatever JSON says
    return [] if value is None else as_list(value, f"The scene's {name}")


def _no_rows() -> Rows:
    return np.empty((0, 3))


def _rows(content: memoryview, start: int) -> Rows:
    """All rows of the list that begins at `start` and ends with the content."""
    blocks: list[Rows] = []
    count, width = 0, None
    for piece in _pieces(content, start + 1):
        rows = _array(_parsed(piece, count), count, width)
        if len(rows):
            width = rows.shape[1]
            blocks.append(rows)
        count += len(rows)
        if count > MAX_POINTS:
            raise Refused("too_many_points", f"The cloud has more than {MAX_POINTS:,} points.")
    return np.concatenate(blocks) if blocks else _no_rows()


def _pieces(content: memoryview, at: int) -> Iterator[bytes]:
    """JSON lists of whole rows. A row of numbers ends with its first bracket; what else comes is no row."""
    end = len(content) - _spaces_behind(content)
    while end - at > _PIECE_BYTES:
        piece = bytes(content[at : at + _PIECE_BYTES])
        cut = piece.rfind(b"]") + 1
        if not cut:
            raise Refused("wrong_shape", f"A row of more than {_PIECE_BYTES:,} bytes is no point.")
        yield b"[" + piece[:cut] + b"]"
        at += cut
        rest = bytes(content[at : at + _MOST_SPACE]).lstrip()
        if at + _MOST_SPACE >= end and rest.rstrip() == b"]":
            return
        if not rest.startswith(b",") or not rest[1:].lstrip().startswith(b"["):
            raise Refused("not_json", f"Byte {at:,} is no JSON: a comma and another row were expected.")
        at += bytes(content[at : at + _MOST_SPACE]).index(b",") + 1
    # The list's own end is in the rest.
    yield b"[" + bytes(content[at:end])


def _spaces_behind(content: memoryview) -> int:
    tail = bytes(content[-_PIECE_BYTES:])
    return len(tail) - len(tail.rstrip())


def _parsed(piece: bytes, count: int) -> list[Any]:
    try:
        found = orjson.loads(piece)
    except orjson.JSONDecodeError:
        try:
            found = json_of(piece)
        except Refused as refused:
            raise Refused(refused.code, f"Behind row {count:,}: {refused.reason}") from refused
    return as_list(found, "A point cloud")


def _array(rows: list[Any], count: int, width: int | None) -> Rows:
    """Rows as numbers; `count` came before, and were `width` wide."""
    try:
        array = np.array(rows, dtype=np.float64) if _are_lists(rows) else None
    except (ValueError, TypeError, OverflowError):
        array = None
    if not rows:
        return _no_rows()
    wanted = (width,) if width else _WIDTHS
    if array is None or array.ndim != 2 or array.shape[1] not in wanted:
        raise _refused_row(rows, count, width)
    wrong = ~(np.abs(array) <= _LARGEST).all(axis=1)
    if wrong.any() or not _are_numbers(rows):
        raise _refused_row(rows, count, width or array.shape[1])
    return array


def _are_lists(rows: list[Any]) -> bool:
    return all(type(row) is list for row in rows)


def _are_numbers(rows: list[Any]) -> bool:
    """numpy would also read text and truths as numbers."""
    return set(map(type, chain.from_iterable(rows))) <= {int, float}


def _refused_row(rows: list[Any], count: int, width: int | None) -> Refused:
    """The first row that is no point."""
    for at, row in enumerate(rows, count):
        if not isinstance(row, list):
            return Refused("wrong_shape", f"Row {at:,} must be a point, found {named(row)}.")
        if len(row) not in ((width,) if width else _WIDTHS):
            return Refused("ragged" if width else "wrong_shape", _widths(at, len(row), width))
        width = len(row)
        wrong = next((value for value in row if not is_number(value) or not abs(value) <= _LARGEST), None)
        if wrong is not None or None in row:
            return Refused(
                "bad_number", f"Row {at:,} holds {named(wrong)}; finite numbers up to 3.4e38 are allowed."
            )
    return Refused("wrong_shape", f"The rows from {count:,} on are no points.")


def _widths(at: int, found: int, width: int | None) -> str:
    if width:
        return f"Row {at:,} has {found:,} numbers, the ones before have {width}."
    return f"Row {at:,} has {found:,} numbers; x, y, z, or these with a category or with r, g, b are allowed."
