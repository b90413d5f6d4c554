"""SQL and Python put every double in the same bucket."""

import math
import sys
from collections.abc import Sequence

import pytest

from runhue_shared.coloring.buckets import Domain, bucket_of, linear_thresholds, log_thresholds
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import Transaction
from tests.integration.coloring.logged_project import LoggedProject, check_colors

LARGEST = sys.float_info.max
SMALLEST = math.nextafter(0.0, 1.0)
DOMAINS = [
    (0.1, 0.7),
    (0.0, 1.0),
    (1.0, math.nextafter(1.0, 2.0)),
    (0.0, SMALLEST),
    (SMALLEST, 40 * SMALLEST),
    (-LARGEST, LARGEST),
    (math.nextafter(LARGEST, 0.0), LARGEST),
    (-1e-300, 1e300),
    (2.0**53 - 1, 2.0**53 + 4),
    (0.29, 0.31),
]


def values_around(thresholds: Sequence[float], low: float, high: float) -> list[float]:
    """Every threshold and its neighbors, the ends, and decimals on the way."""
    near = [
        value for t in thresholds for value in (t, math.nextafter(t, -math.inf), math.nextafter(t, math.inf))
    ]
    steps = [low + (high / 24 - low / 24) * step for step in range(25)]
    decimals = [round(low, 2) + step / 100 for step in range(60)] if abs(high) < 100 else []
    return [value for value in (*near, *steps, *decimals, low, high) if math.isfinite(value)]


@pytest.mark.parametrize(("low", "high"), DOMAINS)
@pytest.mark.parametrize("buckets", [2, 3, 6, 7, 8])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_width_bucket_agrees_with_python(
    tx: Transaction, low: float, high: float, buckets: int, scale: str
) -> None:
    """`width_bucket(value, thresholds) + 1` is `bucket_of`, at boundaries, subnormals, the greatest."""
    if scale == "log" and low <= 0:
        low, high = SMALLEST, max(high, 2 * SMALLEST)
    compute = log_thresholds if scale == "log" else linear_thresholds
    thresholds = compute(Domain(low, high), buckets)
    values = values_around(thresholds, low, high)

    rows = tx.execute(
        "SELECT v, width_bucket(v, %s::float8[]) + 1 FROM unnest(%s::float8[]) AS v",
        (list(thresholds), values),
    ).fetchall()

    assert rows == [(value, bucket_of(value, thresholds)) for value in values]
    assert bucket_of(low, thresholds) == 1
    assert bucket_of(high, thresholds) == buckets


@pytest.mark.parametrize(("low", "high"), DOMAINS)
def test_runs_on_boundaries_are_counted_where_they_are_shown(
    tx: Transaction, low: float, high: float
) -> None:
    """Counts made in SQL and buckets made in Python agree for runs on every boundary of the range (G6)."""
    project = LoggedProject(tx)
    workspace = project.workspace({"key": {"source": "metric", "name": "m"}, "buckets": 6})
    thresholds = linear_thresholds(Domain(low, high), 6)
    inside = [value for value in values_around(thresholds, low, high) if low <= value <= high]
    for index, value in enumerate([*inside[:40], low, high]):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "m", {0: value})
    project.flush()

    expected = project.reference(parse_settings({"key": {"source": "metric", "name": "m"}, "buckets": 6}))
    check_colors(tx, workspace, expected)


def test_equal_values_are_one_bucket(tx: Transaction) -> None:
    """When every run has the same value there is one bucket, and all are in it (S14)."""
    project = LoggedProject(tx)
    workspace = project.workspace({"key": {"source": "metric", "name": "m"}})
    for index in range(3):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "m", {0: 0.1 + 0.2})
    project.flush()

    expected = project.reference(parse_settings({"key": {"source": "metric", "name": "m"}}))
    assert expected.counts == (3,)
    check_colors(tx, workspace, expected)
