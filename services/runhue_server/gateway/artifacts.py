"""Artifacts are made and used here; the modules beside this one fill, read and change them."""

from typing import Any

from runhue_server.gateway import (  # noqa: F401  # they answer fields of the same part of the schema
    artifact_file_nodes,
    artifact_lineage,
    artifact_reads,
    artifact_uploads,
)
from runhue_server.gateway.artifact_edits import collection_for
from runhue_server.gateway.artifact_nodes import (
    FIELDS,
    Json,
    Place,
    alias_names,
    artifact_nodes,
    check_name,
    needed_artifact,
    place,
    tag_names,
)
from runhue_server.gateway.context import Context
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import Transaction, artifact_collections, artifact_versions, artifacts, runs
from runhue_shared.db.artifact_collections import Collection
from runhue_shared.db.artifacts import TTL_INHERITED, Wish

__all__ = ["FIELDS"]

LONGEST_ID = 256


@FIELDS.answers("Mutation", "createArtifactType")
def create_type(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """A type of the project; one that is there gets the description."""
    given = input or {}
    where = place(context, given.get("entityName"), given.get("projectName"))
    name = check_name(given.get("name"), "name")
    with db.transaction() as tx:
        artifact_collections.ensure_type(
            tx, where.holder.team_id, where.project_id, name, given.get("description")
        )
        found = artifact_collections.types_of_project(tx, where.project_id, 1, "", name)[0]
    return {"artifactType": artifact_reads.type_node(found)}


@FIELDS.answers("Mutation", "createArtifact")
def create(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """An artifact that waits for its files, or the newest version when that has the same digest.

    A client that asks again under its own id gets the same answer.
    """
    given = input or {}
    where = place(context, given.get("entityName"), given.get("projectName"))
    with db.transaction() as tx:
        wish = _wish(tx, where, given)
        sequence = _sequence(tx, where, given)
        if wish.sequence_client_id:
            artifact_collections.remember_sequence(
                tx, where.holder.team_id, wish.sequence_client_id, sequence.id
            )
        artifact_id = _known(
            tx, where, sequence, wish, dedupe=given.get("enableDigestDeduplication") is not False
        )
        if artifact_id is None:
            artifact_id = artifacts.insert_pending(
                tx, where.holder.team_id, where.project_id, sequence.id, wish
            )
        if wish.client_id:
            artifacts.remember_client(tx, where.holder.team_id, wish.client_id, artifact_id)
        if wish.run_id is not None:
            artifacts.record_use(tx, where.holder.team_id, wish.run_id, artifact_id, "output")
        found = artifacts.artifacts(tx, [artifact_id])
        return {"artifact": artifact_nodes(tx, context, found.values())[0]}


def _wish(tx: Transaction, where: Place, given: Json) -> Wish:
    run_name = given.get("runName")
    run_ids = runs.run_ids_named(tx, where.project_id, [run_name]) if run_name else {}
    ttl = given.get("ttlDurationSeconds")
    return Wish(
        digest=given.get("digest") or "",
        client_id=(given.get("clientID") or "")[:LONGEST_ID],
        sequence_client_id=(given.get("sequenceClientID") or "")[:LONGEST_ID],
        distributed_id=given.get("distributedID") or None,
        description=given.get("description"),
        metadata=given.get("metadata"),
        ttl_seconds=TTL_INHERITED if ttl is None else ttl,
        tags=tag_names(given.get("tags")),
        aliases=alias_names(given.get("aliases")),
        run_id=run_ids.get(run_name or ""),
        history_step=given.get("historyStep"),
    )


def _sequence(tx: Transaction, where: Place, given: Json) -> Collection:
    """The sequence to log to, locked.

    Raises:
        Invalid: the name is a portfolio's, or a sequence's of another type.
    """
    names = [given.get("artifactCollectionName"), *(given.get("artifactCollectionNames") or ())]
    name = check_name(next(filter(None, names), None), "artifactCollectionName")
    type_name = check_name(given.get("artifactTypeName"), "artifactTypeName")
    return collection_for(tx, where, type_name, "sequence", name)


def _known(tx: Transaction, where: Place, sequence: Collection, wish: Wish, *, dedupe: bool) -> int | None:
    """The artifact that is the one wished for, if there is one."""
    known = artifacts.known_to_client(tx, where.project_id, wish.client_id) if wish.client_id else None
    if known is not None:
        return known
    if wish.distributed_id:
        part = artifacts.pending_part(tx, sequence.id, wish.distributed_id)
        if part is not None:
            artifacts.want_aliases(tx, part, wish.aliases)
        return part
    return _newest_if_same(tx, sequence, wish) if dedupe else None


def _newest_if_same(tx: Transaction, sequence: Collection, wish: Wish) -> int | None:
    newest = artifact_versions.latest(tx, sequence.id)
    found = None if newest is None else artifacts.artifact(tx, newest)
    if found is None or found.digest != wish.digest:
        return None
    artifact_versions.give_aliases(tx, sequence.team_id, sequence.id, found.id, wish.aliases)
    if wish.tags:
        artifacts.edit(tx, found.id, artifacts.Edit(tags_to_add=wish.tags))
    return found.id


@FIELDS.answers("Mutation", "useArtifact")
def use(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Note that a run reads the artifact."""
    given = input or {}
    where = place(context, given.get("entityName"), given.get("projectName"))
    run_name: Any = given.get("runName")
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        run_id = runs.run_ids_named(tx, where.project_id, [run_name]).get(run_name)
        if run_id is None:
            raise NotFound(f"run {run_name!r} is not in project {where.project!r}", field="runName")
        artifacts.record_use(tx, where.holder.team_id, run_id, found.id, "input", given.get("usedAs"))
        return {"artifact": artifact_nodes(tx, context, [found])[0]}
