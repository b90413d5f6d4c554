"""Reads OBJ, STL and Babylon: vertices, faces and bounds."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from runhue_server.media.contract import Refused, Source
from runhue_server.media.kinds.first_bytes import found_in, head_of, is_binary, shown
from runhue_server.media.kinds.json_files import as_list, as_object, read_json

MAX_EXTERNAL: Final = 1_000
MAX_LINE_BYTES: Final = 1 << 20
_STL_HEAD_BYTES: Final = 84
_STL_FACE: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_LONGEST_INDEX: Final = 12
_OBJ_BLOCK: Final = 30_000
_STL_BLOCK: Final = 100_000


class Bounds:
    """The lowest and highest x, y, z of what was added."""

    def __init__(self) -> None:
        self.low = [math.inf] * 3
        self.high = [-math.inf] * 3

    def add(self, low: Sequence[float], high: Sequence[float]) -> None:
        """Take a box in; both of 3 finite numbers."""
        self.low = [min(pair) for pair in zip(self.low, low, strict=True)]
        self.high = [max(pair) for pair in zip(self.high, high, strict=True)]

    def as_lists(self) -> list[list[float]] | None:
        """[lowest, highest]; None when nothing was added."""
        return [self.low, self.high] if self.low[0] <= self.high[0] else None


class Mesh(NamedTuple):
    """What a file holds."""

    vertices: int
    faces: int
    bounds: Bounds
    external: list[str]


def read_obj(source: Source) -> Mesh:
    """Wavefront OBJ: vertices (v), polygons (f), libraries of materials (mtllib)."""
    if is_binary(head_of(source)):
        raise Refused("not_an_object", f"OBJ was expected, found {found_in(head_of(source))}.")
    reader = _Obj()
    with source.path.open("rb") as file:
        for number, words in _lines(file):
            reader.add(number, words)
    reader.check()
    return Mesh(reader.vertices, reader.faces, reader.bounds, list(reader.external))


class _Obj:
    def __init__(self) -> None:
        self.vertices = 0
        self.faces = 0
        self.bounds = Bounds()
        self.external: dict[str, None] = {}
        self._places: list[float] = []
        """Not yet in the bounds."""

        self._highest = (0, 0)
        """Of the vertices that faces name, and in which line."""

    def add(self, number: int, words: list[bytes]) -> None:
        if words[0] == b"v":
            self._places += _position(words[1:4], number)
            self.vertices += 1
            if len(self._places) >= _OBJ_BLOCK:
                self._add_places()
        elif words[0] == b"f":
            self._add_face(number, words[1:])
        elif words[0] == b"mtllib" and len(self.external) < MAX_EXTERNAL:
            self.external[shown(b" ".join(words[1:]).decode("utf-8", "replace"), 200)] = None

    def _add_places(self) -> None:
        _add_points(self.bounds, np.array(self._places).reshape(-1, 3), "the vertices")
        self._places.clear()

    def _add_face(self, number: int, corners: list[bytes]) -> None:
        if len(corners) < 3:
            raise Refused(
                "not_an_object", f"Line {number:,} has a face of {len(corners)} corners; 3 are least."
            )
        at = [_index(corner, number) for corner in corners]
        lowest, highest = min(at), max(at)
        if 0 in at or -lowest > self.vertices:
            raise _bad_index(number, min(lowest, 0), self.vertices)
        if highest > self._highest[0]:
            self._highest = (highest, number)
        self.faces += 1

    def check(self) -> None:
        """Once all is read: faces may name vertices that come behind them."""
        self._add_places()
        if self._highest[0] > self.vertices:
            raise _bad_index(self._highest[1], self._highest[0], self.vertices)
        if not self.vertices:
            raise Refused("not_an_object", "OBJ was expected, found text without a vertex.")


def _bad_index(number: int, at: int, vertices: int) -> Refused:
    return Refused("bad_index", f"Line {number:,} names vertex {at:,}; there are {vertices:,}.")


def _index(corner: bytes, number: int) -> int:
    text = corner.partition(b"/")[0]
    if len(text) <= _LONGEST_INDEX:
        try:
            return int(text)
        except ValueError:
            pass
    raise Refused("bad_index", f"Line {number:,} has a face with the corner {_told(corner)}.")


def _position(words: list[bytes], number: int) -> list[float]:
    try:
        place = [float(word) for word in words]
    except ValueError:
        place = []
    if len(place) != 3 or not all(map(math.isfinite, place)):
        raise Refused("bad_number", f"Line {number:,} has no x, y and z: {_told(b' '.join(words))}.")
    return place


def _told(text: bytes) -> str:
    return repr(shown(text.decode("utf-8", "replace"), 40))


def _lines(file: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Words of the lines that have some, without comments; a backslash joins a line with the next."""
    number, before = 0, b""
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        line = before + (line.partition(b"#")[0] if b"#" in line else line).rstrip()
        if len(line) >= MAX_LINE_BYTES:
            raise Refused("not_an_object", f"Line {number:,} has more than {MAX_LINE_BYTES:,} bytes.")
        before = line[:-1] + b" " if line.endswith(b"\\") else b""
        words = [] if before else line.split()
        if words:
            yield number, words


def read_stl(source: Source) -> Mesh:
    """STL, binary or as text: three corners for each face."""
    head = head_of(source, _STL_HEAD_BYTES)
    told = int.from_bytes(head[80:84], "little")
    is_text = head.lstrip().startswith(b"solid") and not is_binary(head_of(source))
    if is_text and source.size != _STL_HEAD_BYTES + _STL_FACE.itemsize * told:
        return _stl_text(source)
    needed = _STL_HEAD_BYTES + _STL_FACE.itemsize * told
    if len(head) < _STL_HEAD_BYTES or not is_binary(head):
        raise Refused("not_an_object", f"STL was expected, found {found_in(head)}.")
    if source.size < needed:
        raise Refused(
            "truncated", f"The file says it has {told:,} faces, {needed:,} bytes; it has {source.size:,}."
        )
    return _stl_binary(source, told)


def _stl_binary(source: Source, faces: int) -> Mesh:
    bounds = Bounds()
    with source.path.open("rb") as file:
        file.seek(_STL_HEAD_BYTES)
        for start in range(0, faces, _STL_BLOCK):
            count = min(_STL_BLOCK, faces - start)
            block = np.frombuffer(file.read(count * _STL_FACE.itemsize), _STL_FACE, count)
            _add_points(bounds, block["corners"].reshape(-1, 3), f"faces {start:,} to {start + count - 1:,}")
    return Mesh(3 * faces, faces, bounds, [])


def _add_points(bounds: Bounds, points: np.ndarray[Any, Any], place: str) -> None:
    if not np.isfinite(points).all():
        raise Refused("bad_number", f"There are NaN or infinite numbers in {place}.")
    if len(points):
        bounds.add(points.min(axis=0).tolist(), points.max(axis=0).tolist())


def _stl_text(source: Source) -> Mesh:
    bounds, vertices, faces = Bounds(), 0, 0
    with source.path.open("rb") as file:
        for number, words in _lines(file):
            if words[0].lower() == b"vertex":
                place = _position(words[1:4], number)
                bounds.add(place, place)
                vertices += 1
            faces += words[0].lower() == b"facet"
    if vertices != 3 * faces:
        raise Refused("truncated", f"{faces:,} faces need {3 * faces:,} corners; there are {vertices:,}.")
    return Mesh(vertices, faces, bounds, [])


def read_babylon(source: Source) -> Mesh:
    """A scene of Babylon.js: positions and indices of its meshes."""
    scene = as_object(read_json(source), "A scene of Babylon.js")
    bounds, vertices, faces = Bounds(), 0, 0
    for at, mesh in enumerate(as_list(scene.get("meshes"), "The meshes of the scene")):
        told = as_object(mesh, f"Mesh {at:,}")
        points = _numbers(told.get("positions"), f"the positions of mesh {at:,}").reshape(-1, 3)
        indices = _numbers(told.get("indices"), f"the indices of mesh {at:,}")
        _add_points(bounds, points, f"mesh {at:,}")
        if indices.size and not 0 <= indices.min() <= indices.max() < len(points):
            wrong = f"{indices.min():.0f} to {indices.max():.0f}"
            raise Refused("bad_index", f"Mesh {at:,} names vertices {wrong}; it has {len(points):,}.")
        vertices, faces = vertices + len(points), faces + indices.size // 3
    return Mesh(vertices, faces, bounds, [])


def _numbers(values: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:  # whatever JSON says
    found = as_list([] if values is None else values, name)
    if len(found) % 3 or not all(isinstance(value, int | float) for value in found):
        raise Refused("bad_number", f"There must be three numbers each in {name}.")
    try:
        return np.array(found, np.float64)
    except OverflowError as error:
        raise Refused("bad_number", f"There is a number beyond a double in {name}.") from error
