"""Postgres arrays in binary form straight from numpy: a list of numbers costs 100 times as much to send."""

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_INT4, _INT8, _TEXT, _FLOAT8 = 23, 20, 25, 701
_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"


class BinaryArray:
    """A parameter for `%b::bigint[]` and its like: one dimension, as `array_recv` reads it."""

    __slots__ = ("body",)

    def __init__(self, element: int, length: int, has_null: bool, body: bytes) -> None:
        dimensions = 1 if length else 0
        head = _HEAD.pack(dimensions, has_null, element, length, 1)
        self.body = head + body if length else head[:12]


class _BinaryArrayDumper(Dumper):
    format = Format.BINARY
    oid = 0  # the cast in the statement says the type

    def dump(self, obj: BinaryArray) -> bytes:
        return obj.body


psycopg.adapters.register_dumper(BinaryArray, _BinaryArrayDumper)


def bigints(values: Any) -> BinaryArray:  # a list or array of ints
    """bigint[] without NULL."""
    return _fixed(_INT8, values, ">i8")


def integers(values: Any) -> BinaryArray:  # a list or array of ints
    """int[] without NULL."""
    return _fixed(_INT4, values, ">i4")


def doubles(values: Any) -> BinaryArray:  # a list or array of floats
    """float8[] without NULL."""
    return _fixed(_FLOAT8, values, ">f8")


def _fixed(element: int, values: Any, dtype: str) -> BinaryArray:  # a list or array of numbers
    column = np.asarray(values)
    cells = np.empty(len(column), [("size", ">i4"), ("value", dtype)])
    cells["size"] = np.dtype(dtype).itemsize
    cells["value"] = column
    return BinaryArray(element, len(column), False, cells.tobytes())


def texts(values: Iterable[str | None]) -> BinaryArray:
    """text[]; None is NULL."""
    cells = [_NULL if value is None else _sized(value.encode()) for value in values]
    return BinaryArray(_TEXT, len(cells), _NULL in cells, b"".join(cells))


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
