"""Counting what was taken for what."""

from collections import Counter
from typing import Any

from runhue._errors import BadMedia
from runhue._plot.classes import classes_in, number_of
from runhue._plot.sequences import ScoreTable, Values, score_rows, values_of

Counts = list[tuple[Any, Any, int]]
"""(actual class, predicted class, how many examples), row by row of the matrix."""


def confusion_counts(
    probs: ScoreTable | None, y_true: Values, preds: Values | None, class_names: Values | None
) -> Counts:
    """Every cell of the matrix, also the empty ones, in the order of `class_names`.

    Classes are numbers that count `class_names`, or names out of it; without it they are all that
    occur, in order, and are named Class_1, Class_2...

    Raises:
        BadMedia: arguments that do not fit each other; the message names them.
    """
    if (probs is None) == (preds is None):
        given = "neither" if probs is None else "both"
        raise BadMedia(f"give exactly one of probs and preds, got {given}")
    actual = values_of(y_true, "y_true")
    predicted = _most_probable(probs, len(actual)) if preds is None else values_of(preds, "preds")
    if len(predicted) != len(actual):
        raise BadMedia(f"preds has {len(predicted)} values and y_true {len(actual)}: they must match")
    names = None if class_names is None else values_of(class_names, "class_names")
    if names is None:
        classes = classes_in([*actual, *predicted], "y_true and preds")
        names = [f"Class_{at + 1}" for at in range(len(classes))]
        places = {one: at for at, one in enumerate(classes)}
        pairs = Counter((places[was], places[said]) for was, said in zip(actual, predicted, strict=True))
    else:
        at_true = [_place(one, names, "y_true") for one in actual]
        at_predicted = [_place(one, names, "preds" if probs is None else "probs") for one in predicted]
        pairs = Counter(zip(at_true, at_predicted, strict=True))
    return [(was, said, pairs[i, j]) for i, was in enumerate(names) for j, said in enumerate(names)]


def _most_probable(probs: ScoreTable, examples: int) -> list[int]:
    return [row.index(max(row)) for row in score_rows(probs, "probs", examples)]


def _place(one: Any, names: list[Any], argument: str) -> int:
    number = number_of(one, len(names))
    if number is not None:
        return number
    if one in names:
        return names.index(one)
    raise BadMedia(
        f"{argument} has {one!r}, which is neither one of class_names nor a number from 0 to {len(names) - 1}"
    )
