"""The charts of `runhue.plot`, with wandb's names, arguments and defaults."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from runhue._errors import BadMedia
from runhue._media.table import Table
from runhue._plot.charts import Chart, LegacyChart, chart_of, table_given
from runhue._plot.classes import OneVersusRest, one_versus_rest
from runhue._plot.confusion import confusion_counts
from runhue._plot.curves import precision_at_recalls, roc_points
from runhue._plot.sequences import ScoreTable, Values, any_values_of, values_of
from runhue._plot.thinning import thinned

AREA = "wandb/area-under-curve/v0"
RECALLS = 21


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: Mapping[str, Any],
    string_fields: Mapping[str, Any] | None = None,
    split_table: bool = False,
) -> Chart:
    """A chart of any preset, also of your team's (`team/name`).

    `fields` maps the preset's fields to columns of `data_table`, `string_fields` its texts.

    Raises:
        BadMedia (a ValueError): `data_table` is none, or lacks a column.
    """
    return chart_of(data_table, vega_spec_name, fields, string_fields, split_table, argument="data_table")


def visualize(id: str, value: Table) -> LegacyChart:  # noqa: A002  # wandb's name
    """A table drawn by a preset of 2020, as old scripts ask for.

    Raises:
        BadMedia (a ValueError): `value` is no table.
    """
    return LegacyChart(table_given(value, "value"), id)


def line(
    table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False
) -> Chart:
    """Points (x, y) joined in the order of the table; `stroke` is the column that tells lines apart.

    Raises:
        BadMedia (a ValueError): a column that the table lacks.
    """
    fields = {"x": x, "y": y, "stroke": stroke}
    return chart_of(table, "wandb/line/v0", fields, {"title": title}, split_table)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> Chart:
    """A point (x, y) for each row.

    Raises:
        BadMedia (a ValueError): a column that the table lacks.
    """
    return chart_of(table, "wandb/scatter/v0", {"x": x, "y": y}, {"title": title}, split_table)


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> Chart:
    """A bar of length `value` for each row, named `label`.

    Raises:
        BadMedia (a ValueError): a column that the table lacks.
    """
    return chart_of(table, "wandb/bar/v0", {"label": label, "value": value}, {"title": title}, split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> Chart:
    """How often values of the column occur, in bins.

    Raises:
        BadMedia (a ValueError): a column that the table lacks.
    """
    return chart_of(table, "wandb/histogram/v0", {"value": value}, {"title": title}, split_table)


def line_series(
    xs: Values,
    ys: Values,
    keys: Values | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> Chart:
    """Several lines on one pair of axes.

    Args:
        xs: one list of x for all lines, or one list for each.
        ys: a list of y for each line.
        keys: the lines' names; line_0, line_1... by default.
        xname: what is written at the x-axis.
    Raises:
        BadMedia (a ValueError): lengths that differ; the message names both.
    """
    lines = [any_values_of(one, f"ys[{at}]") for at, one in enumerate(values_of(ys, "ys"))]
    all_x = values_of(xs, "xs")
    if isinstance(all_x[0], str | bytes) or not isinstance(all_x[0], Iterable):
        all_x = [all_x] * len(lines)
    names = [f"line_{at}" for at in range(len(lines))] if keys is None else values_of(keys, "keys")
    _same_length("xs", len(all_x), "ys", len(lines))
    _same_length("keys", len(names), "ys", len(lines))
    rows = []
    for at, (name, x_values, y_values) in enumerate(zip(names, all_x, lines, strict=True)):
        x_listed = any_values_of(x_values, f"xs[{at}]")
        _same_length(f"xs[{at}]", len(x_listed), f"ys[{at}]", len(y_values))
        rows += [[x, name, y] for x, y in zip(x_listed, y_values, strict=True)]
    columns = ["step", "lineKey", "lineVal"]
    fields = {column: column for column in columns}
    table = Table(columns=columns, data=rows)
    return chart_of(table, "wandb/lineseries/v0", fields, {"title": title, "xname": xname}, split_table)


def _same_length(one: str, length: int, other: str, other_length: int) -> None:
    if length != other_length:
        raise BadMedia(f"{one} has {length} entries and {other} has {other_length}: they must match")


def pr_curve(
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    classes_to_plot: Values | None = None,
    interp_size: int = RECALLS,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> Chart:
    """Precision at evenly spaced recalls, one curve for each class against the rest.

    Args:
        y_true: the class of each example, shape (examples,).
        y_probas: scores, shape (examples, classes).
        labels: names of the classes, by their number.
        classes_to_plot: classes or their names; all that occur by default.
        interp_size: how many recalls from 1 to 0, 2 or more.
    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
    """
    if isinstance(interp_size, bool) or not isinstance(interp_size, int) or interp_size < 2:
        raise BadMedia(f"interp_size must be 2 or more, got {interp_size!r}")
    classes = one_versus_rest(y_true, y_probas, labels, classes_to_plot)
    curves = [
        [(one.name, precision, recall) for recall, precision in _precision(one, interp_size)]
        for one in classes
    ]
    titles = {"title": title, "x-axis-title": "Recall", "y-axis-title": "Precision"}
    fields = {"x": "recall", "y": "precision", "class": "class"}
    table = _curve_table(["class", "precision", "recall"], curves)
    return chart_of(table, AREA, fields, titles, split_table)


def _precision(one: OneVersusRest, size: int) -> list[tuple[float, float]]:
    return precision_at_recalls(one.positive, one.scores, size)


def roc_curve(
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    classes_to_plot: Values | None = None,
    title: str = "ROC Curve",
    split_table: bool = False,
) -> Chart:
    """True positive rate against false positive rate, one curve for each class against the rest.

    Args:
        y_true: the class of each example, shape (examples,).
        y_probas: scores, shape (examples, classes).
        labels: names of the classes, by their number.
        classes_to_plot: classes or their names; all that occur by default.
    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
    """
    curves = [
        [(one.name, fpr, tpr) for fpr, tpr in roc_points(one.positive, one.scores)]
        for one in one_versus_rest(y_true, y_probas, labels, classes_to_plot)
    ]
    titles = {"title": title, "x-axis-title": "False positive rate", "y-axis-title": "True positive rate"}
    fields = {"x": "fpr", "y": "tpr", "class": "class"}
    return chart_of(_curve_table(["class", "fpr", "tpr"], curves), AREA, fields, titles, split_table)


def _curve_table(columns: list[str], curves: list[list[tuple[Any, float, float]]]) -> Table:
    """The points of all curves; of more than a table holds, evenly chosen ones."""
    total = sum(map(len, curves))
    if total > Table.MAX_ROWS:
        warnings.warn(
            f"the curves have {total:,} points, a table {Table.MAX_ROWS:,} rows: as many points are kept,"
            " evenly along each curve",
            stacklevel=3,
        )
    rows = [list(point) for curve in thinned(curves, Table.MAX_ROWS) for point in curve]
    return Table(columns=columns, data=rows)


def confusion_matrix(
    probs: ScoreTable | None = None,
    y_true: Values | None = None,
    preds: Values | None = None,
    class_names: Values | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> Chart:
    """How often each class was taken for each.

    Args:
        probs: scores, shape (examples, classes), of which the highest is the prediction.
        y_true: the class of each example: a number that counts `class_names`, or one of them.
        preds: the predicted classes, instead of `probs`.
        class_names: names of all classes; Class_1, Class_2... for those that occur by default.
    Raises:
        BadMedia (a ValueError): not exactly one of probs and preds, or arguments that do not fit.
    """
    columns = ["Actual", "Predicted", "nPredictions"]
    counts = confusion_counts(probs, y_true, preds, class_names)
    rows = [[actual, predicted, float(count)] for actual, predicted, count in counts]  # as wandb has them
    fields = {column: column for column in columns}
    table = Table(columns=columns, data=rows)
    return chart_of(table, "wandb/confusion_matrix/v1", fields, {"title": title}, split_table)
