"""Reads glTF 2.0, as JSON or as GLB: counts from its accessors, each checked against its bytes."""

import base64
import binascii
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from runhue_server.media.contract import Refused, Source
from runhue_server.media.kinds.first_bytes import found_in, shown
from runhue_server.media.kinds.json_files import as_list, as_object, is_number, json_of, named, read_json
from runhue_server.media.kinds.meshes import MAX_EXTERNAL, Bounds, Mesh

MAX_PRIMITIVES: Final = 100_000
_MAX_COUNT: Final = 1 << 40
_HEAD_BYTES: Final = 12
_CHUNK_HEAD_BYTES: Final = 8
_JSON: Final = b"JSON"
_BIN: Final = b"BIN\0"

_COMPONENT_BYTES: Final = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_COMPONENTS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_FLOAT: Final = 5126
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
"""Modes of a primitive (glTF 2.0, 5.24.4); the others are points and lines, which have no faces."""


def read_gltf(source: Source) -> Mesh:
    """A `.gltf` file. Raises: `Refused`."""
    return _Scene(read_json(source), None).mesh()


def read_glb(source: Source) -> Mesh:
    """A `.glb` file: a header, a chunk of JSON, a chunk of bytes. Raises: `Refused`."""
    content = memoryview(source.path.read_bytes())
    if bytes(content[:4]) != b"glTF" or len(content) < _HEAD_BYTES + _CHUNK_HEAD_BYTES:
        raise Refused("not_an_object", f"A binary glTF was expected, found {found_in(bytes(content[:64]))}.")
    version, length = (int.from_bytes(content[at : at + 4], "little") for at in (4, 8))
    if version != 2:
        raise Refused("not_an_object", f"glTF of version 2 was expected, found {version}.")
    if length != len(content):
        code = "truncated" if length > len(content) else "not_an_object"
        raise Refused(code, f"The file says it has {length:,} bytes; it has {len(content):,}.")
    chunks = list(_chunks(content))
    if chunks[0][0] != _JSON:
        raise Refused("not_an_object", f"The first chunk must be JSON, found {shown(chunks[0][0])}.")
    binary = next((chunk for kind, chunk in chunks[1:2] if kind == _BIN), None)
    return _Scene(json_of(bytes(chunks[0][1])), binary).mesh()


def _chunks(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The first two chunks; later ones are extensions'."""
    at = _HEAD_BYTES
    for _ in range(2):
        if at >= len(content):
            return
        length = int.from_bytes(content[at : at + 4], "little")
        start = at + _CHUNK_HEAD_BYTES
        if start + length > len(content):
            there = max(len(content) - start, 0)
            raise Refused("truncated", f"A chunk says it has {length:,} bytes; {there:,} are there.")
        yield bytes(content[at + 4 : start]), content[start : start + length]
        at = start + length


class _Scene:
    def __init__(self, told: Any, binary: memoryview | None) -> None:  # whatever JSON says
        self._told = as_object(told, "A glTF")
        self._binary = binary
        self._buffers: dict[int, memoryview | None] = {}
        self._highest: dict[int, int] = {}
        """Index of an accessor of indices; -1 when its bytes are not here."""

        version = as_object(self._told.get("asset"), "The glTF's asset").get("version")
        if not isinstance(version, str) or not version.startswith("2."):
            raise Refused("not_an_object", f"glTF of version 2 was expected, found {named(version)}.")

    def mesh(self) -> Mesh:
        bounds, faces = Bounds(), 0
        positions: dict[int, int] = {}
        for place, primitive in self._primitives():
            attributes = as_object(primitive.get("attributes"), f"The attributes of {place}")
            at = attributes.get("POSITION")
            if at is None:
                continue
            at = self._number("accessors", at, place)
            if at not in positions:
                positions[at] = self._count(at, place, "VEC3")
                self._add_bounds(bounds, at, place)
            faces += self._faces(primitive, positions[at], place)
        return Mesh(sum(positions.values()), faces, bounds, self._external())

    def _primitives(self) -> Iterator[tuple[str, dict[str, Any]]]:
        count = 0
        for at, mesh in enumerate(self._list("meshes")):
            told = as_object(mesh, f"Mesh {at:,}")
            for number, primitive in enumerate(
                as_list(told.get("primitives"), f"The primitives of mesh {at:,}")
            ):
                count += 1
                if count > MAX_PRIMITIVES:
                    raise Refused("too_large", f"The glTF has more than {MAX_PRIMITIVES:,} primitives.")
                place = f"primitive {number:,} of mesh {at:,}"
                yield place, as_object(primitive, place)

    def _faces(self, primitive: dict[str, Any], vertices: int, place: str) -> int:
        count = vertices
        if primitive.get("indices") is not None:
            at = self._number("accessors", primitive["indices"], place)
            count = self._count(at, place, "SCALAR")
            self._check_indices(at, vertices, place)
        mode = _whole(primitive.get("mode", _TRIANGLES), f"The mode of {place}")
        if mode == _TRIANGLES:
            return count // 3
        return max(count - 2, 0) if mode in {_STRIP, _FAN} else 0

    def _count(self, at: int, place: str, shape: str) -> int:
        """Elements of an accessor whose bytes, when they are here, are all there."""
        accessor = self._entry("accessors", at, place)
        count = _whole(accessor.get("count"), f"The count of accessor {at}", 1)
        if accessor.get("type") != shape:
            raise Refused(
                "not_an_object", f"Accessor {at} must be {shape}, found {named(accessor.get('type'))}."
            )
        self._bytes_of(accessor, f"accessor {at}")
        return count

    def _bytes_of(self, accessor: dict[str, Any], name: str) -> tuple[memoryview | None, int]:
        """From the first byte of an accessor on, and the distance of its elements; None: not in the file."""
        size = _COMPONENT_BYTES.get(_whole(accessor.get("componentType"), f"The component type of {name}"), 0)
        size *= _COMPONENTS.get(str(accessor.get("type")), 0)
        if not size:
            raise Refused("not_an_object", f"The type of {name} is none of glTF's.")
        if accessor.get("bufferView") is None:
            return None, size
        view = self._entry("bufferViews", accessor["bufferView"], name)
        start = _whole(accessor.get("byteOffset", 0), f"The offset of {name}")
        stride = _whole(view.get("byteStride", size), f"The stride of {name}", 1)
        needed = start + stride * (accessor["count"] - 1) + size
        length = _whole(view.get("byteLength"), f"The length of the view of {name}", 1)
        if needed > length:
            raise Refused("bad_index", f"{name} needs {needed:,} bytes of its view, which has {length:,}.")
        content = self._view(view, length, name)
        return None if content is None else content[start:], stride

    def _view(self, view: dict[str, Any], length: int, name: str) -> memoryview | None:
        at = self._number("buffers", view.get("buffer"), name)
        buffer = self._entry("buffers", at, name)
        start = _whole(view.get("byteOffset", 0), f"The offset of the view of {name}")
        size = _whole(buffer.get("byteLength"), f"The length of buffer {at}", 1)
        if start + length > size:
            raise Refused("bad_index", f"The view of {name} ends at byte {start + length:,} of {size:,}.")
        if at not in self._buffers:
            self._buffers[at] = self._buffer(buffer, at)
        content = self._buffers[at]
        if content is not None and len(content) < size:
            raise Refused("truncated", f"Buffer {at} says it has {size:,} bytes; {len(content):,} are there.")
        return None if content is None else content[start : start + length]

    def _buffer(self, buffer: dict[str, Any], at: int) -> memoryview | None:
        uri = buffer.get("uri")
        if uri is None:
            return self._binary if at == 0 else None
        head, comma, text = uri.partition(",") if isinstance(uri, str) else ("", "", "")
        if not head.startswith("data:") or not comma:
            return None
        try:
            return memoryview(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise Refused("not_an_object", f"Buffer {at} is not base 64.") from error

    def _add_bounds(self, bounds: Bounds, at: int, place: str) -> None:
        accessor = self._entry("accessors", at, place)
        low, high = _point(accessor.get("min")), _point(accessor.get("max"))
        if low and high and all(one <= other for one, other in zip(low, high, strict=True)):
            bounds.add(low, high)
            return
        values = self._values(accessor, f"accessor {at}", "<f4", 3) if _is_float(accessor) else None
        if values is not None and np.isfinite(values).all():
            bounds.add(values.min(axis=0).tolist(), values.max(axis=0).tolist())

    def _check_indices(self, at: int, vertices: int, place: str) -> None:
        accessor = self._entry("accessors", at, place)
        dtype = {5121: "<u1", 5123: "<u2", 5125: "<u4"}.get(accessor["componentType"])
        if dtype is None:
            raise Refused("not_an_object", f"The indices of {place} must be whole numbers from 0.")
        if at not in self._highest:
            values = self._values(accessor, f"accessor {at}", dtype, 1)
            self._highest[at] = -1 if values is None else int(values.max())
        highest = self._highest[at]
        if highest >= vertices:
            raise Refused("bad_index", f"An index of {place} is {highest:,}; it has {vertices:,} vertices.")

    def _values(
        self, accessor: dict[str, Any], name: str, dtype: str, axes: int
    ) -> np.ndarray[Any, Any] | None:
        if "sparse" in accessor:
            return None
        content, stride = self._bytes_of(accessor, name)
        if content is None:
            return None
        item = np.dtype(dtype).itemsize
        return np.ndarray((accessor["count"], axes), dtype, content, 0, (stride, item))

    def _external(self) -> list[str]:
        found: dict[str, None] = {}
        for name in ("buffers", "images"):
            for at, entry in enumerate(self._list(name)):
                uri = as_object(entry, f"{name} {at:,}").get("uri")
                if isinstance(uri, str) and uri[:5].lower() != "data:" and len(found) < MAX_EXTERNAL:
                    found[shown(uri, 200)] = None
        return list(found)

    def _list(self, name: str) -> list[Any]:
        return as_list(self._told.get(name, []), f"The {name} of the glTF")

    def _number(self, name: str, at: object, place: str) -> int:
        count = len(self._list(name))
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < count:
            raise Refused("bad_index", f"{place} names entry {named(at)} of {count:,} {name}.")
        return at

    def _entry(self, name: str, at: object, place: str) -> dict[str, Any]:
        number = self._number(name, at, place)
        return as_object(self._list(name)[number], f"Entry {number} of {name}")


def _whole(value: object, name: str, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_COUNT:
        raise Refused("bad_number", f"{name} must be a whole number from {least}, found {named(value)}.")
    return value


def _point(value: object) -> list[float] | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    is_point = all(is_number(axis) and math.isfinite(axis) for axis in value)
    return [float(axis) for axis in value] if is_point else None


def _is_float(accessor: dict[str, Any]) -> bool:
    return accessor.get("componentType") == _FLOAT
