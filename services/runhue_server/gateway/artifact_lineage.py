"""Lineage of artifacts: what runs logged and used, and which collections a version is in.

A key sees the part of it that lies in the projects it is good for.
"""

from runhue_server.gateway import ids
from runhue_server.gateway.artifact_nodes import (
    FIELDS,
    Json,
    artifact_nodes,
    is_reached,
    member_nodes,
    page,
    page_size,
    project_node,
    reaches,
)
from runhue_server.gateway.context import Context
from runhue_shared import db
from runhue_shared.db import Transaction, artifact_versions, artifacts, keys
from runhue_shared.db.artifacts import Artifact, Direction, Reach

ARTIFACTS_PAGE = 50
USERS_LISTED = 1000


@FIELDS.answers("Run", "outputArtifacts")
def output_artifacts(
    source: Json, context: Context, after: str | None = None, first: int | None = None
) -> Json | None:
    """What a run logged."""
    return _of_run(source, context, "output", after, first)


@FIELDS.answers("Run", "inputArtifacts")
def input_artifacts(
    source: Json, context: Context, after: str | None = None, first: int | None = None
) -> Json | None:
    """What a run used."""
    return _of_run(source, context, "input", after, first)


def _of_run(
    source: Json, context: Context, direction: Direction, after: str | None, first: int | None
) -> Json | None:
    run_id = ids.decode("Run", source.get("id"))
    if run_id is None:
        return None
    size = page_size(first, ARTIFACTS_PAGE)
    behind = int(after) if after and after.isdigit() else 0
    with db.transaction() as tx:
        within = _reach(tx, context)
        found = artifacts.artifacts_of_run(tx, run_id, direction, size + 1, behind, within)
        nodes = artifact_nodes(tx, context, found[:size])
        total = artifacts.count_artifacts_of_run(tx, run_id, direction, within)
    edges = [{"node": node, "cursor": str(node["_artifact"].id)} for node in nodes]
    return page(edges, more=len(found) > size, total=total)


@FIELDS.answers("Artifact", "artifactMemberships")
def memberships(source: Json, context: Context) -> Json:
    """Every collection that the artifact is a version of."""
    with db.transaction() as tx:
        found = member_nodes(tx, context, artifact_versions.memberships(tx, _number(source)))
    nodes = [node for node in found if is_reached(context, node["artifactCollection"])]
    return page([{"node": node, "cursor": node["id"]} for node in nodes], more=False, total=len(nodes))


@FIELDS.answers("Artifact", "artifactCollections")
def collections_of_artifact(source: Json, context: Context) -> Json:
    """As `memberships`, without the numbers."""
    edges = memberships(source, context)["edges"]
    nodes = [edge["node"]["artifactCollection"] for edge in edges]
    return page([{"node": node, "cursor": node["id"]} for node in nodes], more=False, total=len(nodes))


@FIELDS.answers("Artifact", "usedBy")
def used_by(source: Json, context: Context) -> Json:
    """The runs that used it."""
    return _runs(source, context, "input")


@FIELDS.answers("Artifact", "createdBy")
def created_by(source: Json, context: Context) -> Json | None:
    """The run that logged it first."""
    found: Artifact = source["_artifact"]
    if found.run_id is None or not reaches(context, found.team, found.project_id):
        return None
    return {
        "__typename": "Run",
        "id": ids.encode("Run", found.run_id),
        "name": found.run,
        "project": project_node(found.team, found.project_id, found.project),
    }


def _runs(source: Json, context: Context, direction: Direction) -> Json:
    with db.transaction() as tx:
        runs = artifacts.runs_of_artifact(tx, _number(source), direction, USERS_LISTED, _reach(tx, context))
    nodes = [
        {
            "__typename": "Run",
            "id": ids.encode("Run", run.id),
            "name": run.public_id,
            "project": project_node(run.team, run.project_id, run.project),
        }
        for run in runs
    ]
    return page([{"node": node, "cursor": node["id"]} for node in nodes], more=False, total=len(nodes))


def _reach(tx: Transaction, context: Context) -> Reach:
    """What the key is good for."""
    principal = context.principal
    return Reach([team.id for team in keys.teams_reached(tx, principal.key_id)], principal.project_id)


def _number(source: Json) -> int:
    found: Artifact = source["_artifact"]
    return found.id
