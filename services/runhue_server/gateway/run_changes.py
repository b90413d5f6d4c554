"""What is done to a run by its id: delete it, ask it to stop, put it into another state."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.web.problems import Forbidden, Invalid, NotFound
from runhue_shared import db
from runhue_shared.db import artifact_versions, artifacts, colors, runs, writers
from runhue_shared.db.keys import Scope
from runhue_shared.db.runs import RunPlace
from runhue_shared.messages import OutboxFilled, ScalesDirty

FIELDS = Fields("run_changes")

Json = dict[str, Any]  # what fields below a type are read from

TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "pending": frozenset({"running", "failed", "crashed", "preempted"}),
        "failed": frozenset({"pending", "running"}),
    }
)
"""States that `updateRunState` puts a run into, and those that it does so from."""

SCOPE: Scope = "ingest"
DELETED_AT_ONCE = 500


@FIELDS.answers("Mutation", "deleteRun")
def delete_run(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Delete the run, with the artifacts that only it made when `deleteArtifacts` says so. Idempotent.

    Raises:
        NotFound: the id is no run's that the key reaches.
        Forbidden: the key only reads.
    """
    given = input or {}
    place = changeable_run(context, given.get("id"))
    with db.transaction() as tx:
        if given.get("deleteArtifacts"):
            _delete_artifacts(tx, place.run_id)
        if runs.mark_deleted(tx, place.project_id, place.public_id) is not None:
            colors.mark_runs(tx, place.project_id, [place.run_id])
    context.submitter.waker.wake([ScalesDirty(), OutboxFilled()])
    return {"clientMutationId": given.get("clientMutationId")}


def _delete_artifacts(tx: db.Transaction, run_id: int) -> None:
    while made := artifacts.made_by_run_only(tx, run_id, DELETED_AT_ONCE):
        for artifact_id in made:
            artifact_versions.forget(tx, artifact_id)


@FIELDS.answers("Mutation", "stopRun")
def stop_run(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Have the run's processes told to stop; of a run that is over nothing is asked.

    Raises:
        NotFound, Forbidden: as for `deleteRun`.
    """
    given = input or {}
    place = changeable_run(context, given.get("id"))
    with db.transaction() as tx:
        runs.request_stop(tx, place.run_id)
    return {"success": True, "clientMutationId": given.get("clientMutationId")}


@FIELDS.answers("Mutation", "updateRunState")
def update_run_state(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Put the run into a state; one that it is in already is kept.

    Raises:
        Invalid: there is no way from the run's state to that one (`TRANSITIONS`).
        NotFound, Forbidden: as for `deleteRun`.
    """
    given = input or {}
    state = str(given.get("state"))
    if state not in TRANSITIONS:
        raise Invalid(
            f"a run cannot be put into state {state[:100]!r}",
            field="state",
            fix=f"use one of {sorted(TRANSITIONS)}",
        )
    place = changeable_run(context, given.get("id"))
    with db.transaction() as tx:
        before = runs.change_state(tx, place.run_id, state, TRANSITIONS[state])
        if before is None:
            raise _not_found(given.get("id"))
        if before in TRANSITIONS[state]:
            writers.announce(tx, [place.run_id])
    if before not in TRANSITIONS[state] and before != state:
        raise Invalid(
            f"the run is {before}, and from there it cannot become {state}",
            field="state",
            fix=f"it can from {', '.join(sorted(TRANSITIONS[state]))}",
        )
    context.submitter.waker.wake([OutboxFilled()])
    return {"success": True, "clientMutationId": given.get("clientMutationId")}


def changeable_run(context: Context, run: object) -> RunPlace:
    """Where the run with that id is, also when it is deleted; the key reaches it and may change it.

    Raises:
        NotFound: the id is no run's that the key reaches.
        Forbidden: the key only reads.
    """
    number = ids.decode("Run", run)
    with db.transaction() as tx:
        place = None if number is None else runs.place_of_run(tx, number)
    if place is None:
        raise _not_found(run)
    team = context.in_team(place.team)
    if not team.reaches(place.project_id):
        raise _not_found(run)
    if not team.may(SCOPE):
        raise Forbidden(
            f"key {team.key_name!r} has scopes {sorted(team.scopes)}, this needs {SCOPE!r}",
            field="scopes",
            fix=f"use a key with scope {SCOPE!r}",
        )
    return place


def _not_found(run: object) -> NotFound:
    return NotFound(f"there is no run with the id {str(run)[:100]!r}", field="id", fix="read the run again")
