"""Forks: a new run begins with its parent's rows up to a step, copied by a writer of their own.

That writer is older than the client's, so what the fork logs wins over what it took over. Its marks say up to
which step rows are copied: who asks again goes on from there.
"""

import contextlib
import time

from runhue_server.gateway.context import Context
from runhue_server.gateway.run_config import BranchPoint
from runhue_server.gateway.writers import Marks, add_session, marks_of, marks_text
from runhue_server.intake.problems import SequenceGap
from runhue_server.intake.starts import wait_until_folded
from runhue_server.web.problems import NotFound, Unavailable
from runhue_shared import db
from runhue_shared.db import wandb_writers
from runhue_shared.db.history import metrics_of_run, read_rows
from runhue_shared.db.keys import Principal
from runhue_shared.db.runs import run_named
from runhue_shared.db.wandb_writers import WandbWriter
from runhue_shared.db.writers import StartedRun
from runhue_shared.events import LogBatch, encode_rows
from runhue_shared.series.columns import STEP_KEY

CLIENT = "fork"
COPY_SECONDS = 20.0
"""The client waits 30 s for an answer; then it asks again, and the copy goes on."""

FOLD_SECONDS = 10.0
VALUES_AT_ONCE = 400_000
"""About so many values are read and written at once; a batch of them has a few megabytes."""


def begin(tx: db.Transaction, team_id: int, project_id: int, run: StartedRun, origin: BranchPoint) -> None:
    """Have the new run, locked by this transaction, take over its parent's rows.

    Raises:
        NotFound: there is no such parent in the project.
    """
    parent = run_named(tx, project_id, origin.run)
    if parent is None:
        raise NotFound(
            f"there is no run {origin.run[:128]!r} to fork from in this project",
            field="fork_from",
            fix="fork from a run of the same project",
        )
    wandb_writers.inherit_from(tx, parent.id, run.id)
    add_session(tx, team_id, project_id, run, CLIENT, Marks())


def go_on(context: Context, sender: Principal, project: str, run_id: int, origin: BranchPoint) -> None:
    """Copy what is not copied yet.

    Raises:
        Unavailable: it takes longer than the client waits; asked again it goes on.
    """
    deadline = time.monotonic() + COPY_SECONDS
    while (writer := _unfinished(run_id)) is not None:
        if time.monotonic() > deadline:
            raise Unavailable("the parent's rows are being copied")
        with db.transaction() as tx:
            parent = wandb_writers.run_named(tx, sender.team_id, project, origin.run)
        if parent is None or parent.deleted:
            return  # what was copied stays
        if not wait_until_folded(parent.id, parent.part, context.submitter.waker, FOLD_SECONDS):
            raise Unavailable("the parent's last rows are being stored")
        with contextlib.suppress(SequenceGap):  # another request copied the same rows
            _copy_page(context, sender, parent.id, writer, origin.step)


def _unfinished(run_id: int) -> WandbWriter | None:
    with db.transaction() as tx:
        writer = wandb_writers.newest_writer(tx, run_id, CLIENT)
        if writer is None or not marks_of(writer).complete:
            return writer
        wandb_writers.close_writer(tx, writer.id)
    return None


def _copy_page(
    context: Context, sender: Principal, parent_id: int, writer: WandbWriter, last_step: int
) -> None:
    marks = marks_of(writer)
    with db.snapshot() as tx:
        keys = len(metrics_of_run(tx, parent_id))
        most = max(VALUES_AT_ONCE // max(keys, 1), 1)
        rows = read_rows(tx, parent_id, None, marks.history, last_step, most) if last_step >= 0 else []
    marks.complete = len(rows) < most
    if rows:
        marks.history = rows[-1][STEP_KEY] + 1
    seq_lo = writer.durable_seq + 1
    columns = encode_rows([(at, row.pop(STEP_KEY), row) for at, row in enumerate(rows)])
    batch = LogBatch(seq_lo, seq_lo + max(len(rows), 1) - 1, rows=columns if rows else None)
    context.submitter.submit_from_thread(sender, writer.id, batch, marks_text(marks))
