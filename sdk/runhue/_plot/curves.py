"""Precision-recall and ROC curves of one class against the rest: counting, exact until the last division."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Threshold(NamedTuple):
    """Of the examples with at least some score: how many are not of the class, and how many are."""

    false_positives: int
    true_positives: int


def thresholds(positive: Sequence[bool], scores: Sequence[float]) -> list[Threshold]:
    """The counts at every distinct score, highest first.

    Args:
        positive: whether each example is of the class, shape (n,).
        scores: finite, shape (n,); equal scores are one threshold.
    """
    counts: list[Threshold] = []
    true_positives = 0
    last = None
    by_score = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    for seen, at in enumerate(by_score, start=1):
        true_positives += positive[at]
        count = Threshold(seen - true_positives, true_positives)
        if scores[at] == last:
            counts[-1] = count
        else:
            counts.append(count)
        last = scores[at]
    return counts


def roc_points(positive: Sequence[bool], scores: Sequence[float]) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) from (0, 0) to (1, 1).

    Points in the middle of evenly spaced ones on a straight line are left out, which changes no
    line and no area. A rate without any example to count is NaN.
    Source: scikit-learn, `roc_curve`, whose points these are.
    """
    counts = _corners(thresholds(positive, scores))
    negatives, positives = counts[-1]
    return [(_rate(fp, negatives), _rate(tp, positives)) for fp, tp in [Threshold(0, 0), *counts]]


def _rate(count: int, total: int) -> float:
    return count / total if total else float("nan")


def _corners(counts: list[Threshold]) -> list[Threshold]:
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(counts)]
    inner = [count for count, (come, gone) in zip(counts[1:-1], pairwise(steps), strict=True) if come != gone]
    return [counts[0], *inner, counts[-1]] if len(counts) > 1 else counts


def precision_at_recalls(
    positive: Sequence[bool], scores: Sequence[float], size: int
) -> list[tuple[float, float]]:
    """(recall, precision) at `size` recalls from 1 down to 0.

    The precision at a recall is the best of any threshold that recalls as much or more; at recall
    0 it is 1. Recalls are compared as fractions, so that none is missed by rounding.
    Source: scikit-learn, `precision_recall_curve`; the interpolation is that of Manning, Raghavan
    and Schütze, "Introduction to Information Retrieval", 8.4.

    Args:
        positive: shape (n,), at least one true.
        scores: finite, shape (n,).
        size: 2 or more.
    """
    counts = thresholds(positive, scores)
    positives = counts[-1].true_positives
    points: list[tuple[float, float]] = []
    best = 0.0
    for at in range(size - 1, 0, -1):
        while counts and counts[-1].true_positives * (size - 1) >= at * positives:
            false_positives, true_positives = counts.pop()
            best = max(best, true_positives / (false_positives + true_positives))
        points.append((at / (size - 1), best))
    return [*points, (0.0, 1.0)]
