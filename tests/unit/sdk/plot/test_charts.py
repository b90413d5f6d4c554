"""What a chart is logged as: its table, and the setting that draws it, in the shapes of wandb's config."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runhue
from runhue._media.table import Table
from runhue._plot.charts import Chart, LegacyChart
from tests.unit.sdk.spooled import log_batch_of, offline_run, rows_of


def table() -> Table:
    return Table(columns=["step", "height"], data=[[0, 1.5], [1, 2.5]])


def panel(chart: Chart, key: str = "k") -> dict[str, Any]:
    (setting,) = chart.settings(key)
    assert (setting.kind, setting.key) == ("chart", key)
    panel: dict[str, Any] = setting.value["panel_config"]
    return panel


def test_a_chart_is_its_table_and_a_panel() -> None:
    """The table stands beside the key; the panel names preset, fields, texts and that table."""
    drawn = table()
    chart = runhue.plot_table("carey/new_chart", drawn, {"x": "step", "value": "height"}, {"title": "T"})

    assert chart.expanded("k") == {"k_table": drawn}
    assert chart.settings("k")[0].value == {
        "panel_type": "Vega2",
        "panel_config": {
            "panelDefId": "carey/new_chart",
            "fieldSettings": {"x": "step", "value": "height"},
            "stringSettings": {"title": "T"},
            "transform": {"name": "tableWithLeafColNames"},
            "userQuery": {
                "queryFields": [
                    {
                        "name": "runSets",
                        "args": [{"name": "runSets", "value": "${runSets}"}],
                        "fields": [
                            {"name": "id", "fields": []},
                            {"name": "name", "fields": []},
                            {"name": "_defaultColorIndex", "fields": []},
                            {
                                "name": "summaryTable",
                                "args": [{"name": "tableKey", "value": "k_table"}],
                                "fields": [],
                            },
                        ],
                    }
                ]
            },
        },
    }


def test_a_split_table_stands_in_its_own_section() -> None:
    """With split_table the table is stored, and asked for, under another key."""
    chart = runhue.plot.line(table(), "step", "height", split_table=True)

    assert list(chart.expanded("k")) == ["Custom Chart Tables/k_table"]
    assert "Custom Chart Tables/k_table" in str(panel(chart)["userQuery"])


PRESETS: dict[str, tuple[Callable[[], Chart], dict[str, Any]]] = {
    "line": (
        lambda: runhue.plot.line(table(), "step", "height"),
        {"x": "step", "y": "height", "stroke": None},
    ),
    "scatter": (lambda: runhue.plot.scatter(table(), "step", "height"), {"x": "step", "y": "height"}),
    "bar": (lambda: runhue.plot.bar(table(), "step", "height"), {"label": "step", "value": "height"}),
    "histogram": (lambda: runhue.plot.histogram(table(), "height"), {"value": "height"}),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_draw_columns(name: str) -> None:
    """Each preset maps its fields to the columns that were named."""
    make, fields = PRESETS[name]

    config = panel(make())

    assert (config["panelDefId"], config["fieldSettings"]) == (f"wandb/{name}/v0", fields)
    assert config["stringSettings"] == {"title": ""}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: runhue.plot.line(table(), "step", "width"), r"y must be a column of table \(step, height\)"),
        (lambda: runhue.plot.line(table(), "step", "height", "kind"), "stroke must be a column"),
        (lambda: runhue.plot.histogram([[1]], "x"), "table must be a runhue.Table, got list"),  # type: ignore[arg-type]
        (lambda: runhue.plot_table("a/b", table(), {"x": "width"}), "x must be a column of data_table"),
        (lambda: runhue.visualize("a/b", 3), "value must be a runhue.Table, got int"),  # type: ignore[arg-type]
    ],
)
def test_a_chart_of_what_is_not_there_is_refused(make: Callable[[], object], message: str) -> None:
    """A column that the table lacks, or no table, is a ValueError that says what there is."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_preset_may_draw_the_run() -> None:
    """Beside the table's columns there are the run's name and color."""
    assert panel(runhue.plot_table("a/b", table(), {"x": "step", "color": "name"}))


def test_lines_share_x_or_have_their_own() -> None:
    """One list of x serves all lines; otherwise there is one for each, and lines may differ in length."""
    shared = runhue.plot.line_series(
        xs=range(2), ys=[[10, 20], [3, 4]], keys=["a", "b"], title="T", xname="s"
    )
    own = runhue.plot.line_series(np.array([[0, 1]]), [np.array([5, 6])])

    assert shared.table.columns == ["step", "lineKey", "lineVal"]
    assert shared.table.data == [[0, "a", 10], [1, "a", 20], [0, "b", 3], [1, "b", 4]]
    assert panel(shared)["panelDefId"] == "wandb/lineseries/v0"
    assert panel(shared)["stringSettings"] == {"title": "T", "xname": "s"}
    assert own.table.data == [[0, "line_0", 5], [1, "line_0", 6]]


@pytest.mark.parametrize(
    ("xs", "ys", "keys", "message"),
    [
        ([0, 1, 2], [[1, 2]], None, r"xs\[0\] has 3 entries and ys\[0\] has 2"),
        ([[0], [1]], [[1]], None, "xs has 2 entries and ys has 1"),
        ([0], [[1], [2]], ["a"], "keys has 1 entries and ys has 2"),
        ([0], [1], None, r"ys\[0\] must be a sequence of values, got int"),
        ([], [[1]], None, "xs is empty"),
    ],
)
def test_lines_of_other_lengths_are_refused(xs: Any, ys: Any, keys: Any, message: str) -> None:
    """A length that does not match names both arguments and both lengths."""
    with pytest.raises(ValueError, match=message):
        runhue.plot.line_series(xs, ys, keys)


TRUTH = [0, 0, 1, 1]
SCORES = [[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]]


def test_roc_is_a_curve_a_class() -> None:
    """Rows are class, false and true positive rate; the fields say so."""
    chart = runhue.plot.roc_curve(TRUTH, SCORES, labels=["cat", "dog"], classes_to_plot=["dog"])

    assert chart.table.columns == ["class", "fpr", "tpr"]
    assert chart.table.data == [
        ["dog", 0.0, 0.0],
        ["dog", 0.0, 0.5],
        ["dog", 0.5, 0.5],
        ["dog", 0.5, 1.0],
        ["dog", 1.0, 1.0],
    ]
    assert panel(chart)["panelDefId"] == "wandb/area-under-curve/v0"
    assert panel(chart)["fieldSettings"] == {"x": "fpr", "y": "tpr", "class": "class"}


def test_precision_recall_has_as_many_points_as_asked() -> None:
    """Each class has interp_size recalls from 1 to 0."""
    chart = runhue.plot.pr_curve(TRUTH, SCORES, interp_size=3)

    assert chart.table.columns == ["class", "precision", "recall"]
    assert [row[2] for row in chart.table.data] == [1.0, 0.5, 0.0] * 2
    assert panel(chart)["stringSettings"] == {
        "title": "Precision-Recall Curve",
        "x-axis-title": "Recall",
        "y-axis-title": "Precision",
    }


def test_precision_recall_needs_two_points() -> None:
    """A single recall is no curve."""
    with pytest.raises(ValueError, match="interp_size must be 2 or more, got 1"):
        runhue.plot.pr_curve(TRUTH, SCORES, interp_size=1)


def test_a_rate_of_nothing_is_nan() -> None:
    """When every example is of one class there is no false positive rate."""
    chart = runhue.plot.roc_curve([1, 1], [[0.5], [0.4]])

    assert all(math.isnan(row[1]) for row in chart.table.data)


def test_large_curves_are_thinned_and_said_to_be() -> None:
    """More points than a table holds become evenly chosen ones, the same each time, with a warning."""
    scores = np.random.default_rng(1).random(60_000)
    truth = np.arange(60_000) % 2

    with pytest.warns(UserWarning, match="a table 10,000 rows"):
        chart = runhue.plot.roc_curve(truth, np.column_stack([1 - scores, scores]))

    assert 9_900 < len(chart.table.data) <= Table.MAX_ROWS
    assert [row[1:] for row in chart.table.data if row[0] == 0][-1] == [1.0, 1.0]


def test_a_confusion_matrix_has_a_row_a_cell() -> None:
    """Rows are actual, predicted and how many, as wandb has them."""
    chart = runhue.plot.confusion_matrix(y_true=[0, 1], preds=[0, 0], class_names=["cat", "dog"])

    assert chart.table.columns == ["Actual", "Predicted", "nPredictions"]
    assert chart.table.data == [
        ["cat", "cat", 1.0],
        ["cat", "dog", 0.0],
        ["dog", "cat", 1.0],
        ["dog", "dog", 0.0],
    ]
    assert panel(chart)["panelDefId"] == "wandb/confusion_matrix/v1"
    assert panel(chart)["stringSettings"] == {"title": "Confusion Matrix Curve"}


def test_old_curves_are_the_new_ones() -> None:
    """`plots.ROC` and `plots.precision_recall` draw what their successors draw."""
    labels = ["cat", "dog"]

    old = [runhue.plots.ROC(TRUTH, SCORES, labels), runhue.plots.precision_recall(TRUTH, SCORES, labels)]

    new = [runhue.plot.roc_curve(TRUTH, SCORES, labels), runhue.plot.pr_curve(TRUTH, SCORES, labels)]
    assert [chart.table.data for chart in old] == [chart.table.data for chart in new]
    assert [panel(chart) for chart in old] == [panel(chart) for chart in new]


@pytest.mark.parametrize("matrix", [np.array([[1, 2, 3], [4, 5, 6]]), [[1, 4], [2, 5], [3, 6]]])
def test_a_heatmap_takes_its_matrix_either_way(matrix: object) -> None:
    """Rows of the matrix are x_labels, or y_labels where only that fits."""
    chart = runhue.plots.HeatMap(["a", "b"], ["p", "q", "r"], matrix, show_text=True)

    assert isinstance(chart, LegacyChart)
    assert chart.table.data == [
        ["a", "p", 1],
        ["a", "q", 2],
        ["a", "r", 3],
        ["b", "p", 4],
        ["b", "q", 5],
        ["b", "r", 6],
    ]
    assert chart.expanded("h") == {"h": chart.table}
    (setting,) = chart.settings("h")
    assert setting.kind == "legacy_chart"
    assert setting.value == {
        "id": "wandb/heatmap/v1",
        "historyFieldSettings": {"x-axis": "_step", "key": "h"},
    }


def test_a_heatmap_without_text_is_another_preset() -> None:
    """By default cells have no text."""
    assert runhue.plots.HeatMap(["a"], ["b"], [[1]]).preset == "wandb/heatmap_no_text/v1"


@pytest.mark.parametrize("matrix", [[[1, 2]], [1, 2], [[1], [2, 3]]])
def test_a_heatmap_of_another_shape_is_refused(matrix: object) -> None:
    """A matrix that fits the labels neither way is a ValueError."""
    with pytest.raises(ValueError, match="a row for each of the 3 x_labels"):
        runhue.plots.HeatMap([1, 2, 3], [1, 2], matrix)


def test_charts_for_classifiers_need_a_run() -> None:
    """`sklearn.plot_*` logs at once, and says so when there is nothing to log to."""
    for plot in (runhue.sklearn.plot_roc, runhue.sklearn.plot_precision_recall):
        with pytest.raises(runhue.errors.NoRun):
            plot(TRUTH, SCORES)
    with pytest.raises(runhue.errors.NoRun):
        runhue.sklearn.plot_confusion_matrix(["a"], ["b"])


def test_a_logged_chart_is_stored_as_its_table_and_its_setting(tmp_path: Path) -> None:
    """The row has the table beside the key, and how it is drawn is said once for all steps."""
    with offline_run(tmp_path) as run:
        for _ in range(2):
            run.log({"k": runhue.plot.line(table(), "step", "height"), "nested": {"k": heatmap()}})

    (_, first), _ = rows_of(run.dir)
    assert first["k_table"]["_type"] == "table-file"
    assert (first["k_table"]["ncols"], first["k_table"]["nrows"]) == (2, 2)
    assert "k" not in first
    assert first["nested.k"]["_type"] == "table-file"
    chart, legacy = log_batch_of(run.dir).media
    assert (chart.kind, chart.key, chart.value["panel_type"]) == ("chart", "k", "Vega2")
    assert (legacy.kind, legacy.key) == ("legacy_chart", "nested.k")


def heatmap() -> LegacyChart:
    return runhue.plots.HeatMap(["a"], ["b"], [[1]])


def test_a_classifier_s_matrix_is_logged_under_its_own_key(tmp_path: Path) -> None:
    """`sklearn.plot_confusion_matrix` logs at once; classes without labels are named by themselves."""
    with offline_run(tmp_path) as run:
        runhue.sklearn.plot_confusion_matrix([3, 5], [5, 5])

    ((_, row),) = rows_of(run.dir)
    (file,) = (Path(run.dir) / "files").iterdir()
    assert row["confusion_matrix_table"]["nrows"] == 4
    assert json.loads(file.read_bytes())["data"][1] == ["3", "5", 1.0]
