"""Histograms over steps, on one grid for all runs."""

import itertools
import json
import random
import struct
from fractions import Fraction
from typing import Any

import httpx
import numpy as np
import pytest

from runhue_server.aggregation.compact import compact_run
from runhue_server.api import histogram_answers
from runhue_server.api.models_histograms import Histograms
from runhue_shared import db
from tests.integration.api.stored import Stored


def histogram(*counts: float, low: float = 0.0, width: float = 1.0) -> dict[str, Any]:
    """A histogram with bins of one width."""
    bins = [low + width * at for at in range(len(counts) + 1)]
    return {"_type": "histogram", "values": list(counts), "bins": bins}


def read(api: httpx.Client, project: Stored, runs: str, **asked: Any) -> Histograms:
    """The matrices of the key "h"."""
    answer = api.get(f"{project.url}/histograms", params={"key": "h", "runs": runs, **asked})
    assert answer.status_code == 200, answer.text
    return Histograms.model_validate(answer.json())


def test_one_grid_for_all_runs(api: httpx.Client, project: Stored) -> None:
    """Every run's histograms lie on one grid from the lowest to the highest edge, totals kept."""
    project.log("r1", [{"h": histogram(4, 8)}, {"loss": 1}, {"h": histogram(1, 1, low=2)}])
    packed = {"_type": "histogram", "values": [6, 2], "packedBins": {"min": 0, "size": 2, "count": 2}}
    project.log("r2", [{"h": packed}])
    project.log("r3", [{"loss": 1}])

    found = read(api, project, "r2,r1,r3", rows=4)

    assert found.edges == [0, 1, 2, 3, 4]
    assert [run.run_id for run in found.runs] == ["r2", "r1", "r3"]
    assert found.runs[0].counts == [[3], [3], [1], [1]]
    assert found.runs[1].counts == [[4, 0], [8, 0], [0, 1], [0, 1]]
    assert [(c.step, c.last_step, c.n) for c in found.runs[1].columns] == [(0, 0, 1), (2, 2, 1)]
    assert (found.runs[2].columns, found.runs[2].counts, found.runs[2].n) == ([], [[], [], [], []], 0)


@pytest.mark.parametrize(
    ("first", "last", "columns"), [(0, 300, 5), (13, 200, 3), (0, 300, 1000), (50, 50, 1)]
)
def test_columns_are_buckets_of_steps(
    api: httpx.Client, project: Stored, first: int, last: int, columns: int
) -> None:
    """Columns are power-of-two buckets aligned at step 0, as a slow exact model has them."""
    chance = random.Random(3)
    rows: list[dict[str, Any]] = [
        {"_step": step, "h": histogram(*(chance.randint(0, 9) for _ in range(3)), low=chance.randint(-4, 4))}
        for step in sorted(chance.sample(range(300), 60))
    ]
    project.log("r1", rows)

    found = read(api, project, "r1", from_step=first, to_step=last, columns=columns, rows=7)

    (run,) = found.runs
    inside = [row for row in rows if first <= row["_step"] <= last]
    if len(inside) > columns:
        bucket = 1
        while inside[-1]["_step"] // bucket - inside[0]["_step"] // bucket + 1 > columns:
            bucket *= 2
        low, high = inside[0]["_step"] // bucket, inside[-1]["_step"] // bucket
        inside = [row for row in rows if low <= row["_step"] // bucket <= high]
        assert run.bucket == bucket
    else:
        bucket = run.bucket
        assert bucket == 1
    assert len(run.columns) <= columns
    by_bucket = itertools.groupby(inside, key=lambda row: row["_step"] // bucket)
    for at, (start, group) in enumerate(by_bucket):
        members = list(group)
        column = run.columns[at]
        assert (column.step, column.n) == (start * bucket, len(members))
        assert column.last_step == members[-1]["_step"]
        counts = [run.counts[cell][at] for cell in range(7)]
        for cell, count in enumerate(counts):
            assert count == pytest.approx(float(_overlap(members, found.edges, cell)), abs=1e-9)
    assert run.n == len(inside)


def _overlap(rows: list[dict[str, Any]], edges: list[float], cell: int) -> Fraction:
    """Counts in one cell, in fractions."""
    low, high = Fraction(edges[cell]), Fraction(edges[cell + 1])
    total = Fraction(0)
    for row in rows:
        for start, end, count in zip(
            row["h"]["bins"], row["h"]["bins"][1:], row["h"]["values"], strict=False
        ):
            share = min(high, Fraction(end)) - max(low, Fraction(start))
            total += Fraction(count) * max(share, Fraction(0)) / (Fraction(end) - Fraction(start))
    return total


def test_a_range_across_chunks_and_tail(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few points are read at a time, the matrix is the same."""
    rows = [{"h": histogram(at, 1, low=at % 5)} for at in range(60)]
    run_id = project.log("r1", rows)
    with db.transaction() as tx:
        compact_run(tx, project.team.id, run_id)
    project.log("r2", rows[:7])
    whole = read(api, project, "r1,r2", columns=9, rows=6)

    monkeypatch.setattr(histogram_answers, "WINDOW_POINTS", 1)

    assert read(api, project, "r1,r2", columns=9, rows=6) == whole
    assert [run.n for run in whole.runs] == [60, 7]


def test_too_many_histograms_are_refused(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one answer is made of are refused with what to do, before they are read."""
    project.log("r1", [{"h": histogram(1)} for _ in range(9)])
    monkeypatch.setattr(histogram_answers, "MAX_HISTOGRAMS", 8)

    refused = api.get(f"{project.url}/histograms", params={"key": "h", "runs": "r1"})

    assert refused.status_code == 422
    assert (refused.json()["code"], refused.json()["field"], refused.json()["limit"]) == (
        "too_many_histograms", "runs", 8,
    )  # fmt: skip
    assert read(api, project, "r1", from_step=1).runs[0].n == 8


def test_binary_is_the_same(api: httpx.Client, project: Stored) -> None:
    """The binary answer has the JSON one as its header, and the counts as float32."""
    project.log("r1", [{"h": histogram(1, 2, 3)} for _ in range(5)])
    project.log("r2", [{"h": histogram(9, low=1)}])
    asked: dict[str, Any] = {"key": "h", "runs": "r1,r2", "rows": 6}

    plain = Histograms.model_validate(api.get(f"{project.url}/histograms", params=asked).json())
    answer = api.get(f"{project.url}/histograms", params=asked | {"format": "binary"})

    assert answer.headers["content-type"] == "application/vnd.runhue.histograms"
    assert answer.content[:8] == b"RHHG\1\0\0\0"
    (length,) = struct.unpack_from("<I", answer.content, 8)
    assert length % 4 == 0
    header = Histograms.model_validate(json.loads(answer.content[12 : 12 + length]))
    numbers = np.frombuffer(answer.content, "<f4", offset=12 + length)
    for run, expected in zip(header.runs, plain.runs, strict=True):
        size = 6 * len(run.columns)
        assert numbers[:size].reshape(6, -1).tolist() == expected.counts
        numbers = numbers[size:]
    assert len(numbers) == 0


def test_what_is_no_histogram_is_counted(api: httpx.Client, project: Stored) -> None:
    """Edges that are not finite are skipped and counted; equal edges are a point; none give a unit grid."""
    project.log(
        "r1",
        [
            {"h": {"_type": "histogram", "values": [1], "bins": ["NaN", 1]}},
            {"h": {"_type": "histogram", "values": [1], "bins": [0, float("inf")]}},
            {"h": {"_type": "histogram", "values": [7], "bins": [3, 3]}},
            {"h": 4.5},
        ],
    )
    project.log("r2", [{"h": {"_type": "histogram"}}])

    point = read(api, project, "r1", rows=2)
    empty = read(api, project, "r2", rows=2)

    assert (point.edges, point.runs[0].skipped, point.runs[0].n) == ([2.5, 3.0, 3.5], 2, 1)
    assert point.runs[0].counts == [[0], [7]]
    assert (empty.edges, empty.runs[0].skipped, empty.runs[0].counts) == ([0, 0.5, 1], 1, [[], []])


def test_refusals(api: httpx.Client, them: httpx.Client, project: Stored) -> None:
    """What cannot be answered is refused by name; other teams see nothing."""
    project.add_run("r1")
    url = f"{project.url}/histograms"

    for asked, field in (({"rows": 513}, "rows"), ({"columns": 0}, "columns"), ({"format": "csv"}, "format")):
        refused = api.get(url, params={"key": "h", "runs": "r1", **asked})
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert api.get(url, params={"key": "h", "runs": "none"}).json()["code"] == "run_not_found"
    assert them.get(url, params={"key": "h", "runs": "r1"}).status_code == 404
