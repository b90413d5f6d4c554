"""`run.alert()`: kept with the run, one of a title at a time."""

import time
from typing import Any, Literal

from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.upsert import require_logging
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import wandb_writers
from runhue_shared.db.console import AlertRow, add_alerts
from runhue_shared.db.dead_letters import storable

FIELDS = Fields("alerts")

Json = dict[str, Any]  # what GraphQL gives and takes

LEVELS: dict[str, Literal["info", "warn", "error"]] = {"INFO": "info", "WARN": "warn", "ERROR": "error"}
WAIT_MS = 60_000
LONGEST_TITLE = 1_000
LONGEST_TEXT = 100_000


@FIELDS.answers("Mutation", "notifyScriptableRunAlert")
def notify(
    _source: object,
    context: Context,
    input: Json | None = None,  # noqa: A002  # as the schema names it
) -> Json:
    """Raise the alert, unless one of its title was raised within `waitDuration` (milliseconds).

    Raises:
        NotFound: there is no such run.
    """
    said = input or {}
    sender = context.in_team(said.get("entityName"))
    project, name = str(said.get("projectName") or ""), str(said.get("runName") or "")
    require_logging(sender, project)
    title, text = storable(str(said.get("title") or ""), LONGEST_TITLE), str(said.get("text") or "")
    now = time.time()
    with db.transaction() as tx:
        found = None if "\0" in project + name else wandb_writers.run_named(tx, sender.team_id, project, name)
        if found is None or found.deleted:
            raise NotFound(f"there is no run {name!r} in project {project!r}", field="runName")
        ord_ = wandb_writers.later_ord(tx, found.id)  # locks the run, so that of two requests one is first
        if not wandb_writers.said_alert(tx, found.id, title, now - _wait(said.get("waitDuration"))):
            level = LEVELS.get(str(said.get("severity")), "info")
            place = (sender.team_id, found.id, ord_)
            add_alerts(tx, [AlertRow(*place, title, storable(text, LONGEST_TEXT), level, now)])
    return {"success": True, "clientMutationId": said.get("clientMutationId")}


def _wait(told: Any) -> float:  # JSON
    """Seconds."""
    milliseconds = told if isinstance(told, int | float) and told >= 0 else WAIT_MS
    return float(milliseconds) / 1000
