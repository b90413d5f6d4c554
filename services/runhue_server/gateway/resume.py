"""Going on with a run: what a client asks before it does, and taking back rows (`resume_from`)."""

import json
from typing import Any

from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.run_fields import page_of, run_nodes
from runhue_server.gateway.run_history import in_words
from runhue_server.gateway.upsert import bucket_of, require_logging
from runhue_server.gateway.writers import Marks, add_session, marks_text
from runhue_server.intake.starts import wait_until_folded
from runhue_server.web.problems import Invalid, NotFound, Unavailable
from runhue_shared import db
from runhue_shared.db import runs, wandb_writers, writers
from runhue_shared.db.client_history import events_for_client, rows_for_client
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import last_place
from runhue_shared.events import LogBatch, Rewind
from runhue_shared.series.values import json_text

FIELDS = Fields("resume")

Json = dict[str, Any]  # what GraphQL gives and takes

FOLD_SECONDS = 12.0
"""The client waits 30 s for an answer; where a run ends must be exact, or steps would be logged twice."""


@FIELDS.answers("Project", "bucket")
def bucket(
    source: Json,
    context: Context,
    name: str | None = None,
    missingOk: bool | None = None,  # noqa: ARG001, N803  # as the schema names it
) -> Json | None:
    """The run to go on with, once everything of it is folded; None when it is not there.

    Raises:
        Unavailable: folding takes longer than the client waits.
    """
    if not name or "\0" in name:
        return None
    team: Principal = source["_team"]
    with db.transaction() as tx:
        run = wandb_writers.run_named(tx, team.team_id, source["name"], name)
    if run is None or run.deleted:
        return None
    _await_folding(context, run.id, run.part)
    with db.snapshot() as tx:
        found = runs.run_named(tx, source["_project_id"], name)
    return None if found is None else _strict(run_nodes(source, [found])[0])


def _strict(node: Json) -> Json:
    """The node with texts for NaN in summary and config: not every reader takes them bare."""
    page, run_id = page_of(node)
    page.summaries = {run_id: in_words(page.summaries.get(run_id, {}))}
    page.configs = {run_id: json_text(in_words(json.loads(page.configs.get(run_id, "{}"))))}
    return node


def _await_folding(context: Context, run_id: int, part: int) -> None:
    if not wait_until_folded(run_id, part, context.submitter.waker, FOLD_SECONDS):
        raise Unavailable("the run's last rows are being stored")


@FIELDS.answers("Run", "historyTail")
def history_tail(source: Json, _context: Context) -> str:
    """JSON list with the JSON text of the last row; [] for a run without rows."""
    _, run_id = page_of(source)
    with db.snapshot() as tx:
        last_step, _ = last_place(tx, run_id)
        rows = rows_for_client(tx, run_id, last_step) if last_step >= 0 else []
    return _tail(rows)


@FIELDS.answers("Run", "eventsTail")
def events_tail(source: Json, _context: Context) -> str:
    """JSON list with the JSON text of the last sample of the machine."""
    _, run_id = page_of(source)
    with db.snapshot() as tx:
        return _tail(events_for_client(tx, run_id, 1))


def _tail(rows: list[Json]) -> str:
    return json_text([json_text(in_words(row)) for row in rows[-1:]])


@FIELDS.answers("Mutation", "rewindRun")
def rewind_run(
    _source: object,
    context: Context,
    input: Json | None = None,  # noqa: A002  # as the schema names it
) -> Json:
    """Take back the rows after a step, and answer the run as it is then. Asked again it is as if asked once.

    Raises:
        Invalid: not a step.
        NotFound: there is no such run.
        Unavailable: folding takes longer than the client waits.
    """
    said = input or {}
    sender = context.in_team(said.get("entityName"))
    project, name = str(said.get("projectName") or ""), str(said.get("runName") or "")
    require_logging(sender, project)
    step = _step(said)
    session, part, run_id = _begin(sender, project, name)
    batch = LogBatch(
        session.durable_seq + 1, session.durable_seq + 1, rewind=[Rewind(session.durable_seq + 1, step)]
    )
    context.submitter.submit_from_thread(sender, session.id, batch, marks_text(Marks()))
    _await_folding(context, run_id, part)
    return {"rewoundRun": bucket_of(sender, project, name), "clientMutationId": said.get("clientMutationId")}


def _step(said: Json) -> int:
    metric, value = said.get("metricName"), said.get("metricValue")
    if metric != "_step":
        raise Invalid(f"a run is rewound to a _step, not to a value of {metric!r}", field="metricName")
    if not isinstance(value, int | float) or not 0 <= value < 2**63:
        raise Invalid(f"{value!r} is no step", field="metricValue", fix="send a whole number from 0 on")
    return int(value)


def _begin(sender: Principal, project: str, name: str) -> tuple[writers.Writer, int, int]:
    """A fresh session to speak the rewind: it takes back what earlier ones logged."""
    with db.transaction() as tx:
        found = None if "\0" in project + name else wandb_writers.run_named(tx, sender.team_id, project, name)
        run = None if found is None else writers.lock_run(tx, found.project_id, name)
        if found is None or run is None or run.deleted:
            raise NotFound(f"there is no run {name!r} in project {project!r}", field="runName")
        session = add_session(tx, sender.team_id, found.project_id, run, "", Marks())
    return session, run.part, run.id
