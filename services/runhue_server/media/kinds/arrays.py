"""Looks at numpy's `.npy` files: the header without trusting it, then the numbers block by block."""

import ast
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import check_size, found_in, head_of, shown

MAGIC: Final = b"\x93NUMPY"
MAX_HEADER_BYTES: Final = 10_000
"""As numpy: longer ones may take the parser long, and tell of structures that no screen shows."""

MAX_BYTES: Final = 16 << 30
MAX_AXES: Final = 64
_MAX_VALUES: Final = 2**63 - 1
_BLOCK_VALUES: Final = 1 << 20
_LENGTH_BYTES: Final = {1: 2, 2: 4, 3: 4}
"""Of the header's length, by the format's major version."""


class Header(NamedTuple):
    """What the header says, checked; `start` is where the values begin, in bytes."""

    dtype: np.dtype[Any]  # of whatever was stored
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def values(self) -> int:
        """How many there are."""
        return math.prod(self.shape)


class _Statistics:
    """Of finite numbers, block by block, joined as Chan, Golub and LeVeque (1979) do."""

    def __init__(self) -> None:
        self.count = 0
        self.low: Any = None  # number
        self.high: Any = None  # number
        self._mean = 0.0
        self._squares = 0.0

    def add(self, numbers: np.ndarray[Any, Any]) -> None:
        if not numbers.size:
            return
        low, high = numbers.min().item(), numbers.max().item()
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        numbers = numbers.astype(np.float64, copy=False)
        mean = numbers.mean().item()
        squares = np.square(numbers - mean).sum().item()
        total, distance = self.count + numbers.size, mean - self._mean
        self._squares += squares + distance * distance * (self.count * numbers.size / total)
        self._mean += distance * (numbers.size / total)
        self.count = total

    def facts(self) -> dict[str, float | None]:
        if not self.count:
            return {"min": None, "max": None, "mean": None, "std": None}
        deviation = math.sqrt(self._squares / self.count) if self._squares >= 0 else math.nan
        found = {"min": self.low, "max": self.high, "mean": self._mean, "std": deviation}
        return {name: value if math.isfinite(value) else None for name, value in found.items()}


def inspect_array(source: Source, _workshop: Workshop) -> Facts:
    """Shape, type and statistics of an array.

    Returns:
        `shape`; `dtype` as numpy spells it; `order` C or F; `values`, their number; `finite`, how many
        are numbers other than NaN and the infinities (null for what is no real number); `min`, `max`,
        `mean` and `std` of these, null when there are none or when the result is beyond a double.
    Raises:
        Refused: `empty`, `too_large`, `not_npy`, `bad_header`, `object_array` or `truncated`.
    """
    check_size(source, MAX_BYTES)
    with source.path.open("rb") as file:
        header = _header(file, source)
        _check_length(header, source)
        found = _statistics(file, header)
    return {
        "shape": list(header.shape),
        "dtype": shown(header.dtype),
        "order": "F" if header.fortran else "C",
        "values": header.values,
    } | found


def _statistics(file: BinaryIO, header: Header) -> dict[str, Any]:  # facts
    if header.dtype.kind not in "biuf":
        return {"finite": None, "min": None, "max": None, "mean": None, "std": None}
    statistics = _Statistics()
    with np.errstate(all="ignore"):
        for block in _blocks(file, header):
            statistics.add(_finite(block))
    return {"finite": statistics.count} | statistics.facts()


def _finite(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if block.dtype.kind == "b":
        truths: np.ndarray[Any, Any] = block.view(np.uint8) != 0
        return truths
    if block.dtype.kind != "f":
        return block
    # 16-bit floats would overflow where their squares are summed.
    numbers: np.ndarray[Any, Any] = block.astype(np.float64, copy=False)
    finite: np.ndarray[Any, Any] = numbers[np.isfinite(numbers)]
    return finite


def _blocks(file: BinaryIO, header: Header) -> Iterator[np.ndarray[Any, Any]]:
    file.seek(header.start)
    left = header.values
    while left:
        count = min(left, _BLOCK_VALUES)
        yield np.frombuffer(file.read(count * header.dtype.itemsize), header.dtype, count)
        left -= count


def _check_length(header: Header, source: Source) -> None:
    needed = header.values * header.dtype.itemsize
    there = source.size - header.start
    if needed > there:
        told = f"shape {shown(header.shape, 200)} of {shown(header.dtype)}"
        raise Refused("truncated", f"{told} takes {needed:,} bytes; the file holds {there:,}.")


def _header(file: BinaryIO, source: Source) -> Header:
    start = file.read(8)
    if not start.startswith(MAGIC):
        raise Refused("not_npy", f"A .npy file was expected, found {found_in(head_of(source))}.")
    if len(start) < 8:
        raise Refused("truncated", f"The file ends after {len(start)} bytes, within the header.")
    width = _LENGTH_BYTES.get(start[6])
    if width is None:
        raise Refused("bad_header", f"Version {start[6]} of the .npy format is unknown; 1 to 3 are known.")
    length = int.from_bytes(file.read(width), "little")
    if length > MAX_HEADER_BYTES:
        raise Refused(
            "bad_header", f"The header says it has {length:,} bytes; {MAX_HEADER_BYTES:,} are allowed."
        )
    text = file.read(length)
    if len(text) < length:
        raise Refused("truncated", f"The header says it has {length:,} bytes; {len(text):,} are there.")
    return _checked(text.decode("utf-8" if start[6] == 3 else "latin-1", "replace"), file.tell())


def _checked(text: str, start: int) -> Header:
    try:
        told = ast.literal_eval(text.strip(" \n\0"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise Refused("bad_header", f"The header is no Python dictionary: {shown(text)!r}.") from error
    if not isinstance(told, dict) or set(told) != {"descr", "fortran_order", "shape"}:
        raise Refused(
            "bad_header", f"The header must hold descr, fortran_order and shape: {shown(text, 200)!r}."
        )
    return Header(_dtype(told["descr"]), _shape(told["shape"]), bool(told["fortran_order"]), start)


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(axis) is int and axis >= 0 for axis in shape):
        raise Refused("bad_header", f"The shape must be whole numbers from 0, found {shown(shape)}.")
    if len(shape) > MAX_AXES or math.prod(shape) > _MAX_VALUES:
        raise Refused("bad_header", f"The shape {shown(shape)} is larger than any array.")
    return shape


def _dtype(described: Any) -> np.dtype[Any]:  # what numpy wrote for it
    try:
        dtype = np.lib.format.descr_to_dtype(described)
    except Exception as error:  # numpy raises whatever a strange description leads to
        raise Refused("bad_header", f"numpy knows no type {shown(described)!r}.") from error
    if dtype.hasobject:
        raise Refused(
            "object_array",
            "The array holds Python objects (pickles), which are never loaded; only values are.",
        )
    return dtype
