"""Whatever way records arrive, history is what a plain model makes of them."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_server.aggregation.compact import compact_run
from runhue_server.aggregation.fold import fold_partition
from runhue_shared.db import Transaction, history
from runhue_shared.db.metrics import MetricIds
from runhue_shared.events import LogBatch, encode_rows
from runhue_shared.settings import Settings
from tests.builders import Run, make_project, make_run, make_team, put_batch
from tests.property.history_model import (
    Record,
    exact,
    model_buckets,
    model_metrics,
    model_points,
    reduced_rows,
    stored_metrics,
)

WRITERS = 3
FLOATS = st.sampled_from([0.0, -0.0, 1.5, -2.25, 1e308, 5e-324, math.nan, math.inf, -math.inf, 0.1])
INTEGERS = st.sampled_from([0, 1, -7, 2**53, 2**53 + 1, -(2**63) - 5, 10**400])
OTHERS = st.sampled_from(
    [
        "",
        "text",
        "NaN",
        "-Infinity",
        "a\0b",
        True,
        False,
        None,
        [1, [2]],
        {"_type": "image-file", "path": "x"},
    ]
)
VALUES = st.one_of(FLOATS, FLOATS, INTEGERS, OTHERS)
ROWS = st.tuples(
    st.integers(0, 40), st.dictionaries(st.sampled_from(["loss", "Loss2", "loss2", "é"]), VALUES, max_size=3)
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Record], list[tuple[int, int, int]], list[bool]]:
    """Records of some writers, their batches (writer, seq_lo, seq_hi) as they arrive, and when to compact."""
    records, batches = [], []
    for no in range(1, draw(st.integers(1, WRITERS)) + 1):
        rows = draw(st.lists(ROWS, min_size=1, max_size=12))
        records += [Record(no, seq, step, values) for seq, (step, values) in enumerate(rows)]
        cuts = sorted({0, len(rows), *draw(st.lists(st.integers(0, len(rows)), max_size=3))})
        own = [(no, lo, hi - 1) for lo, hi in pairwise(cuts)]
        batches.append([batch for batch in own for _ in range(draw(st.integers(1, 2)))])
    order = []
    while any(batches):
        waiting = draw(st.sampled_from([batch for batch in batches if batch]))
        order.append(waiting.pop(0))
    compactions = draw(
        st.lists(st.sampled_from([False, False, True]), min_size=len(order), max_size=len(order))
    )
    return records, order, compactions


@pytest.fixture
def connection(clean_database: str) -> Iterator[Transaction]:
    with psycopg.connect(clean_database) as opened:
        make_project(opened, make_team(opened))
        yield opened
        opened.rollback()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(delivery=deliveries())
def test_history_is_what_the_model_says(
    connection: Transaction, delivery: tuple[list[Record], list[tuple[int, int, int]], list[bool]]
) -> None:
    """Any order, split and repetition of batches, compacted at any moment, gives the model's history."""
    records, order, compactions = delivery
    with connection.transaction(force_rollback=True):
        run = make_run(connection, 1, writers=WRITERS)
        for (no, lo, hi), compact in zip(order, compactions, strict=True):
            put_batch(connection, run, _batch(records, no, lo, hi), no)
            if compact:
                fold(connection, run)
                compact_run(connection, run.team_id, run.id)
        fold(connection, run)

        _check(connection, run, records)


def fold(tx: Transaction, run: Run) -> None:
    fold_partition(tx, run.part, MetricIds(), Settings())


def _batch(records: list[Record], no: int, lo: int, hi: int) -> LogBatch:
    own = [record for record in records if record.writer_no == no and lo <= record.seq <= hi]
    rows = encode_rows([(record.seq - lo, record.step, record.values) for record in own])
    return LogBatch(seq_lo=lo, seq_hi=hi, rows=rows)


def _check(tx: Transaction, run: Run, records: list[Record]) -> None:
    points = model_points(records)
    expected = model_metrics(points)
    assert {key: _plain_zero(row) for key, row in stored_metrics(tx, run.id).items()} == {
        key: _plain_zero(row) for key, row in expected.items()
    }
    assert _rows(history.read_rows(tx, run.id)) == _model_rows(points)
    assert (
        _rows(history.read_rows(tx, run.id, ["LOSS"], 5, 30, 4))
        == _model_rows({key: held for key, held in points.items() if key == "loss"}, 5, 30)[:4]
    )
    for limit in (1, 3, 8):
        for series in history.read_reduced(tx, [run.id], "loss", 3, 37, limit):
            wide = {s: v for s, v in points["loss"].items() if _inside(s, series.bucket, points["loss"])}
            assert reduced_rows(series) == model_buckets(wide, series.bucket)


def _inside(step: int, bucket: int, held: dict[int, Any]) -> bool:
    numbers = [s for s, v in held.items() if not isinstance(v, bool) and isinstance(v, int | float)]
    first, last = max(3, min(numbers)), min(37, max(numbers))
    return first // bucket <= step // bucket <= last // bucket


def _plain_zero(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Statistics hold 0.0 for -0.0."""
    return tuple(exact(0.0) if part == exact(-0.0) else part for part in row)


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key.casefold(): exact(value) for key, value in row.items()} for row in rows]


def _model_rows(points: dict[str, dict[int, Any]], first: int = 0, last: int = 2**63) -> list[dict[str, Any]]:
    steps = sorted({step for held in points.values() for step in held if first <= step <= last})
    return [
        {"_step": exact(step)}
        | {key: exact(held[step]) for key, held in points.items() if step in held and key != "_step"}
        for step in steps
    ]
