"""What becomes of an array that is too large to be stored as a list."""

import io
import math
from typing import Any

from runhue._media.histogram import histogram_of
from runhue._media.libraries import library
from runhue._media.media import Place
from runhue._media.tensors import Array, as_numpy, dtype_name

LIST_VALUES = 32
"""Larger arrays become a histogram of as many bins, in the summary statistics. Source: the wandb client."""

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)


def is_large(value: Array) -> bool:
    """True when it is not stored as a list."""
    return math.prod(value.shape) > LIST_VALUES


def large_array(value: Array, place: Place) -> dict[str, Any] | None:
    """What is stored for a large array: its histogram, in the summary its statistics and the array itself.

    None when it holds no numbers.
    """
    array = as_numpy(value, place.key)
    if array.dtype.kind not in "biuf":
        return None
    if place.step is None:
        named = {"_type": _type_name(value), "dtype": dtype_name(value)}
        return named | _statistics(array, place)
    numbers = array.astype("float64") if array.dtype.kind in "bf" else array
    finite = numbers[library("numpy", place.key).isfinite(numbers)]
    counts, edges = histogram_of(finite, LIST_VALUES, place.key)
    return {"_type": "histogram", "values": counts, "bins": edges}


def _type_name(value: object) -> str:
    """How wandb calls the kind of an array."""
    root = type(value).__module__.partition(".")[0]
    return {"torch": "torch.Tensor", "tensorflow": "tensorflow.Tensor"}.get(root, "numpy.ndarray")


def _statistics(array: Any, place: Place) -> dict[str, Any]:  # numpy.ndarray
    numpy = library("numpy", place.key)
    flat = array.astype("float64").ravel()
    finite = flat[numpy.isfinite(flat)]
    kept = place.add_file(npy_bytes(array, place.key), "arrays", "npy")
    value: dict[str, Any] = {"size": array.size, "shape": list(array.shape)}
    value |= {"path": kept["path"], "sha256": kept["sha256"], "bytes": kept["size"]}
    if finite.size:
        with numpy.errstate(all="ignore"):  # of values near the end of doubles the variance is infinite
            value |= _moments(array, finite, numpy)
    return value


def _moments(array: Any, finite: Any, numpy: Any) -> dict[str, Any]:  # numpy.ndarray
    moments = {
        "min": _extreme(array, finite, "min"),
        "max": _extreme(array, finite, "max"),
        "mean": finite.mean().item(),
        "var": finite.var().item(),
        "std": finite.std().item(),
    }
    quantiles = numpy.percentile(finite, PERCENTILES).tolist()
    return moments | {f"{at}%": quantile for at, quantile in zip(PERCENTILES, quantiles, strict=True)}


def _extreme(array: Any, finite: Any, name: str) -> int | float:  # numpy.ndarray
    """The least or greatest value; of integers exactly."""
    of = array if array.dtype.kind in "iu" else finite
    value: int | float = getattr(of, name)().item()
    return value


def npy_bytes(array: Any, needed_for: str) -> bytes:  # numpy.ndarray
    """The array in numpy's file format, without pickles."""
    content = io.BytesIO()
    library("numpy", needed_for).save(content, array, allow_pickle=False)
    return content.getvalue()
