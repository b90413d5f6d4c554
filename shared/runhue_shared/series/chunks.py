"""The stored form of points of one type: pcodec columns, and zstd(msgpack) for what is no number.

Lossless: doubles bit for bit, ints of any size, steps and ords. A checksum is kept beside the bytes,
because most corrupted inputs of pcodec decode without complaint.
"""

import struct
import sys
from typing import Any

import msgspec
import numpy as np
from pcodec import ChunkConfig, standalone

from runhue_shared.series.points import Points
from runhue_shared.series.values import NUMBER

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PCODEC_MSGPACK = 1
"""`codec` of a chunk in this form."""

SEALED = 65_536
"""A chunk of so many points is not merged any more."""

# A chunk that will be merged again is packed faster: 1 % larger at less than half the time.
_PASSING, _LASTING = ChunkConfig(compression_level=4), ChunkConfig(compression_level=6)
_EVENLY, _ANYHOW = b"e", b"p"
_EVEN = struct.Struct("<qqq")
_ALL_INTS, _NO_INTS = b"1", b""


class _ChunkBody(msgspec.Struct, array_like=True):
    """`ints`: b"" for none, b"1" for all, else zstd of a bit a point. `exact`: (position, digits) of ints."""

    steps: bytes
    ords: bytes
    numbers: bytes
    ints: bytes
    exact: list[tuple[int, str]]
    values: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_ChunkBody)


class NotAChunk(ValueError):
    """Bytes that no version of `encode_chunk` made."""


def packed(values: Any) -> bytes:  # numpy array of float64 or int64
    """pcodec of an array; b"" for an empty one."""
    if not len(values):
        return b""
    config = _LASTING if len(values) >= SEALED else _PASSING
    return bytes(standalone.simple_compress(np.ascontiguousarray(values), config))


def unpacked(body: bytes, dtype: Any) -> Any:  # numpy array of the dtype
    """Undo `packed`."""
    return standalone.simple_decompress(body) if body else np.empty(0, dtype)


def packed_whole(values: Any) -> bytes:  # numpy array of int64
    """Ints as pcodec, or where each is the one before plus the same: (first, difference, count)."""
    if len(values) > 1:
        step = int(values[1]) - int(values[0])
        if bool((np.diff(values) == step).all()):
            return _EVENLY + _EVEN.pack(int(values[0]), step, len(values))
    return _ANYHOW + packed(values)


def unpacked_whole(body: bytes) -> Any:  # numpy array of int64
    """Undo `packed_whole`."""
    if body[:1] == _EVENLY:
        first, step, count = _EVEN.unpack(body[1:])
        return np.arange(count, dtype=np.int64) * step + first
    return unpacked(body[1:], np.int64)


class ChunkEncoder:
    """Encodes chunks; metrics of one run that share their steps or ords compress them once."""

    def __init__(self) -> None:
        self._done: dict[bytes, bytes] = {}
        self._same: dict[int, tuple[Any, bytes]] = {}

    def encode(self, type_: str, points: Points) -> bytes:
        """Body of a chunk of points that are sorted, one a step, all of `type_`."""
        number = type_ == NUMBER
        body = _ChunkBody(
            steps=self._once(points.steps),
            ords=self._once(points.ords),
            numbers=packed(points.numbers) if number else b"",
            ints=_packed_ints(points) if number else b"",
            exact=_exact(points) if number else [],
            values=b"" if number else _packed_values(points),
        )
        return _encoder.encode(body)

    def _once(self, column: Any) -> bytes:  # int64 array
        same = self._same.get(id(column))
        if same is not None:
            return same[1]
        content = column.tobytes()
        packed_column = self._done.get(content)
        if packed_column is None:
            packed_column = self._done[content] = packed_whole(column)
        self._same[id(column)] = (column, packed_column)
        return packed_column


def decode_chunk(type_: str, codec: int, body: bytes) -> Points:
    """The points of a body.

    Raises:
        NotAChunk: another codec, or bytes that are no chunk.
    """
    if codec != PCODEC_MSGPACK:
        raise NotAChunk(f"chunk codec is {codec}, this server reads {PCODEC_MSGPACK}: update the server")
    try:
        parts = _decoder.decode(body)
        steps, ords = unpacked_whole(parts.steps), unpacked_whole(parts.ords)
        if type_ == NUMBER:
            numbers = unpacked(parts.numbers, np.float64)
            return Points(steps, ords, numbers, _ints(parts, len(steps)), None, _big(parts, len(steps)))
        objects = np.empty(len(steps), np.object_)
        objects[:] = msgspec.msgpack.decode(zstd.decompress(parts.values))
    except (msgspec.DecodeError, RuntimeError, ValueError, struct.error, zstd.ZstdError) as error:
        raise NotAChunk(f"bytes are no chunk: {error}") from error
    codes = np.ones(len(steps), np.int32)
    return Points(steps, ords, np.zeros(len(steps)), None, codes, objects, (NUMBER, type_))


def _packed_ints(points: Points) -> bytes:
    if points.ints is None or not points.ints.any():
        return _NO_INTS
    return _ALL_INTS if points.ints.all() else zstd.compress(np.packbits(points.ints).tobytes())


def _ints(parts: _ChunkBody, n: int) -> Any:  # bool array or None
    if parts.ints == _NO_INTS:
        return None
    if parts.ints == _ALL_INTS:
        return np.ones(n, np.bool_)
    return np.unpackbits(np.frombuffer(zstd.decompress(parts.ints), np.uint8), count=n).astype(np.bool_)


def _exact(points: Points) -> list[tuple[int, str]]:
    if points.objects is None:
        return []
    return [(at, str(value)) for at, value in enumerate(points.objects) if value is not None]


def _big(parts: _ChunkBody, n: int) -> Any:  # object array or None
    if not parts.exact:
        return None
    objects = np.full(n, None, np.object_)
    for at, digits in parts.exact:
        objects[at] = int(digits)
    return objects


def _packed_values(points: Points) -> bytes:
    values = [None] * len(points) if points.objects is None else points.objects.tolist()
    return zstd.compress(_encoder.encode(values))
