"""Points, their types and their order, without a database."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.events import Cells, encode_rows
from runhue_shared.series.columns import InconsistentRows, check_rows, points_by_key
from runhue_shared.series.points import concat, newest_per_step, ord_base
from runhue_shared.series.stats import Extremes, extremes_of, merged_extremes
from runhue_shared.series.values import is_json, value_type

ANY_DEPTH = 64


def every(_key: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (1, "number"),
        (True, "bool"),
        ("NaN", "number"),
        ("nan", "string"),
        (None, "null"),
        ([1], "other"),
        ({}, "other"),
        ({"_type": "image-file"}, "image-file"),
        ({"_type": "number"}, "other"),
        ({"_type": 7}, "other"),
        ({"_type": "x" * 101}, "other"),
        ({"_type": "a\0"}, "other"),
    ],
)
def test_each_value_has_one_type(value: Any, type_: str) -> None:
    """Types follow docs/color.md; a media type cannot pretend to be one of ours."""
    assert value_type(value) == type_


@pytest.mark.parametrize(
    ("value", "fits"),
    [(1, True), ([[]], True), ([[[1]]], False), ({"a": {"b": 1}}, True), (b"x", False), ({1: 2}, False)],
)
def test_json_of_limited_depth(value: Any, fits: bool) -> None:
    """Bytes, keys that are no text and values nested deeper than 2 are no values here."""
    assert is_json(value, 2) is fits


def test_values_come_back_as_they_were() -> None:
    """Floats bit for bit with NaN payloads, ints of any size, and the rest as it was."""
    odd_nan = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))[0]
    logged: list[Any] = [1, 1.0, -0.0, odd_nan, 2**70, -math.inf, "text", None, True, {"a": [1]}, "Infinity"]
    rows = encode_rows([(seq, seq, {"k": value}) for seq, value in enumerate(logged)])

    points = newest_per_step(points_by_key([(rows, 0)], every, ANY_DEPTH)["k"])

    plain = points.plain()
    assert [type(value) for value in plain[:3]] == [int, float, float]
    assert struct.pack("<d", plain[3]) == struct.pack("<d", odd_nan)
    assert math.copysign(1, plain[2]) == -1
    assert plain[4:] == [2**70, -math.inf, "text", None, True, {"a": [1]}, math.inf]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(0, 30)), min_size=1, max_size=40))
def test_the_greatest_ord_stands_at_each_step(records: list[tuple[int, int, int]]) -> None:
    """In whatever parts and order points come, each step keeps the one latest in the run's order."""
    unique = {ord_base(no, seq): step for step, no, seq in records}
    parts = [
        points_by_key([(encode_rows([(0, step, {"k": float(place % 97)})]), place)], every, ANY_DEPTH)["k"]
        for place, step in unique.items()
    ]

    points = newest_per_step(concat(parts))

    expected = {step: max(o for o, s in unique.items() if s == step) for step in set(unique.values())}
    assert dict(zip(points.steps.tolist(), points.ords.tolist(), strict=True)) == expected
    assert points.steps.tolist() == sorted(expected)
    assert points.plain() == [float(expected[step] % 97) for step in sorted(expected)]


@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -3.5, math.nan, math.inf, -math.inf]), min_size=1), st.data()
)
def test_extremes_of_parts_are_those_of_the_whole(values: list[float], data: st.DataObject) -> None:
    """Extremes, their first steps and the counts merge exactly however the points are parted."""
    rows = encode_rows([(step, step, {"k": value}) for step, value in enumerate(values)])
    points = newest_per_step(points_by_key([(rows, 0)], every, ANY_DEPTH)["k"])
    part = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values))))

    merged = merged_extremes([extremes_of("number", points.take(part == at)) for at in range(3)])

    assert merged == extremes_of("number", points)


def test_bools_have_extremes() -> None:
    """False is less than true."""
    rows = encode_rows([(step, step, {"k": value}) for step, value in enumerate([True, False, True])])
    points = points_by_key([(rows, 0)], every, ANY_DEPTH)["k"]

    assert extremes_of("bool", points) == Extremes(0.0, 1, 1.0, 0, 0, 0)


def test_cells_that_do_not_fit_their_rows_are_refused() -> None:
    """Values of more rows than named are poison."""
    rows = encode_rows([(0, 0, {"k": "a"})])
    rows.cells = [Cells("k", b"\0\0\0\0", ["a", "b"])]

    with pytest.raises(InconsistentRows, match="has 2 values"):
        check_rows(rows, 0)
