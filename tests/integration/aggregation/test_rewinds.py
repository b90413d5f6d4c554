"""Rewinds, folded through the handlers."""

import json
import math

import numpy as np
import pytest

from runhue_shared import db
from runhue_shared.db import history
from runhue_shared.events import Rewind
from runhue_shared.series.values import NUMBER
from runhue_shared.settings import Settings
from tests.builders import Run, batch_of, make_project, make_run, make_team
from tests.integration.aggregation.folding import compact, fold, folded, metrics, put, rows_of, summary
from tests.property.history_model import model_buckets, reduced_rows


@pytest.fixture
def run(server_settings: Settings) -> Run:
    """A run with three writers."""
    with db.transaction() as tx:
        return make_run(tx, make_project(tx, make_team(tx)), writers=3)


def steps(run: Run) -> list[int]:
    with db.transaction() as tx:
        return [row["_step"] for row in history.read_rows(tx, run.id)]


def test_a_rewind_takes_rows_back(run: Run) -> None:
    """Rows after the step are gone with the metrics that only they had; system rows stay."""
    rows = [(step, {"loss": float(step)}) for step in range(6)]
    system = batch_of([(5000, {"cpu": 1.0})]).rows
    folded(run, batch_of([*rows, (6, {"late": 1})], system=system))

    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)
    folded(run, batch_of([(3, {"loss": 30.0})], seq_lo=1), 2)

    assert steps(run) == [0, 1, 2, 3]
    assert summary(run) == {"_step": 3, "loss": 30.0}
    with db.transaction() as tx:
        assert [row["cpu"] for row in history.read_rows(tx, run.id, stream="system")] == [1.0]


def test_rows_that_come_after_their_rewind_are_none(run: Run) -> None:
    """A batch of the rewound process that is folded late adds only what stands."""
    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)

    folded(run, batch_of([(step, {"loss": float(step), "s": "x"}) for step in range(6)]), 1)

    assert steps(run) == [0, 1, 2]
    assert metrics(run)["loss"].n == 3
    assert rows_of("SELECT rows FROM tail") == [(3,)]


def test_a_rewind_is_applied_once(run: Run) -> None:
    """The same rewind folded again leaves later rows of its own process alone."""
    folded(run, batch_of([(step, {"loss": float(step)}) for step in range(6)]), 1)
    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)
    folded(run, batch_of([(9, {"loss": 9.0})], seq_lo=1), 2)
    with db.transaction() as tx:
        tx.execute("UPDATE run_writer SET applied_seq = -1 WHERE no = 2")

    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)

    assert steps(run) == [0, 1, 2, 9]


def test_a_rewind_tells_screens(run: Run) -> None:
    """The project's stream says where the run ends now."""
    folded(run, batch_of([(step, {"loss": float(step)}) for step in range(6)]))
    with db.transaction() as tx:
        tx.execute("DELETE FROM outbox")

    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)

    events = [json.loads(payload) for (payload,) in rows_of("SELECT payload FROM outbox ORDER BY id")]
    assert events == [
        {"type": "points", "runs": [{"run_id": "r1", "last_step": 2, "rewound_to": 2}]},
        {"type": "keys"},
    ]


@pytest.mark.parametrize("to", [-1, 0, 4095, 20_000, 39_999, 50_000])
def test_chunks_and_pyramid_are_cut(run: Run, to: int) -> None:
    """What charts read after a rewind is what a plain model makes of the rows that stand."""
    rows = [(step, {"loss": math.sin(step)}) for step in range(40_000)]
    for start in range(0, 40_000, 10_000):
        put(run, batch_of(rows[start : start + 10_000], start))
    fold(run)
    compact(run)
    assert rows_of("SELECT count(*) > 0 FROM series_lod") == [(True,)]

    folded(run, batch_of(rewind=[Rewind(0, to)]), 2)
    held = {step: values["loss"] for step, values in rows if step <= to}
    _check(run, held)
    folded(run, batch_of([(step, {"loss": 2.0}) for step in range(to + 1, to + 3)], seq_lo=1), 2)
    compact(run)

    _check(run, held | {to + 1: 2.0, to + 2: 2.0})


def _check(run: Run, held: dict[int, float]) -> None:
    with db.transaction() as tx:
        for points in (10, 300):
            for series in history.read_reduced(tx, [run.id], "loss", 0, None, points):
                assert reduced_rows(series) == model_buckets(held, series.bucket)
        read = [one for one in history.read_series(tx, run.id, ["loss"]) if one.type == NUMBER]
        assert [one.steps.tolist() for one in read] == ([sorted(held)] if held else [])
        steps = np.array(sorted(held), np.int64)
        assert history.steps_of_rows(tx, run.id).tolist() == steps.tolist()
