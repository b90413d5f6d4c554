"""Whatever a client logs and sets, and whether its summary runs ahead of its rows or behind, ours agrees."""

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_server.aggregation.fold import fold_partition
from runhue_shared.db import Transaction, client_summaries, documents
from runhue_shared.db.client_summaries import is_client_key, same_value
from runhue_shared.db.metrics import MetricIds
from runhue_shared.events import LogBatch, SummarySeen, encode_rows
from runhue_shared.settings import Settings
from tests.builders import Run, make_project, make_run, make_team, put_batch

KEYS = st.sampled_from(["loss", "acc", "best"])
VALUES = st.sampled_from([0, 1, 0.5, math.nan, "text", None, True, [1, 2.0], {"_type": "histogram", "n": 1}])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["log", "log", "set"]), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("fold"), st.none(), st.none()),
)


class Client:
    """A client that keeps its own summary. What it sends is numbered as the gateway would."""

    def __init__(self, tx: Transaction, run: Run) -> None:
        self._tx, self._run = tx, run
        self._seq = 0
        self._step = -1
        self._rows: list[tuple[int, dict[str, Any]]] = []
        self.summary: dict[str, Any] = {}
        self.logged: dict[str, Any] = {}
        self._past = [self.summary]

    def act(self, kind: str, one: Any, other: Any) -> None:
        if kind == "log":
            self._step += 1
            self._rows.append((self._step, {one: other}))
            self.logged[one] = other
            self.summary = self.summary | {one: other, "_step": self._step}
        elif kind == "set":
            self.summary = self.summary | {one: other}
        elif kind == "delete":
            self.summary = {key: value for key, value in self.summary.items() if key != one}
        elif kind == "send":
            self.send(len(self._rows) - one, self._past[-1 - min(other, len(self._past) - 1)])
        else:
            fold_partition(self._tx, self._run.part, MetricIds(), Settings())
        self._past.append(self.summary)

    def send(self, rows: int, summary: dict[str, Any]) -> None:
        """The first so many rows that were not sent, and a summary."""
        sent, self._rows = self._rows[: max(rows, 0)], self._rows[max(rows, 0) :]
        columns = encode_rows([(at, step, values) for at, (step, values) in enumerate(sent)])
        last = self._seq + len(sent)
        said = [SummarySeen(last, summary)]
        batch = LogBatch(self._seq, last, rows=columns if sent else None, summary_seen=said)
        put_batch(self._tx, self._run, batch)
        self._seq = last + 1

    def finish(self) -> None:
        self.send(len(self._rows), self.summary)
        self.act("fold", None, None)


@pytest.fixture
def connection(clean_database: str) -> Iterator[Transaction]:
    with psycopg.connect(clean_database) as opened:
        make_project(opened, make_team(opened))
        yield opened
        opened.rollback()


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(ACTS, max_size=25))
def test_a_summary_is_the_clients_own(connection: Transaction, acts: list[tuple[str, Any, Any]]) -> None:
    """At the end each key has the client's value, and is manual exactly where that was not logged last."""
    with connection.transaction(force_rollback=True):
        run = make_run(connection, 1)
        connection.execute("UPDATE run_writer SET client = ''")
        client = Client(connection, run)
        for act in acts:
            client.act(*act)
        client.finish()

        own = {key: value for key, value in client.summary.items() if not is_client_key(key)}
        ours = documents.summary_of_run(connection, run.id)
        ours.pop("_step", None)
        by_hand, _ = client_summaries.manual_of_runs(connection, [run.id])[run.id]
        assert same_value(ours, client.logged | own)
        assert by_hand.keys() == {
            key for key, value in own.items() if not same_value(client.logged.get(key, "none"), value)
        }
        assert same_value(documents.client_summary_of_run(connection, run.id), client.summary)
