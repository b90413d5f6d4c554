"""Chunks and blocks: what is stored comes back to the bit."""

import math
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.events import encode_rows
from runhue_shared.series.chunks import PCODEC_MSGPACK, ChunkEncoder, NotAChunk, decode_chunk
from runhue_shared.series.columns import points_by_key
from runhue_shared.series.points import Points, newest_per_step
from runhue_shared.series.pyramid import (
    LEVELS,
    NotABlock,
    bucket_bits,
    buckets_of,
    decode_block,
    encode_block,
    is_worth_a_block,
    merge_buckets,
)
from runhue_shared.series.tiers import groups_to_merge, split_at, split_sealed

NUMBERS = st.one_of(st.floats(width=64), st.integers(-(2**80), 2**80))
OTHERS = st.one_of(st.text(max_size=5), st.none(), st.booleans(), st.lists(st.integers(0, 9), max_size=3))


def points_of(values: list[Any], spacing: int = 1) -> Points:
    rows = encode_rows([(seq, seq * spacing, {"k": value}) for seq, value in enumerate(values)])
    return newest_per_step(points_by_key([(rows, 7 << 40)], lambda _key: True, 64)["k"])


def bits(values: list[Any]) -> list[Any]:
    """Values that are equal only when they are the same."""
    return [struct.pack("<d", value) if isinstance(value, float) else value for value in values]


def test_many_keys_of_large_integers_cost_by_their_number() -> None:
    """A row of 20,000 keys with ints beyond every double's precision is read in time, and exactly."""
    rows = encode_rows([(0, 0, {f"k{at}": 2**60 + at for at in range(20_000)})])
    started = time.process_time()

    found = points_by_key([(rows, 0)], lambda _key: True, 64)

    assert time.process_time() - started < 8  # by the square of the keys it takes a minute
    assert found["k19999"].plain() == [2**60 + 19_999]


@given(st.lists(st.one_of(NUMBERS, OTHERS), min_size=1, max_size=60), st.integers(1, 10**6))
def test_a_chunk_comes_back(values: list[Any], spacing: int) -> None:
    """Steps, ords and values of every type are the same after storing."""
    for type_, points in points_of(values, spacing).by_type().items():
        body = ChunkEncoder().encode(type_, points)

        found = decode_chunk(type_, PCODEC_MSGPACK, body)

        assert found.steps.tolist() == points.steps.tolist()
        assert found.ords.tolist() == points.ords.tolist()
        assert bits(found.plain()) == bits(points.plain())
        assert list(found.by_type()) == [type_]


def test_bytes_that_are_no_chunk() -> None:
    """Another codec or broken bytes are an error that says so."""
    with pytest.raises(NotAChunk, match="chunk codec is 9"):
        decode_chunk("number", 9, b"")
    with pytest.raises(NotAChunk, match="bytes are no chunk"):
        decode_chunk("number", PCODEC_MSGPACK, b"\x00broken")
    with pytest.raises(NotABlock, match="block codec is 9"):
        decode_block(0, 0, 9, b"")
    with pytest.raises(NotABlock, match="bytes are no block"):
        decode_block(0, 0, 1, b"\x00broken")


def test_a_realistic_loss_takes_few_bytes() -> None:
    """A smooth loss with noise, rounded to float32, needs less than 3.5 bytes a point in all columns."""
    n = 65_536
    noise = np.random.default_rng(1).normal(0, 0.05, n)
    loss = (2 * np.exp(-3 * np.arange(n) / n) + noise).astype(np.float32).astype(np.float64)
    points = Points(np.arange(n), np.arange(n) + (1 << 40), loss)

    assert len(ChunkEncoder().encode("number", points)) / n < 3.5


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_a_block_comes_back(level: int) -> None:
    """Buckets of every level are the same after storing, with gaps and non-finite values."""
    chance = np.random.default_rng(level)
    steps = np.unique(chance.integers(0, LEVELS[level] * 1024, 5000)) + LEVELS[level] * 1024 * 3
    values = chance.normal(size=len(steps))
    values[chance.random(len(steps)) < 0.2] = math.nan
    buckets = buckets_of(Points(steps, steps, values), LEVELS[level])

    codec, body = encode_block(level, 3, buckets)
    found = decode_block(level, 3, codec, body)

    for name in ("index", "count", "non_finite", "last", "last_step", "low", "high"):
        assert getattr(found, name).tobytes() == getattr(buckets, name).tobytes()


@given(st.data())
def test_buckets_merge_exactly(data: st.DataObject) -> None:
    """Buckets of parts, made wider together, are the buckets of all points."""
    steps = np.array(sorted(data.draw(st.sets(st.integers(0, 2000), min_size=1))))
    number = st.sampled_from([0.0, -0.0, 1.0, -2.0, math.nan, math.inf])
    values = np.array(data.draw(st.lists(number, min_size=len(steps), max_size=len(steps))))
    part = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(steps), max_size=len(steps))))
    points = Points(steps, steps, values)

    fine = [buckets_of(points.take(part == at), 16) for at in range(2)]
    merged = merge_buckets(fine, [bucket_bits(256) - bucket_bits(16)] * 2)

    whole = buckets_of(points, 256)
    for name in ("index", "count", "non_finite", "last", "last_step", "low", "high"):
        assert getattr(merged, name).tobytes() == getattr(whole, name).tobytes()


def test_sparse_points_make_no_block() -> None:
    """Where buckets would hold few points each, points are read instead."""
    dense, sparse = np.arange(1000), np.arange(1000) * 1000

    assert is_worth_a_block(buckets_of(Points(dense, dense, np.ones(1000)), 16))
    assert not is_worth_a_block(buckets_of(Points(sparse, sparse, np.ones(1000)), 16))


@given(st.lists(st.integers(1, 70_000), max_size=60))
def test_merging_by_tiers_leaves_few_chunks(sizes: list[int]) -> None:
    """Groups cover all chunks in order, and merging again changes nothing."""
    groups = groups_to_merge(sizes)

    assert [at for start, stop in groups for at in range(start, stop)] == list(range(len(sizes)))
    merged = [sum(sizes[start:stop]) for start, stop in groups]
    assert groups_to_merge(merged) == [(at, at + 1) for at in range(len(merged))]


def test_points_are_rewritten_once_a_tier() -> None:
    """Chunks of one size are merged sixteen at a time, up to a sealed one."""
    sizes: list[int] = []
    written = 0
    for _ in range(256):
        sizes.append(256)
        groups = groups_to_merge(sizes)
        written += sum(sum(sizes[a:b]) for a, b in groups if b - a > 1)
        sizes = [sum(sizes[a:b]) for a, b in groups]

    assert sizes == [65_536]
    assert written <= 2 * 65_536


def test_points_are_cut_at_chunks_that_stay() -> None:
    """Pieces lie between the first steps of chunks; a large piece is split evenly."""
    steps = np.arange(200_000)
    points = Points(steps, steps, np.ones(200_000))

    assert [len(piece) for piece in split_at(points, [10, 10, 50])] == [10, 40, 199_950]
    assert [len(piece) for piece in split_sealed(points)] == [66_666, 66_667, 66_667]
