"""Tensors of any library, known by what they can do: no library but numpy is imported for them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import runhue
from runhue._media.tensors import as_numpy
from runhue._public_api.edited_values import EditedValues
from runhue._values import plain
from tests.unit.sdk.media.logged import log, logging

Numbers = npt.NDArray[Any]


class OnDevice:
    """A tensor as torch has it: on an accelerator, with gradients."""

    def __init__(self, values: Numbers, *, gradients: bool = True, on_host: bool = False) -> None:
        self._values, self._gradients, self._on_host = values, gradients, on_host
        self.shape = values.shape
        self.dtype = f"torch.{values.dtype}"

    def detach(self) -> "OnDevice":
        return OnDevice(self._values, gradients=False, on_host=self._on_host)

    def cpu(self) -> "OnDevice":
        return OnDevice(self._values, gradients=self._gradients, on_host=True)

    def numpy(self) -> Numbers:
        if self._gradients or not self._on_host:
            raise RuntimeError("call detach() and cpu() first")
        return self._values

    def tolist(self) -> Any:  # nested lists
        return self._values.tolist()

    def item(self) -> Any:  # a number
        return self._values.item()


class BrainFloat(OnDevice):
    """A torch tensor of bfloat16, which numpy has not; `float()` widens it."""

    def __init__(self, values: Numbers) -> None:
        super().__init__(values, gradients=False, on_host=True)
        self.dtype = "torch.bfloat16"

    def detach(self) -> "BrainFloat":
        return self

    cpu = detach

    def numpy(self) -> Numbers:
        raise TypeError("Got unsupported ScalarType BFloat16")

    def float(self) -> OnDevice:
        return OnDevice(self._values.astype(np.float32), gradients=False, on_host=True)


class Sparse(BrainFloat):
    """A sparse torch tensor, which has no values in order."""

    def float(self) -> OnDevice:
        raise TypeError("can't convert Sparse layout tensor to numpy")

    def tolist(self) -> Any:  # it has none
        raise NotImplementedError("sparse tensors have no tolist")


class Eager:
    """A tensor as tensorflow has it: `numpy()`, and no `tolist()`."""

    def __init__(self, values: Numbers) -> None:
        self._values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def numpy(self) -> Numbers:
        return self._values


class Jax:
    """An array as jax has it: `__array__`, `tolist()` and `item()`."""

    def __init__(self, values: Numbers) -> None:
        self._values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Numbers:
        return self._values

    def tolist(self) -> Any:  # nested lists
        return self._values.tolist()

    def item(self) -> Any:  # a number
        return self._values.item()


KINDS = (np.asarray, OnDevice, BrainFloat, Eager, Jax)


@pytest.mark.parametrize("kind", KINDS)
def test_scalars_and_small_tensors_are_plain(kind: Any) -> None:
    """A tensor without axes is a number, one of a few values a list of them."""
    assert plain(kind(np.array(0.5)), "k") == 0.5
    assert plain(kind(np.array([[1.0, 2.0]])), "k") == [[1.0, 2.0]]


@pytest.mark.parametrize("kind", KINDS)
def test_large_tensors_are_stored_whole_in_the_summary(kind: Any, tmp_path: Path) -> None:
    """The file has every value bit for bit, the summary what it is like."""
    values = np.linspace(-1, 1, 90, dtype=np.float32).reshape(9, 10)

    with logging(tmp_path) as (run, logged):
        run.summary["t"] = kind(values)
    stored = logged.summary["t"]
    read = np.load(io.BytesIO(logged.files[stored["path"]]))
    assert (read.dtype, read.shape) == (np.float32, (9, 10))
    assert read.tobytes() == values.tobytes()
    assert stored["dtype"] == ("bfloat16" if kind is BrainFloat else "float32")
    assert (stored["shape"], stored["size"], stored["min"], stored["max"]) == ([9, 10], 90, -1.0, 1.0)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.int8, np.uint64, np.bool_]),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=4, max_side=6).filter(lambda s: np.prod(s) > 32),
    )
)
def test_statistics_are_those_of_numpy(array: Numbers) -> None:
    """min, max, mean, var, std and percentiles are numpy's of the finite values, and the file is exact."""
    stored, content = summary_of(array)
    assert content.dtype == array.dtype
    assert content.tobytes() == array.tobytes()
    flat = array.astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    assert (stored["shape"], stored["dtype"], stored["size"]) == (
        list(array.shape),
        str(array.dtype),
        array.size,
    )
    if not finite.size:
        assert "mean" not in stored
        return
    with np.errstate(over="ignore", invalid="ignore"):
        expected = {"mean": finite.mean(), "var": finite.var(), "std": finite.std()}
        expected |= {f"{at}%": np.percentile(finite, at) for at in (5, 25, 50, 75, 95)}
    for name, value in expected.items():
        np.testing.assert_allclose(stored[name], value, rtol=1e-12, err_msg=name)
    if array.dtype.kind in "iu":
        assert (stored["min"], stored["max"]) == (int(array.min()), int(array.max()))


def summary_of(array: Numbers) -> tuple[dict[str, Any], Numbers]:
    """What the summary has for an array, and the array in its file."""
    edited = EditedValues({})
    edited["t"] = array
    (content,) = edited.files.contents.values()
    assert isinstance(content, bytes)
    return edited["t"], np.load(io.BytesIO(content))


@pytest.mark.parametrize("shape", [(3,), (100,), (100, 200)])
def test_a_sparse_tensor_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    """A tensor that has no values in order says so, whatever its size."""
    with pytest.raises(TypeError, match=r"^k: .*Sparse"):
        log(tmp_path, {"k": Sparse(np.zeros(shape))})


@pytest.mark.parametrize("value", [np.array([1j]), np.complex64(1j), np.array([1j] * 100)])
def test_complex_numbers_are_refused(value: Any) -> None:
    """There is no plain form of a complex number, so that it is a TypeError with the key."""
    with pytest.raises(TypeError, match=r"k: .*complex.* cannot be logged"):
        plain(value, "k")


def test_strings_and_bools_keep_their_type(tmp_path: Path) -> None:
    """An array of strings is a list of them, also a longer one; of bools too."""
    row = log(tmp_path, {"s": np.array(["a"] * 40), "b": np.array([True, False])}).rows[0][1]
    assert row == {"s": ["a"] * 40, "b": [True, False]}


def test_types_that_numpy_lacks_are_widened() -> None:
    """bfloat16 of jax and tensorflow becomes float32, with the same values."""
    types = pytest.importorskip("ml_dtypes")
    values = np.arange(40, dtype=types.bfloat16)
    assert plain(values[1], "k") == 1.0
    assert plain(values[:3], "k") == [0.0, 1.0, 2.0]
    widened = as_numpy(Jax(values), "k")
    assert (widened.dtype, widened.tolist()) == (np.float32, [float(n) for n in range(40)])
    assert summary_of(values)[0]["dtype"] == "bfloat16"


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax.numpy"])
def test_real_tensors(name: str, tmp_path: Path) -> None:
    """Tensors of the library itself, where it is installed: a scalar, a few values, many, and as an image."""
    module = pytest.importorskip(name)
    if module.__spec__ is None:
        pytest.skip(f"a test put another module in the place of {name}")
    make = getattr(module, "tensor", None) or getattr(module, "constant", None) or module.asarray
    with logging(tmp_path) as (run, logged):
        run.log({"x": make(0.5), "few": make([1.0, 2.0]), "many": make([float(n) for n in range(64)])})
        run.summary["t"] = make([float(n) for n in range(64)])
        run.log({"h": runhue.Histogram(make([1.0, 2.0, 3.0]))})
    row = logged.rows[0][1]
    assert (row["x"], row["few"], row["many"]["_type"]) == (0.5, [1.0, 2.0], "histogram")
    content = logged.files[logged.summary["t"]["path"]]
    assert np.load(io.BytesIO(content)).tolist() == list(range(64))
