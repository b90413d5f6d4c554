"""Reduced history over chunks, pyramid and tail is what plain buckets of the same points are."""

import random
from typing import Any

import pytest

from runhue_server.aggregation.compact import compact_run
from runhue_server.aggregation.fold import fold_partition
from runhue_shared.db import Transaction, history
from runhue_shared.db.metrics import MetricIds
from runhue_shared.settings import Settings
from tests.builders import batch_of, make_project, make_run, make_team, put_batch
from tests.property.history_model import Record, model_buckets, model_points, reduced_rows

WRITERS = 2


def _records(seed: int, spacing: int) -> list[Record]:
    """Two writers that mostly go forward, sometimes far back, and sometimes log no number."""
    chance = random.Random(seed)
    records = []
    for no in (1, 2):
        step = 0
        for seq in range(9_000):
            step += chance.randrange(1, 2 * spacing)
            at = step if chance.random() < 0.999 else chance.randrange(step)
            records.append(Record(no, seq, at, {"loss": _value(chance)}))
    return records


def _value(chance: random.Random) -> Any:
    roll = chance.random()
    if roll < 0.01:
        return chance.choice([float("nan"), float("inf"), -float("inf"), "text", None])
    return chance.randrange(10**6) if roll < 0.1 else chance.gauss(0, 1)


@pytest.mark.parametrize(("seed", "spacing"), [(1, 1), (2, 3), (3, 40), (4, 5_000)])
def test_reduced_history_is_what_plain_buckets_are(tx: Transaction, seed: int, spacing: int) -> None:
    """Compaction at random moments, late and replaced points, and any range give the plain buckets."""
    chance = random.Random(seed)
    records = _records(seed, spacing)
    run = make_run(tx, make_project(tx, make_team(tx)), writers=WRITERS)
    for lo in range(0, 9_000, 500):
        for no in (1, 2):
            own = [record for record in records if record.writer_no == no and lo <= record.seq < lo + 500]
            put_batch(tx, run, batch_of([(record.step, record.values) for record in own], lo), no)
        fold_partition(tx, run.part, MetricIds(), Settings())
        if chance.random() < 0.3:
            compact_run(tx, run.team_id, run.id)
    held = model_points(records)["loss"]
    last = max(held)
    for _ in range(25):
        first, end = sorted(chance.randrange(last) for _ in range(2))
        points = chance.choice([1, 7, 100, 1000, 4000])
        for series in history.read_reduced(tx, [run.id], "LOSS", first, end, points):
            bucket = series.bucket
            wide = {s: v for s, v in held.items() if first // bucket <= s // bucket <= end // bucket}
            assert reduced_rows(series) == model_buckets(wide, bucket)
            assert len(series.start) <= points
    rows = history.read_rows(tx, run.id, ["loss"])
    assert [row["_step"] for row in rows] == list(held)
