"""Answers are of one moment, also while points move from tails to chunks."""

import threading
from typing import Any

import httpx
import pytest

from runhue_server.aggregation.compact import compact_run
from runhue_server.aggregation.fold import fold_partition
from runhue_shared import db
from runhue_shared.db import history
from runhue_shared.db.chunks import ChunksGone, chunk_infos, read_chunks
from runhue_shared.db.metrics import MetricIds
from runhue_shared.settings import settings
from tests.builders import Run, batch_of, make_run, put_batch
from tests.integration.api.stored import Stored
from tests.waiting import eventually, somebody_waits_for

STEPS = 5_000


@pytest.fixture
def half_compacted(project: Stored) -> Run:
    """A run with a chunk, and a tail between the chunk's steps."""
    with db.transaction() as tx:
        run = make_run(tx, project.id)
        log(tx, run, range(0, 2 * STEPS, 2), seq_lo=0)
        compact_run(tx, run.team_id, run.id)
        log(tx, run, range(1, 2 * STEPS, 200), seq_lo=STEPS)
    return run


def log(tx: db.Transaction, run: Run, steps: range, seq_lo: int) -> None:
    put_batch(tx, run, batch_of([(step, {"loss": float(step)}) for step in steps], seq_lo))
    fold_partition(tx, run.part, MetricIds(), settings())


@pytest.mark.parametrize("address", ["runs/r1/history?keys=loss&points=50", "history?key=loss&points=50"])
def test_reduced_history_is_of_one_moment(
    api: httpx.Client, project: Stored, half_compacted: Run, address: str
) -> None:
    """A compaction that commits while a chart is read takes no point from it."""
    before = api.get(f"{project.url}/{address}").json()
    answers: list[Any] = []
    reader = threading.Thread(target=lambda: answers.append(api.get(f"{project.url}/{address}").json()))

    with db.transaction() as tx:
        compact_run(tx, half_compacted.team_id, half_compacted.id)
        tx.execute("LOCK TABLE series_lod IN ACCESS EXCLUSIVE MODE")
        reader.start()
        assert eventually(lambda: somebody_waits_for("series_lod"))
    reader.join(20)

    assert answers == [before]
    assert sum(point["count"] for point in before["series"][0]["points"]) == STEPS * 101 // 100


def test_points_that_moved_are_no_points_that_are_not_there(half_compacted: Run) -> None:
    """Chunks that another transaction replaced meanwhile are an error, never a gap in the history."""
    run = half_compacted
    with db.transaction() as tx:
        (metric,) = tx.execute(
            "SELECT metric_id FROM series_chunk WHERE run_id = %s", (run.id,)
        ).fetchone() or (0,)
        found = chunk_infos(tx, [run.id], [metric], 0, history.MAX_STEP)[run.id, metric]
        with db.transaction() as other:
            compact_run(other, run.team_id, run.id)

        with pytest.raises(ChunksGone, match="snapshot"):
            read_chunks(tx, found)
