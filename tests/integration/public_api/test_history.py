"""History through the reading side: every point exactly, or reduced."""

import math
from typing import Any

import pytest

from runhue._public_api import Api
from tests.integration.public_api.running import Lab

pytestmark = pytest.mark.stack

ROWS: list[dict[str, Any]] = [
    {"acc": 0.1, "name": "first"},
    {"acc": math.nan},
    {"acc": math.inf, "loss": -math.inf},
    {"loss": 5e-324},
    {"big": 2**70, "flag": True},
    {"nothing": None, "list": [1, "two"]},
    {"acc": 1 / 3, "a,b": 1},
]


def comparable(value: Any) -> Any:
    """NaN equals NaN."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def rows_of(run: Any, **options: Any) -> list[dict[str, Any]]:
    """Scanned rows without what the SDK adds."""
    return [
        {key: comparable(value) for key, value in row.items() if key == "_step" or not key.startswith("_")}
        for row in run.scan_history(**options)
    ]


@pytest.mark.parametrize("page_size", [1, 3, 1000])
def test_a_scan_gives_every_point_exactly(lab: Lab, api: Api, project: str, page_size: int) -> None:
    """Numbers bit for bit, infinities and NaN, large integers, text, in steps' order, whatever the page."""
    lab.log(project, "r1", ROWS)

    rows = rows_of(api.run(f"{project}/r1"), page_size=page_size)

    expected = [
        {"_step": step, **{key: comparable(value) for key, value in row.items()}}
        for step, row in enumerate(ROWS)
    ]
    assert rows == expected


def test_a_scan_can_be_narrowed(lab: Lab, api: Api, project: str) -> None:
    """Keys, also with a comma in their name, and steps from min to max, both included."""
    lab.log(project, "r1", ROWS)
    run = api.run(f"{project}/r1")

    assert rows_of(run, keys=["a,b", "acc"], min_step=2) == [
        {"_step": 2, "acc": math.inf},
        {"_step": 6, "acc": 1 / 3, "a,b": 1},
    ]
    assert [row["_step"] for row in rows_of(run, min_step=1, max_step=3, page_size=2)] == [1, 2, 3]


def test_history_is_reduced_to_the_asked_number_of_rows(lab: Lab, api: Api, project: str) -> None:
    """A long run has at most the asked rows, and its extremes are in the buckets."""
    lab.log(
        project, "r1", ({"acc": math.sin(step / 50), "spike": float(step == 777)} for step in range(3000))
    )
    run = api.run(f"{project}/r1")

    rows = run.history(samples=100, keys=["acc", "spike"])
    (spike,) = run.series(samples=100, keys=["spike"])

    assert 1 < len(rows) <= 100
    assert [row["_step"] for row in rows] == sorted({row["_step"] for row in rows})
    assert spike.reduced
    assert (spike.n, sum(point.count for point in spike.points)) == (3000, 3000)
    assert max(point.max for point in spike.points if isinstance(point.max, float)) == 1.0


def test_a_short_history_is_not_reduced(lab: Lab, api: Api, project: str) -> None:
    """Fewer points than samples come as they are, between the asked steps."""
    lab.log(project, "r1", [{"acc": step / 4} for step in range(5)])

    rows = api.run(f"{project}/r1").history(keys=["acc"], from_=1, to=3)

    assert rows == [{"_step": step, "acc": step / 4} for step in (1, 2, 3)]


def test_history_as_a_data_frame(lab: Lab, api: Api, project: str) -> None:
    """With pandas, the rows are a table with a column a key."""
    lab.log(project, "r1", [{"acc": 0.5, "loss": 2.0}, {"acc": 0.75}])

    frame = api.run(f"{project}/r1").history(keys=["acc", "loss"], pandas=True)

    assert frame["acc"].tolist() == [0.5, 0.75]
    assert (frame["loss"][0], math.isnan(frame["loss"][1])) == (2.0, True)
