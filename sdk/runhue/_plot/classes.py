"""Which class each example is of, and which column of the scores is whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runhue._errors import BadMedia
from runhue._plot.sequences import ScoreTable, Values, score_rows, values_of

NAMED_IN_MESSAGES = 10


@dataclass(frozen=True)
class OneVersusRest:
    """One class against all others. `positive` and `scores` have one entry for each example."""

    name: Any  # the class as the user writes it: str, int, float or bool
    positive: list[bool]
    scores: list[float]


def one_versus_rest(
    y_true: Values, y_probas: ScoreTable, labels: Values | None, classes_to_plot: Values | None
) -> list[OneVersusRest]:
    """The classes that occur in `y_true`, in order, or those of them that are asked for.

    Column i of `y_probas` is the i-th class in order when all occur. When some are missing from
    `y_true` it is the class numbered i, or named `labels[i]`.

    Raises:
        BadMedia: arguments that do not fit each other; the message names them.
    """
    truth = values_of(y_true, "y_true")
    rows = score_rows(y_probas, "y_probas", len(truth))
    classes = classes_in(truth, "y_true")
    names = None if labels is None else values_of(labels, "labels")
    columns = _columns(classes, len(rows[0]), names)
    wanted = None if classes_to_plot is None else _wanted(classes_to_plot, classes, len(rows[0]), names)
    versus = []
    for one, column in zip(classes, columns, strict=True):
        name = _name(one, column, len(rows[0]), names)
        if wanted is None or one in wanted or name in wanted:
            versus.append(
                OneVersusRest(name, [value == one for value in truth], [row[column] for row in rows])
            )
    if not versus:
        raise BadMedia(f"classes_to_plot names no class that occurs in y_true, which has {_listing(classes)}")
    return versus


def classes_in(values: list[Any], argument: str) -> list[Any]:  # classes as the user writes them
    """The classes that occur, in order.

    Raises:
        BadMedia: numbers and strings mixed, NaN, or what is no class; the message names `argument`.
    """
    try:
        classes = sorted(set(values))
    except TypeError:
        raise BadMedia(
            f"{argument} must hold one class for each example, all numbers or all strings, got"
            f" {_listing(sorted({type(value).__name__ for value in values}))}"
        ) from None
    if any(one != one for one in classes):
        raise BadMedia(f"{argument} must hold a class for each example, got NaN")
    return classes


def _columns(classes: list[Any], count: int, names: list[Any] | None) -> list[int]:
    if len(classes) == count:
        return list(range(count))
    if len(classes) < count and all(number_of(one, count) is not None for one in classes):
        return [int(one) for one in classes]
    if names is not None and len(names) == count and all(one in names for one in classes):
        return [names.index(one) for one in classes]
    raise BadMedia(
        f"y_probas has {count} columns and y_true {len(classes)} classes ({_listing(classes)}): pass labels"
        " with the name of the class of each column"
    )


def number_of(one: Any, count: int) -> int | None:  # a class as the user writes it
    """The class as a number below `count`; None when it is none."""
    if isinstance(one, int | float) and 0 <= one < count and one == int(one):
        return int(one)
    return None


def _name(one: Any, column: int, count: int, names: list[Any] | None) -> Any:
    if names is None or isinstance(one, str):
        return one
    number = number_of(one, len(names))
    if number is not None:
        return names[number]
    if len(names) == count:
        return names[column]
    raise BadMedia(f"labels has {len(names)} names, and y_true a class {one!r}: name every class in order")


def _wanted(asked: Values, classes: list[Any], count: int, names: list[Any] | None) -> list[Any]:
    wanted = values_of(asked, "classes_to_plot")
    known = [*classes, *range(count), *(names or ())]
    unknown = [one for one in wanted if one not in known]
    if unknown:
        raise BadMedia(
            f"classes_to_plot has {unknown[0]!r}, which is no class of y_true"
            f" ({_listing(classes)}){' and none of labels' if names else ''}"
        )
    return wanted


def _listing(values: Sequence[Any]) -> str:
    shown = ", ".join(map(repr, values[:NAMED_IN_MESSAGES]))
    return f"{shown}, ..." if len(values) > NAMED_IN_MESSAGES else shown
