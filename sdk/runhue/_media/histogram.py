"""`runhue.Histogram`: counts of values in bins, stored inline."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.tensors import as_numpy

MAX_BINS = 512
DEFAULT_BINS = 64


class Histogram(Media):
    """A distribution: over steps a heatmap, in the summary a sparkline.

    Args:
        sequence: numbers, of any shape; must be finite.
        np_histogram: (counts, bin edges) as `numpy.histogram` returns them, instead of `sequence`.
        num_bins: bins of equal width from the least to the greatest value, 1 to 512.
    Raises:
        BadMedia: not exactly one of both, more than 512 bins, or numbers that are none.
        LibraryMissing: a sequence needs numpy (`runhue[media]`).
    """

    MAX_LENGTH = MAX_BINS

    def __init__(
        self,
        sequence: Any = None,  # a sequence or array of numbers
        np_histogram: tuple[Any, Any] | None = None,  # arrays or sequences of numbers
        num_bins: int = DEFAULT_BINS,
    ) -> None:
        if (sequence is None) == (np_histogram is None):
            raise BadMedia("Histogram takes either sequence or np_histogram, and exactly one of them")
        self.histogram: list[int | float]
        self.bins: list[float]
        if np_histogram is not None:
            self.histogram, self.bins = _given(np_histogram)
        else:
            self.histogram, self.bins = histogram_of(sequence, num_bins, "Histogram: sequence")
        if len(self.histogram) > MAX_BINS:
            raise BadMedia(f"np_histogram has {len(self.histogram)} bins, at most {MAX_BINS} are allowed")

    def stored(self, place: Place) -> dict[str, Any]:  # noqa: ARG002  # it has no file
        """`{_type: histogram, values: [n], bins: [n + 1]}`."""
        return {"_type": "histogram", "values": self.histogram, "bins": self.bins}


def histogram_of(numbers: Any, num_bins: int, name: str) -> tuple[list[int | float], list[float]]:
    """(counts, edges) of numbers, a sequence or array of any shape, as `numpy.histogram` has them.

    Raises:
        BadMedia: `num_bins` outside 1 to 512, or a value that is no finite number.
    """
    if isinstance(num_bins, bool) or not isinstance(num_bins, int) or not 1 <= num_bins <= MAX_BINS:
        raise BadMedia(f"num_bins must be 1 to {MAX_BINS}, got {num_bins!r}")
    numpy = library("numpy", "a histogram")
    try:
        array = as_numpy(numbers, name)
        if array.dtype.kind not in "biuf":
            raise BadMedia(f"{name} must hold numbers, got {array.dtype}")
        array = array.astype("float64") if array.dtype.kind in "bf" else array
        not_finite = int((~numpy.isfinite(array)).sum())
        if not_finite:
            raise BadMedia(
                f"{name} must hold finite numbers, {not_finite} of {array.size} are NaN or infinite"
            )
        with numpy.errstate(all="ignore"):
            counts, edges = numpy.histogram(array, bins=num_bins)
    except BadMedia:
        raise
    except (TypeError, ValueError) as error:
        raise BadMedia(f"{name} cannot be put into bins: {error}") from error
    if not numpy.isfinite(edges).all():
        raise BadMedia(f"{name} cannot be put into bins: its values are too far apart for doubles")
    return counts.tolist(), edges.tolist()


def _given(np_histogram: tuple[Any, Any]) -> tuple[list[int | float], list[float]]:
    """The counts and edges of a histogram that was made elsewhere."""
    if not isinstance(np_histogram, tuple | list) or len(np_histogram) != 2:
        raise BadMedia(f"np_histogram must be (counts, bin edges), got {type(np_histogram).__name__}")
    counts = _numbers(np_histogram[0], "counts")
    edges = _numbers(np_histogram[1], "bin edges")
    if len(edges) != len(counts) + 1:
        raise BadMedia(
            f"np_histogram needs one bin edge more than counts, got {len(counts)} counts and"
            f" {len(edges)} edges"
        )
    if any(before > after for before, after in pairwise(edges)):
        raise BadMedia("np_histogram: bin edges must ascend")
    return counts, edges


def _numbers(values: Any, name: str) -> list[Any]:  # int or float, from any library
    listed: Sequence[Any] = values.tolist() if hasattr(values, "tolist") else values
    plain = [value.item() if hasattr(value, "item") else value for value in listed]
    for value in plain:
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise BadMedia(f"np_histogram: {name} must be finite numbers, got {value!r}")
    return plain
