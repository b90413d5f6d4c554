"""Whatever way records and rewinds arrive, history is what a plain model makes of them."""

from collections.abc import Iterator
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_server.aggregation.compact import compact_run
from runhue_server.aggregation.fold import fold_partition
from runhue_shared.db import Transaction, history
from runhue_shared.db.metrics import MetricIds
from runhue_shared.events import LogBatch, Rewind, encode_rows
from runhue_shared.settings import Settings
from tests.builders import Run, make_project, make_run, make_team, put_batch
from tests.property.history_model import (
    Record,
    Taken,
    model_buckets,
    model_metrics,
    model_points,
    reduced_rows,
    standing,
    stored_metrics,
)

WRITERS = 3
VALUES = st.sampled_from([0.5, -2.25, 1e308, float("nan"), 3, 2**53 + 1, "text", True, [1, [2]]])
ROWS = st.tuples(st.integers(0, 12000), st.dictionaries(st.sampled_from(["loss", "é"]), VALUES, max_size=2))
Batch = tuple[int, int, int]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Record], list[Taken], list[Batch], list[bool], int]:
    """Records of some writers, of which later ones may begin with a rewind (seq 0); their batches as they
    arrive, perhaps twice; when to compact; how many batches a fold takes."""
    records: list[Record] = []
    rewinds: list[Taken] = []
    batches = []
    for no in range(1, WRITERS + 1):
        rows = draw(st.lists(ROWS, min_size=1, max_size=10))
        if no > 1 and draw(st.booleans()):
            rewinds.append(Taken(no, 0, draw(st.integers(-1, 12000))))
        records += [Record(no, seq, step, values) for seq, (step, values) in enumerate(rows, 1)]
        cuts = sorted({0, len(rows) + 1, *draw(st.lists(st.integers(1, len(rows) + 1), max_size=3))})
        own = [(no, lo, hi - 1) for lo, hi in pairwise(cuts)]
        batches.append([batch for batch in own for _ in range(draw(st.integers(1, 2)))])
    order: list[Batch] = []
    while any(batches):
        order.append(draw(st.sampled_from([batch for batch in batches if batch])).pop(0))
    times = draw(st.lists(st.sampled_from([False, False, True]), min_size=len(order), max_size=len(order)))
    return records, rewinds, order, times, draw(st.integers(1, 4))


@pytest.fixture
def connection(clean_database: str) -> Iterator[Transaction]:
    with psycopg.connect(clean_database) as opened:
        make_project(opened, make_team(opened))
        yield opened
        opened.rollback()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(delivery=deliveries())
def test_history_is_what_rewinds_leave(
    connection: Transaction,
    delivery: tuple[list[Record], list[Taken], list[Batch], list[bool], int],
) -> None:
    """Rows that a later writer took back are none, whatever came first and whenever it was compacted."""
    records, rewinds, order, compactions, at_once = delivery
    with connection.transaction(force_rollback=True):
        run = make_run(connection, 1, writers=WRITERS)
        for at, (batch, compact) in enumerate(zip(order, compactions, strict=True), 1):
            put_batch(connection, run, _batch(records, rewinds, *batch), batch[0])
            if at % at_once == 0:
                fold(connection, run)
            if compact:
                compact_run(connection, run.team_id, run.id)
        fold(connection, run)

        _check(connection, run, standing(records, rewinds))
        compact_run(connection, run.team_id, run.id)
        _check(connection, run, standing(records, rewinds))


def fold(tx: Transaction, run: Run) -> None:
    fold_partition(tx, run.part, MetricIds(), Settings())


def _batch(records: list[Record], rewinds: list[Taken], no: int, lo: int, hi: int) -> LogBatch:
    own = [record for record in records if record.writer_no == no and lo <= record.seq <= hi]
    rows = encode_rows([(record.seq - lo, record.step, record.values) for record in own])
    said = [Rewind(taken.seq, taken.step) for taken in rewinds if taken.writer_no == no and lo == 0]
    return LogBatch(seq_lo=lo, seq_hi=hi, rows=rows if len(rows) else None, rewind=said)


def _check(tx: Transaction, run: Run, records: list[Record]) -> None:
    points = model_points(records)
    assert stored_metrics(tx, run.id) == model_metrics(points)
    steps = sorted(points.get("_step", {}))
    assert [row["_step"] for row in history.read_rows(tx, run.id)] == steps
    for limit in (2, 30):
        for series in history.read_reduced(tx, [run.id], "loss", 0, None, limit):
            assert reduced_rows(series) == model_buckets(points["loss"], series.bucket)
