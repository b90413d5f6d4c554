"""Rows as the clients log them, for each built-in preset: (rows, fields, strings)."""

from typing import Any, NamedTuple


class Sample(NamedTuple):
    """A chart of a preset."""

    rows: list[dict[str, Any]]
    fields: dict[str, Any]
    strings: dict[str, Any]


def _same(*names: str) -> dict[str, Any]:
    return {name: name for name in names}


CLASSES = ("cat", "dog", "owl")
CURVE = [
    {"class": name, "fpr": at / 4, "tpr": (at / 4) ** power}
    for name, power in (("cat", 0.3), ("dog", 0.6))
    for at in range(5)
]
CELLS = [{"x_axis": x, "y_axis": y, "values": len(x) / 7} for x in ("a", "bb", "ccc") for y in "xy"]

SAMPLES: dict[str, Sample] = {
    "wandb/line/v0": Sample(
        [{"a.b": at, "loss[0]": at * at, "kind": kind} for kind in "pq" for at in range(5)],
        {"x": "a.b", "y": "loss[0]", "stroke": "kind"},
        {"title": "A line"},
    ),
    "wandb/scatter/v0": Sample([{"x'": at, "y": -at} for at in range(5)], {"x": "x'", "y": "y"}, {}),
    "wandb/bar/v0": Sample(
        [{"label": name, "score": len(name)} for name in CLASSES],
        {"label": "label", "value": "score"},
        {"title": "Bars"},
    ),
    "wandb/histogram/v0": Sample([{"score": at % 7} for at in range(50)], {"value": "score"}, {"title": "h"}),
    "wandb/area-under-curve/v0": Sample(
        CURVE,
        {"x": "fpr", "y": "tpr", "class": "class"},
        {"title": "ROC", "x-axis-title": "False positive rate", "y-axis-title": "True positive rate"},
    ),
    "wandb/confusion_matrix/v1": Sample(
        [{"Actual": a, "Predicted": p, "nPredictions": 9.0 * (a == p)} for a in CLASSES for p in CLASSES],
        _same("Actual", "Predicted", "nPredictions"),
        {"title": "Confusion"},
    ),
    "wandb/lineseries/v0": Sample(
        [{"step": at, "lineKey": key, "lineVal": at * 2} for key in "ab" for at in range(4)],
        _same("step", "lineKey", "lineVal"),
        {"title": "Series", "xname": "epoch"},
    ),
    "wandb/heatmap/v1": Sample(CELLS, {"x-axis": "_step", "key": "heat"}, {}),
    "wandb/heatmap_no_text/v1": Sample(CELLS, {}, {}),
    "wandb/calibration/v1": Sample(
        [
            {"model": "svm", "fraction_of_positives": at / 4, "mean_predicted_value": at / 4}
            for at in range(5)
        ],
        {},
        {},
    ),
    "wandb/class_proportions/v1": Sample(
        [{"class": name, "dataset": part, "count": 3} for name in CLASSES for part in ("train", "test")],
        {},
        {},
    ),
    "wandb/decision_boundaries/v1": Sample(
        [{"x": at, "y": at % 3, "color": color} for color in CLASSES for at in range(5)], {}, {}
    ),
    "wandb/elbow/v1": Sample(
        [{"cluster_ranges": at, "errors": 9 / at, "clustering_time": at / 9} for at in range(1, 6)], {}, {}
    ),
    "wandb/feature_importances/v1": Sample(
        [{"feature_names": name, "importances": len(name) / 9} for name in CLASSES], {}, {}
    ),
    "wandb/learning_curve/v1": Sample(
        [{"dataset": part, "score": 1 - 1 / at, "train_size": at} for part in "ab" for at in range(1, 5)],
        {},
        {},
    ),
    "wandb/outliers/v1": Sample(
        [{"distance": at / 9, "instance_indicies": at, "influence_threshold": 0.3} for at in range(6)], {}, {}
    ),
    "wandb/residuals_plot/v1": Sample(
        [{"dataset": part, "y_pred": at, "residuals": at - 2} for part in "ab" for at in range(5)], {}, {}
    ),
    "wandb/silhouette_/v1": Sample(
        [
            {"y_sil": 10 * color + at, "x1": 0, "x2": at / 5, "color_sil": color, "silhouette_avg": 0.4}
            for color in range(2)
            for at in range(5)
        ],
        {},
        {},
    ),
    "wandb/metrics/v1": Sample(
        [{"metric_name": name, "metric_value": len(name), "model_name": "svm"} for name in CLASSES], {}, {}
    ),
}
