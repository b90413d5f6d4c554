"""Curves and matrices, compared with scikit-learn's."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

import runhue
from runhue._plot.classes import one_versus_rest
from runhue._plot.confusion import confusion_counts
from runhue._plot.curves import precision_at_recalls, roc_points
from runhue._plot.thinning import thinned

# Few distinct scores make ties; 0 and 1 are the ends that a classifier gives when it is sure.
SCORES = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.floats(0, 1))


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[bool], list[float]]:
    positive = draw(st.lists(st.booleans(), min_size=1, max_size=60).filter(any))
    scores = draw(st.lists(SCORES, min_size=len(positive), max_size=len(positive)))
    return positive, scores


@settings(deadline=None)
@given(scored())
def test_roc_is_that_of_scikit_learn(example: tuple[list[bool], list[float]]) -> None:
    """Points are scikit-learn's, with ties, one class only, and probabilities of 0 and 1."""
    positive, scores = example

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns when there is no negative example
        fpr, tpr, _ = metrics.roc_curve(positive, scores)

    np.testing.assert_allclose(roc_points(positive, scores), np.column_stack([fpr, tpr]), rtol=0, atol=1e-9)


@settings(deadline=None)
@given(scored(), st.integers(2, 40))
def test_precision_is_the_best_at_a_recall_in_scikit_learn_s_curve(
    example: tuple[list[bool], list[float]], size: int
) -> None:
    """At every recall stands the highest precision of scikit-learn's curve at this recall or more."""
    positive, scores = example

    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    expected = [(at, precision[recall >= at - 1e-12].max()) for at in np.linspace(1, 0, size)]

    np.testing.assert_allclose(precision_at_recalls(positive, scores, size), expected, rtol=0, atol=1e-9)


@st.composite
def classified(draw: st.DrawFn) -> tuple[list[int], list[list[float]]]:
    """Classes of examples, each of up to six at least once, and scores for each class."""
    count = draw(st.integers(2, 6))
    others = draw(st.lists(st.integers(0, count - 1), max_size=40))
    truth = draw(st.permutations([*range(count), *others]))
    rows = st.lists(SCORES, min_size=count, max_size=count)
    return truth, draw(st.lists(rows, min_size=len(truth), max_size=len(truth)))


@settings(deadline=None, max_examples=50)
@given(classified())
def test_curves_of_many_classes_are_those_of_scikit_learn(
    example: tuple[list[int], list[list[float]]],
) -> None:
    """Each class against the rest has scikit-learn's curves, in a chart's table and with its name."""
    truth, scores = example
    named = [f"c{at}" for at in range(len(scores[0]))]
    roc = runhue.plot.roc_curve(truth, scores, labels=named).table.data
    precisions = runhue.plot.pr_curve(truth, scores, labels=named, interp_size=11).table.data

    for at, name in enumerate(named):
        positive, column = [one == at for one in truth], [row[at] for row in scores]
        fpr, tpr, _ = metrics.roc_curve(positive, column)
        drawn = [row[1:] for row in roc if row[0] == name]
        np.testing.assert_allclose(drawn, np.column_stack([fpr, tpr]), rtol=0, atol=1e-9)
        precision, recall, _ = metrics.precision_recall_curve(positive, column)
        best = [(precision[recall >= r - 1e-12].max(), r) for r in np.linspace(1, 0, 11)]
        drawn = [row[1:] for row in precisions if row[0] == name]
        np.testing.assert_allclose(drawn, best, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=80))
def test_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Counts are scikit-learn's, also for classes that never occur."""
    actual, predicted = [list(side) for side in zip(*pairs, strict=True)]

    counts = confusion_counts(None, actual, predicted, ["a", "b", "c", "d", "e"])

    expected = metrics.confusion_matrix(actual, predicted, labels=range(5))
    assert [count for _, _, count in counts] == expected.ravel().tolist()


def test_confusion_matrix_takes_the_most_probable_class() -> None:
    """Of equal probabilities the first class is the prediction."""
    counts = confusion_counts(np.array([[0.5, 0.5], [0.1, 0.9]]), [0, 0], None, ["cat", "dog"])

    assert counts == [("cat", "cat", 1), ("cat", "dog", 1), ("dog", "cat", 0), ("dog", "dog", 0)]


def test_confusion_matrix_knows_classes_by_their_names() -> None:
    """Predictions may be the names themselves."""
    counts = confusion_counts(None, ["dog", "cat"], np.array(["dog", "dog"]), ["cat", "dog"])

    assert [count for _, _, count in counts] == [0, 1, 0, 1]


def test_confusion_matrix_names_classes_that_have_no_name() -> None:
    """Without class_names the classes that occur are Class_1, Class_2... in order."""
    counts = confusion_counts(None, ["b", "a"], ["b", "c"], None)

    assert sorted({actual for actual, _, _ in counts}) == ["Class_1", "Class_2", "Class_3"]


@pytest.mark.parametrize(
    ("probs", "preds", "y_true", "message"),
    [
        (None, None, [0], "exactly one of probs and preds, got neither"),
        ([[1.0]], [0], [0], "exactly one of probs and preds, got both"),
        (None, [0, 1], [0], "preds has 2 values and y_true 1"),
        ([[0.5, 0.5]], None, [0, 1], "probs has 1 rows and y_true 2"),
        (None, [2], [0], "preds has 2, which is neither one of class_names nor a number from 0 to 1"),
        (None, [], [], "y_true is empty"),
        (None, 3, [0], "preds must be a sequence"),
    ],
)
def test_confusion_matrix_refuses_what_does_not_fit(
    probs: object, preds: object, y_true: object, message: str
) -> None:
    """The message names the argument, what came and what can be."""
    with pytest.raises(ValueError, match=message):
        confusion_counts(probs, y_true, preds, ["cat", "dog"])


def names(
    y_true: object, y_probas: object, labels: Sequence[str] | None = None, only: object = None
) -> list[tuple[object, list[float]]]:
    classes = one_versus_rest(y_true, y_probas, labels, only)
    return [(one.name, one.scores) for one in classes]


THREE = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]


def test_a_class_that_does_not_occur_keeps_its_column() -> None:
    """When class 1 is missing from y_true, class 2 is still the third column."""
    assert names([2, 0], THREE) == [(0, [0.1, 0.6]), (2, [0.7, 0.1])]


def test_classes_are_called_by_their_labels() -> None:
    """Numbers are named by labels; a class of strings names itself, whatever the labels are."""
    assert [name for name, _ in names([2, 0], THREE, ["cat", "dog", "bird"])] == ["cat", "bird"]
    assert names(["dog", "cat"], THREE, ["bird", "cat", "dog"]) == [("cat", [0.2, 0.3]), ("dog", [0.7, 0.1])]


@pytest.mark.parametrize("only", [["bird"], [2], ["bird", "dog"]])
def test_classes_to_plot_are_numbers_or_labels(only: object) -> None:
    """The subset may be written either way, and may name a class that does not occur."""
    assert names([2, 0], THREE, ["cat", "dog", "bird"], only) == [("bird", [0.7, 0.1])]


def test_scores_may_be_arrays_frames_or_rows_of_arrays() -> None:
    """Every form of a table of scores gives the same."""
    pandas = pytest.importorskip("pandas")
    rows = np.array(THREE)

    forms = [rows, pandas.DataFrame(rows), list(rows), THREE]

    assert all(names(np.array([0, 2]), form) == names([0, 2], THREE) for form in forms)


@pytest.mark.parametrize(
    ("y_true", "y_probas", "labels", "only", "message"),
    [
        (None, THREE, None, None, "y_true must be a sequence"),
        ([0, 1], None, None, None, "y_probas must be a sequence"),
        ([0, 1], [0.5, 0.5], None, None, "y_probas must have a row for each example"),
        ([0, 1, 2], THREE, None, None, "y_probas has 2 rows and y_true 3"),
        ([0, 1], [[0.1, 0.9], [0.2]], None, None, "row 0 has 2, row 1 has 1"),
        ([0, 1], [[0.1, 0.9], [0.2, float("nan")]], None, None, "finite numbers.* in row 1"),
        ([0, 1], [[0.1, 0.9], [0.2, "much"]], None, None, "must hold numbers"),
        ([0, "a"], THREE, None, None, "all numbers or all strings"),
        (["a", "b"], THREE, None, None, "3 columns and y_true 2 classes"),
        ([0, 1], [[0.5], [0.5]], None, None, "1 columns and y_true 2 classes"),
        ([0, 2], THREE, ["a"], None, "labels has 1 names, and y_true a class 2"),
        ([0, 1], THREE, None, ["dog"], "classes_to_plot has 'dog'"),
        ([0, 1], THREE, None, [2], "names no class that occurs in y_true"),
        ([0.0, float("nan")], THREE, None, None, "got NaN"),
    ],
)
def test_curves_refuse_what_does_not_fit(
    y_true: object, y_probas: object, labels: list[str] | None, only: object, message: str
) -> None:
    """The message names the argument, what came and what can be."""
    with pytest.raises(ValueError, match=message):
        names(y_true, y_probas, labels, only)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(), min_size=2, max_size=200), min_size=1, max_size=5), st.integers(10, 100)
)
def test_thinning_keeps_the_ends_and_the_order(curves: list[list[int]], at_most: int) -> None:
    """A curve is thinned to some of its points, ends included, and few enough; twice gives the same."""
    numbered = [list(enumerate(curve)) for curve in curves]

    fewer = thinned(numbered, at_most)

    assert sum(map(len, fewer)) <= max(at_most, 2 * len(curves) + at_most)
    for curve, points in zip(numbered, fewer, strict=True):
        assert [points[0], points[-1]] == [curve[0], curve[-1]]
        assert points == sorted(set(points))
    assert fewer == thinned(numbered, at_most)
