"""Numbers of a series in buckets of steps, and the pyramid that keeps them at five widths.

Buckets are aligned at step 0 and their statistics do not depend on the order in which points came, so the
same points always give the same buckets. A block is a run of 1,024 buckets of one width.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
import numpy as np

from runhue_shared.series.chunks import packed, unpacked
from runhue_shared.series.points import Numbers, Points, Steps, starts_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVELS = (16, 64, 256, 1024, 4096)
"""Steps a bucket has, per level."""

SPAN_BITS = 12
"""A span of 4,096 steps holds whole buckets of every level; where a point changes it is computed anew."""

BLOCK_BUCKETS = 1024
PACKED_LEVELS = 2
"""Levels from here on have so few buckets that compressing them costs more than it saves."""

PCODEC, PLAIN = 1, 2
"""`codec` of a block: doubles by pcodec, or as they are."""

POINTS_A_BUCKET = 4
POINTS_A_BLOCK = 64
"""A block with fewer points to a bucket, or in all, is not stored: reading the points is as cheap."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Buckets that hold a point, ascending; all arrays of shape (buckets,).

    `index` counts buckets from step 0. `low` and `high` are over finite points, NaN where there is none, and
    0.0 for -0.0; `last` is the value at `last_step`, the greatest step, bit for bit.
    """

    index: Steps
    count: Steps
    non_finite: Steps
    last: Numbers
    last_step: Steps
    low: Numbers
    high: Numbers

    def __len__(self) -> int:
        return len(self.index)

    @property
    def points(self) -> int:
        """How many points the buckets hold."""
        return int(self.count.sum())

    def take(self, at: Any) -> "Buckets":  # any numpy index
        return Buckets(
            self.index[at],
            self.count[at],
            self.non_finite[at],
            self.last[at],
            self.last_step[at],
            self.low[at],
            self.high[at],
        )


_COLUMNS = tuple(field.name for field in fields(Buckets))


def no_buckets() -> Buckets:
    whole, real = np.empty(0, np.int64), np.empty(0)
    return Buckets(whole, whole, whole, real, whole, real, real)


def bucket_bits(width: int) -> int:
    """Steps are shifted right by this to get the index of their bucket."""
    return width.bit_length() - 1


def buckets_of(points: Points, width: int) -> Buckets:
    """Buckets of `width` steps, a power of two, of numbers sorted by step."""
    if not len(points):
        return no_buckets()
    index = points.steps >> bucket_bits(width)
    heads = starts_of(index)
    ends = np.append(heads[1:], len(index)) - 1
    finite = np.isfinite(points.numbers)
    whole = bool(finite.all())
    low = points.numbers if whole else np.where(finite, points.numbers, np.inf)
    high = points.numbers if whole else np.where(finite, points.numbers, -np.inf)
    non_finite = np.zeros(len(heads), np.int64) if whole else np.add.reduceat(~finite, heads, dtype=np.int64)
    count = ends - heads + 1
    empty = non_finite == count
    return Buckets(
        index[heads],
        count,
        non_finite,
        points.numbers[ends],
        points.steps[ends],
        np.where(empty, np.nan, np.minimum.reduceat(low, heads) + 0.0),
        np.where(empty, np.nan, np.maximum.reduceat(high, heads) + 0.0),
    )


def merge_buckets(parts: Sequence[Buckets], narrowing: Sequence[int]) -> Buckets:
    """Buckets over all the parts' points, of which no two parts share one.

    Args:
        narrowing: for each part by how many bits its index is shifted to that of the wider result.
    """
    pairs = [(part, bits) for part, bits in zip(parts, narrowing, strict=True) if len(part)]
    if not pairs:
        return no_buckets()
    if len(pairs) == 1:
        joined = pairs[0][0]
        joined = replace(joined, index=joined.index >> pairs[0][1])
    else:
        index = np.concatenate([part.index >> bits for part, bits in pairs])
        columns = (np.concatenate([getattr(part, name) for part, _ in pairs]) for name in _COLUMNS[1:])
        joined = Buckets(index, *columns)
        joined = joined.take(np.lexsort((joined.last_step, joined.index)))
    heads = starts_of(joined.index)
    ends = np.append(heads[1:], len(joined)) - 1
    return Buckets(
        joined.index[heads],
        np.add.reduceat(joined.count, heads),
        np.add.reduceat(joined.non_finite, heads),
        joined.last[ends],
        joined.last_step[ends],
        np.fmin.reduceat(joined.low, heads),
        np.fmax.reduceat(joined.high, heads),
    )


def is_worth_a_block(buckets: Buckets) -> bool:
    """Whether storing the buckets saves reading points."""
    return buckets.points >= max(POINTS_A_BLOCK, POINTS_A_BUCKET * len(buckets))


def block_bits(level: int) -> int:
    """Steps are shifted right by this to get the block of a level."""
    return bucket_bits(LEVELS[level] * BLOCK_BUCKETS)


class _BlockBody(msgspec.Struct, array_like=True):
    """`whole`: zstd of four uint16 planes: gaps between buckets, counts, non-finite counts, last offsets."""

    whole: bytes
    real: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_BlockBody)


class NotABlock(ValueError):
    """Bytes that no version of `encode_block` made."""


def encode_block(level: int, block: int, buckets: Buckets) -> tuple[int, bytes]:
    """(codec, body) of the buckets of one block."""
    first = block * BLOCK_BUCKETS
    offset = buckets.last_step - (buckets.index << bucket_bits(LEVELS[level]))
    gaps = buckets.index.copy()
    gaps[1:] -= buckets.index[:-1]
    gaps[0] -= first
    whole = np.concatenate([gaps, buckets.count, buckets.non_finite, offset]).astype("<u2")
    real = np.concatenate([buckets.last, buckets.low, buckets.high])
    codec = PCODEC if level < PACKED_LEVELS else PLAIN
    body = packed(real) if codec == PCODEC else real.astype("<f8").tobytes()
    return codec, _encoder.encode(_BlockBody(zstd.compress(whole.tobytes(), 1), body))


def decode_block(level: int, block: int, codec: int, body: bytes) -> Buckets:
    """Undo `encode_block`.

    Raises:
        NotABlock: another codec, or bytes that are no block.
    """
    if codec not in (PCODEC, PLAIN):
        raise NotABlock(f"block codec is {codec}, this server reads {PCODEC} and {PLAIN}: update the server")
    try:
        parts = _decoder.decode(body)
        whole = np.frombuffer(zstd.decompress(parts.whole), "<u2").astype(np.int64).reshape(4, -1)
        real = unpacked(parts.real, np.float64) if codec == PCODEC else np.frombuffer(parts.real, "<f8")
        last, low, high = real.reshape(3, -1)
    except (msgspec.DecodeError, RuntimeError, ValueError, zstd.ZstdError) as error:
        raise NotABlock(f"bytes are no block: {error}") from error
    index = np.cumsum(whole[0]) + block * BLOCK_BUCKETS
    last_step = (index << bucket_bits(LEVELS[level])) + whole[3]
    return Buckets(index, whole[1], whole[2], last, last_step, low, high)
