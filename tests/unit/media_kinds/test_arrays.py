"""What is found in numpy's files: shape and statistics, without trusting the header."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runhue._media.arrays import npy_bytes
from runhue_server.media.kinds import arrays as inspecting
from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import npy

NUMBERS = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)


def header(text: str, version: int = 1) -> bytes:
    length = len(text.encode()).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


@given(arrays.arrays(NUMBERS, arrays.array_shapes(min_dims=0, min_side=0, max_side=6)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_statistics_are_numpys(array: np.ndarray[Any, Any], fortran: bool) -> None:
    """Shape, type and statistics are those of the finite numbers, whatever the bytes' order."""
    array = np.asfortranarray(array) if fortran and array.ndim else array

    found = look("array", "npy", npy(array)).facts

    assert (found["shape"], found["dtype"], found["values"]) == (
        list(array.shape),
        str(array.dtype),
        array.size,
    )
    assert found["order"] == ("F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C")
    numbers = array.ravel()[np.isfinite(array.ravel())]
    assert found["finite"] == numbers.size
    if numbers.size:
        assert (found["min"], found["max"]) == (numbers.min().item(), numbers.max().item())
        check_moments(found, numbers.astype(np.float64))
    else:
        assert [found[name] for name in ("min", "max", "mean", "std")] == [None] * 4


def check_moments(found: dict[str, Any], numbers: np.ndarray[Any, Any]) -> None:
    """Mean and deviation agree with numpy's, where a double holds them."""
    with np.errstate(all="ignore"):
        wanted = {"mean": numbers.mean().item(), "std": numbers.std().item()}
    largest = np.abs(numbers).max()
    for name, value in wanted.items():
        if math.isfinite(value) and found[name] is not None:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9 * largest)
        else:
            assert found[name] is None


def test_many_blocks_are_one_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics joined from blocks are those of all values at once."""
    array = np.random.default_rng(1).normal(1e6, 1, (37, 11))
    array[3, 4] = np.nan
    monkeypatch.setattr(inspecting, "_BLOCK_VALUES", 10)

    found = look("array", "npy", npy(array)).facts

    assert found["finite"] == array.size - 1
    assert found["mean"] == pytest.approx(np.nanmean(array), rel=1e-13)
    assert found["std"] == pytest.approx(np.nanstd(array), rel=1e-9)


def test_what_the_sdk_keeps_is_read() -> None:
    """A large array of a summary comes back with its shape."""
    content = npy_bytes(np.eye(3, dtype="f2"), "key")

    assert look("array", "npy", content).facts == {
        "shape": [3, 3],
        "dtype": "float16",
        "order": "C",
        "values": 9,
        "finite": 9,
        "min": 0,
        "max": 1,
        "mean": pytest.approx(1 / 3),
        "std": pytest.approx(math.sqrt(2) / 3),
    }


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "bc"]),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, [("x", "f4"), ("y", "i2", (2,))]),
        np.array([b"x"]),
    ],
)
def test_what_is_no_number_has_no_statistics(array: np.ndarray[Any, Any]) -> None:
    """Text, complex numbers, dates and records have a shape and a type only."""
    found = look("array", "npy", npy(array)).facts

    assert (found["values"], found["finite"], found["min"], found["std"]) == (array.size, None, None, None)


def test_pickles_are_never_loaded() -> None:
    """An array of Python objects is refused before a byte of it is read."""
    assert refused("array", "npy", npy(np.array([{}, []], dtype=object))).code == "object_array"
    inner = header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}")
    assert refused("array", "npy", inner).code == "object_array"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x93NUMPY", "truncated"),
        (b"\x93NUMPY\x09\0\0\0", "bad_header"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\x7f", "bad_header"),
        (b"\x93NUMPY\x01\0\x76\0{'des", "truncated"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}"), "truncated"),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999)}"),
            "bad_header",
        ),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "bad_header"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}"), "bad_header"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': 3}"), "bad_header"),
        (header("{'descr': '<q9', 'fortran_order': False, 'shape': (3,)}"), "bad_header"),
        (header("{'descr': [[]], 'fortran_order': False, 'shape': (3,)}"), "bad_header"),
        (header("{'descr': None, 'shape': (3,)}"), "bad_header"),
        (header("__import__('os').abort()"), "bad_header"),
        (header("(" * 9000), "bad_header"),
        (header("-" * 9000 + "1"), "bad_header"),
        (b"PK\x03\x04", "not_npy"),
    ],
)
def test_headers_that_lie_are_refused(content: bytes, code: str) -> None:
    """Sizes are compared with the file before room is made, and nothing in a header is run."""
    assert refused("array", "npy", content).code == code


def test_the_third_version_may_have_any_names() -> None:
    """Names of fields in UTF-8, which version 3 brought."""
    made = header("{'descr': [('ß', '<f4')], 'fortran_order': False, 'shape': ()}", 3) + bytes(4)

    assert look("array", "npy", made).facts["dtype"] == "[('ß', '<f4')]"
