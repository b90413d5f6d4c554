"""The charts of 2020, `runhue.plots` and `runhue.sklearn`: the figures of their successors."""

from runhue import _current as current
from runhue._errors import BadMedia
from runhue._media.table import Table
from runhue._plot.charts import Chart, LegacyChart
from runhue._plot.classes import classes_in
from runhue._plot.presets import confusion_matrix, pr_curve, roc_curve, visualize
from runhue._plot.sequences import ScoreTable, Values, values_of

HEATMAP = {True: "wandb/heatmap/v1", False: "wandb/heatmap_no_text/v1"}


def ROC(  # noqa: N802  # wandb's name
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    plot_micro: bool = True,  # noqa: ARG001  # had no effect there either
    plot_macro: bool = True,  # noqa: ARG001  # had no effect there either
    classes_to_plot: Values | None = None,
) -> Chart:
    """`runhue.plot.roc_curve` under its old name.

    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
    """
    return roc_curve(y_true, y_probas, labels, classes_to_plot)


def precision_recall(
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    plot_micro: bool = True,  # noqa: ARG001  # had no effect there either
    classes_to_plot: Values | None = None,
) -> Chart:
    """`runhue.plot.pr_curve` under its old name.

    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
    """
    return pr_curve(y_true, y_probas, labels, classes_to_plot)


def HeatMap(  # noqa: N802  # wandb's name
    x_labels: Values, y_labels: Values, matrix_values: ScoreTable, show_text: bool = False
) -> LegacyChart:
    """A colored cell for each pair of labels; `show_text` writes the values into them.

    `matrix_values` has a row for each of `x_labels` and a column for each of `y_labels`; the other
    way round is understood where only that fits.

    Raises:
        BadMedia (a ValueError): a matrix of neither shape.
    """
    xs, ys = values_of(x_labels, "x_labels"), values_of(y_labels, "y_labels")
    rows = values_of(matrix_values, "matrix_values")
    widths = {len(row) if isinstance(row, list | tuple) else None for row in rows}
    if len(rows) == len(xs) and widths == {len(ys)}:
        cells = [[x, y, rows[i][j]] for i, x in enumerate(xs) for j, y in enumerate(ys)]
    elif len(rows) == len(ys) and widths == {len(xs)}:
        cells = [[x, y, rows[j][i]] for i, x in enumerate(xs) for j, y in enumerate(ys)]
    else:
        raise BadMedia(
            f"matrix_values must have a row for each of the {len(xs)} x_labels with a value for each of the"
            f" {len(ys)} y_labels, got {len(rows)} rows"
        )
    return visualize(HEATMAP[bool(show_text)], Table(columns=["x_axis", "y_axis", "values"], data=cells))


def plot_confusion_matrix(
    y_true: Values | None = None,
    y_pred: Values | None = None,
    labels: Values | None = None,
) -> None:
    """Log `runhue.plot.confusion_matrix` under the key "confusion_matrix" of the current run.

    Without `labels` the classes are named by themselves.

    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
        NoRun: there is no run.
    """
    actual, predicted = values_of(y_true, "y_true"), values_of(y_pred, "y_pred")
    if labels is None:
        labels = [str(one) for one in classes_in([*actual, *predicted], "y_true and y_pred")]
        actual, predicted = list(map(str, actual)), list(map(str, predicted))
    current.log({"confusion_matrix": confusion_matrix(y_true=actual, preds=predicted, class_names=labels)})


def plot_roc(
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    plot_micro: bool = True,  # noqa: ARG001  # had no effect there either
    plot_macro: bool = True,  # noqa: ARG001  # had no effect there either
    classes_to_plot: Values | None = None,
) -> None:
    """Log `runhue.plot.roc_curve` under the key "roc" of the current run.

    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
        NoRun: there is no run.
    """
    current.log({"roc": roc_curve(y_true, y_probas, labels, classes_to_plot)})


def plot_precision_recall(
    y_true: Values | None = None,
    y_probas: ScoreTable | None = None,
    labels: Values | None = None,
    plot_micro: bool = True,  # noqa: ARG001  # had no effect there either
    classes_to_plot: Values | None = None,
) -> None:
    """Log `runhue.plot.pr_curve` under the key "precision_recall" of the current run.

    Raises:
        BadMedia (a ValueError): arguments that do not fit each other.
        NoRun: there is no run.
    """
    current.log({"precision_recall": pr_curve(y_true, y_probas, labels, classes_to_plot)})
