"""Batches put and folded through the handlers, as the queue calls them."""

from typing import Any

from runhue_server.aggregation.tasks import compact_tails, fold_log_batches
from runhue_shared import db
from runhue_shared.db import client_summaries, documents, history
from runhue_shared.events import LogBatch
from runhue_shared.messages import LogBatchStored, RunTailGrown
from tests.builders import Run, put_batch


def put(run: Run, batch: LogBatch, no: int = 1) -> None:
    with db.transaction() as tx:
        put_batch(tx, run, batch, no)


def fold(run: Run) -> None:
    """Every handler runs twice."""
    for _ in range(2):
        fold_log_batches(LogBatchStored(part=run.part))


def compact(run: Run) -> None:
    for _ in range(2):
        compact_tails(RunTailGrown(part=run.part))


def folded(run: Run, batch: LogBatch, no: int = 1) -> None:
    """One batch, put and folded."""
    put(run, batch, no)
    fold(run)


def rows_of(query: str) -> list[tuple[Any, ...]]:
    with db.transaction() as tx:
        return tx.execute(query).fetchall()


def manual(run: Run) -> Any:  # JSON
    """The manual summary."""
    with db.transaction() as tx:
        return client_summaries.manual_of_runs(tx, [run.id])[run.id][0]


def summary(run: Run) -> dict[str, Any]:
    with db.transaction() as tx:
        return documents.summary_of_run(tx, run.id)


def client_summary(run: Run) -> dict[str, Any]:
    with db.transaction() as tx:
        return documents.client_summary_of_run(tx, run.id)


def metrics(run: Run) -> dict[str, history.RunMetric]:
    with db.transaction() as tx:
        return {found.name: found for found in history.metrics_of_run(tx, run.id)}


def make_client(run: Run, no: int = 1, client: str = "") -> None:
    """Make a writer one of the wandb client's."""
    with db.transaction() as tx:
        tx.execute("UPDATE run_writer SET client = %s WHERE id = %s", (client, run.writer_ids[no - 1]))
