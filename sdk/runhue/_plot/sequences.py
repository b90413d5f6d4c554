"""Plain Python values of what users hold: lists, arrays, tensors, columns and frames."""

import math
from collections.abc import Iterable
from typing import Any

from runhue._errors import BadMedia

Values = Any
"""A list, tuple, range, array, tensor, or column of a frame. Their types have no common name."""

ScoreTable = Any
"""Scores of shape (examples, classes): rows, a 2-D array or tensor, or a frame."""


def values_of(given: object, argument: str) -> list[Any]:  # whatever the user's sequence holds
    """The values of a sequence, one or more; those of a table are lists, row by row.

    Raises:
        BadMedia: `given` is no sequence, or empty; the message names `argument`.
    """
    values = any_values_of(given, argument)
    if not values:
        raise BadMedia(f"{argument} is empty: there is nothing to plot")
    return values


def any_values_of(given: object, argument: str) -> list[Any]:  # whatever the user's sequence holds
    """The values of a sequence, which may be empty.

    Raises:
        BadMedia: `given` is no sequence; the message names `argument`.
    """
    values = _listed(given)
    if values is None:
        raise BadMedia(f"{argument} must be a sequence of values, got {type(given).__name__}")
    return values


def _listed(given: Any) -> list[Any] | None:  # user data of any kind
    if hasattr(given, "to_numpy"):  # pandas, polars
        given = given.to_numpy()
    elif hasattr(given, "numpy") and not hasattr(given, "tolist"):  # tensorflow
        given = given.numpy()
    if hasattr(given, "tolist"):
        listed = given.tolist()
        return listed if isinstance(listed, list) else None
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return None
    return [_plain(value) for value in given]


def _plain(value: Any) -> Any:  # user data of any kind
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    return value.tolist() if hasattr(value, "tolist") else value


def score_rows(given: object, argument: str, examples: int) -> list[list[float]]:
    """Scores of each example for each class, shape (examples, classes), all finite.

    Raises:
        BadMedia: another shape, or a score that is no finite number; the message names `argument`.
    """
    rows = values_of(given, argument)
    if len(rows) != examples:
        raise BadMedia(f"{argument} has {len(rows)} rows and y_true {examples} values: they must match")
    for position, row in enumerate(rows):
        if not isinstance(row, list | tuple):
            raise BadMedia(
                f"{argument} must have a row for each example with a score for each class, got"
                f" {type(row).__name__} at {position}: of two classes, give both columns (1 - p and p)"
            )
        if len(row) != len(rows[0]):
            raise BadMedia(
                f"{argument} must have as many scores in each row: row 0 has {len(rows[0])}, row {position}"
                f" has {len(row)}"
            )
    return [_finite(row, argument, position) for position, row in enumerate(rows)]


def _finite(row: Iterable[Any], argument: str, position: int) -> list[float]:  # user data
    try:
        scores = [float(score) for score in row]
    except (TypeError, ValueError):
        raise BadMedia(f"{argument} must hold numbers, got {row!r} in row {position}") from None
    if not all(map(math.isfinite, scores)):
        raise BadMedia(f"{argument} must hold finite numbers, got {scores} in row {position}")
    return scores
