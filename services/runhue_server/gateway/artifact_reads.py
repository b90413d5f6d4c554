"""Reads of artifacts: by name and id, and the lists of projects, types and collections."""

import json
import time

import psycopg

from runhue_server.gateway import ids
from runhue_server.gateway.artifact_nodes import (
    FIELDS,
    KINDS,
    Json,
    artifact_nodes,
    collection_node,
    is_reached,
    member_nodes,
    moment,
    page,
    page_size,
    place_of,
    reached_artifact,
    reached_collection,
)
from runhue_server.gateway.context import Context
from runhue_server.web.problems import Invalid
from runhue_shared import db
from runhue_shared.db import (
    Transaction,
    artifact_collections,
    artifact_filters,
    artifact_versions,
    artifacts,
    keys,
)
from runhue_shared.db.artifact_collections import ArtifactType
from runhue_shared.db.artifact_filters import Test, UnknownFilter
from runhue_shared.db.artifact_versions import LATEST, Member

TYPES_PAGE = 100
COLLECTIONS_PAGE = 50
VERSIONS_PAGE = 50
ALIASES_PAGE = 1000

ANNOUNCE_SECONDS = 2.0
ANNOUNCE_PAUSE = 0.05


@FIELDS.answers("Query", "artifact")
def artifact_by_id(_source: None, context: Context, id: str | None = None) -> Json | None:  # noqa: A002  # the wire's
    """The artifact of that id; None when the key does not reach one."""
    with db.transaction() as tx:
        found = reached_artifact(tx, context, id)
        return None if found is None else artifact_nodes(tx, context, [found])[0]


@FIELDS.answers("Query", "artifactCollection")
def collection_by_id(_source: None, context: Context, id: str | None = None) -> Json | None:  # noqa: A002  # the wire's
    """The collection of that id; None when the key does not reach one."""
    with db.transaction() as tx:
        found = reached_collection(tx, context, id)
    return None if found is None else collection_node(found)


@FIELDS.answers("Query", "clientIDMapping")
def client_id_mapping(_source: None, context: Context, clientID: str = "") -> Json | None:  # noqa: N803  # the wire's
    """What became of the artifact, or sequence, that a client calls so.

    A client logs several artifacts at once and asks only once for one that another refers to, so for a moment
    this waits for an artifact that is not announced yet.
    """
    until = time.monotonic() + ANNOUNCE_SECONDS
    while (found := _announced(context, clientID)) is None and time.monotonic() < until:
        time.sleep(ANNOUNCE_PAUSE)
    return None if found is None else {"serverID": ids.encode("Artifact", found)}


def _announced(context: Context, client_id: str) -> int | None:
    with db.transaction() as tx:
        teams = [team.id for team in keys.teams_reached(tx, context.principal.key_id)]
        number = artifacts.clients_artifact(tx, teams, client_id)
        found = None if number is None else reached_artifact(tx, context, ids.encode("Artifact", number))
    return None if found is None else found.id


def _member(tx: Transaction, project_id: int, name: str) -> Member | None:
    """The version that `collection:alias` means in a project; without an alias the latest."""
    collection_name, _, alias = name.partition(":")
    found = artifact_collections.collection_named(tx, project_id, collection_name)
    return None if found is None else artifact_versions.member_named(tx, found.id, alias or LATEST)


@FIELDS.answers("Project", "artifact")
def artifact_of_project(
    source: Json,
    context: Context,
    name: str = "",
    enableTracking: bool | None = None,  # noqa: ARG001, N803  # the wire's
) -> Json | None:
    """The artifact that `collection:alias` means."""
    with db.transaction() as tx:
        member = _member(tx, place_of(source).project_id, name or "")
        return None if member is None else member_nodes(tx, context, [member])[0]["artifact"]


@FIELDS.answers("Project", "artifactCollectionMembership")
def membership_of_project(source: Json, context: Context, name: str = "") -> Json | None:
    """The version of a collection that `collection:alias` means."""
    with db.transaction() as tx:
        member = _member(tx, place_of(source).project_id, name or "")
        return None if member is None else member_nodes(tx, context, [member])[0]


@FIELDS.answers("Project", "artifactTypes")
def types_of_project(
    source: Json,
    context: Context,  # noqa: ARG001  # every resolver's
    after: str | None = None,
    first: int | None = None,
    includeAll: bool | None = None,  # noqa: ARG001, N803  # the wire's
) -> Json:
    """The project's types by name."""
    size = page_size(first, TYPES_PAGE)
    with db.transaction() as tx:
        found = artifact_collections.types_of_project(tx, place_of(source).project_id, size + 1, after or "")
    edges = [{"node": type_node(one, source), "cursor": one.name} for one in found[:size]]
    return page(edges, more=len(found) > size)


@FIELDS.answers("Project", "artifactType")
def type_of_project(source: Json, context: Context, name: str = "") -> Json | None:  # noqa: ARG001  # every resolver's
    """The project's type of that name."""
    with db.transaction() as tx:
        found = artifact_collections.types_of_project(tx, place_of(source).project_id, 1, "", name)
    return type_node(found[0], source) if found else None


def type_node(found: ArtifactType, project: Json | None = None) -> Json:
    """The fields of `ArtifactType`; `project` are those of its project, for the fields that list."""
    return {
        "__typename": "ArtifactType",
        "id": ids.encode("ArtifactType", found.id),
        "name": found.name,
        "description": found.description,
        "createdAt": moment(found.created_at),
        "_project": project,
    }


@FIELDS.answers("ArtifactType", "artifact")
def artifact_of_type(source: Json, context: Context, name: str = "") -> Json | None:
    """The artifact that `collection:alias` means, when it is of the type."""
    found = artifact_of_project(source["_project"], context, name)
    return found if found is not None and found["artifactType"]["name"] == source["name"] else None


@FIELDS.answers("Project", "artifactCollection")
def collection_of_project(source: Json, context: Context, name: str = "") -> Json | None:  # noqa: ARG001  # every resolver's
    """The project's collection of that name."""
    with db.transaction() as tx:
        found = artifact_collections.collection_named(tx, place_of(source).project_id, name)
    return None if found is None else collection_node(found)


@FIELDS.answers("ArtifactType", "artifactCollection")
def collection_of_type(source: Json, context: Context, name: str = "") -> Json | None:
    """The collection of that name, when it is of the type."""
    found = collection_of_project(source["_project"], context, name)
    return found if found is not None and found["defaultArtifactType"]["name"] == source["name"] else None


@FIELDS.answers("ArtifactType", "artifactSequence")
def sequence_of_type(source: Json, context: Context, name: str = "") -> Json | None:
    """As `collection_of_type`, when it is a sequence."""
    found = collection_of_type(source, context, name)
    return found if found is not None and found["__typename"] == KINDS["sequence"] else None


@FIELDS.answers("Project", "artifactCollections")
def collections_of_project(
    source: Json,
    context: Context,  # noqa: ARG001  # every resolver's
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Json:
    """The project's collections."""
    return _collections(place_of(source).project_id, None, (filters, order), first, after)


@FIELDS.answers("ArtifactType", "artifactCollections")
def collections_of_type(
    source: Json,
    context: Context,  # noqa: ARG001  # every resolver's
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Json:
    """The project's collections of the type."""
    return _collections(
        place_of(source["_project"]).project_id, source["name"], (filters, order), first, after
    )


def _collections(
    project_id: int,
    only_type: str | None,
    given: tuple[str | None, str | None],
    first: int | None,
    after: str | None,
) -> Json:
    """`given`: the client's filter, a JSON text, and its order.

    Raises:
        Invalid: they say what collections cannot be asked for.
    """
    size = page_size(first, COLLECTIONS_PAGE)
    behind = ids.decode("ArtifactCollection", after) if after else None
    try:
        wanted, order = _filter(given[0]), artifact_filters.order(given[1])
        with db.transaction() as tx:
            found = artifact_collections.collections_page(
                tx, project_id, only_type, size + 1, behind, wanted, order
            )
            total = artifact_collections.count_collections(tx, project_id, only_type, wanted)
    except UnknownFilter as error:
        raise Invalid(str(error), field="filters", fix="ask for less") from None
    except psycopg.errors.QueryCanceled as error:
        raise Invalid("the filter took too long", field="filters", fix="use a simpler one") from error
    nodes = [collection_node(one) for one in found[:size]]
    return page([{"node": node, "cursor": node["id"]} for node in nodes], more=len(found) > size, total=total)


def _filter(text: str | None) -> Test:
    try:
        given = json.loads(text) if text else {}
    except ValueError as error:
        raise UnknownFilter(f"the filter is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise UnknownFilter("the filter is no JSON object")
    return artifact_filters.passing(given)


@FIELDS.answers("ArtifactSequence", "artifacts")
@FIELDS.answers("ArtifactPortfolio", "artifacts")
def versions(
    source: Json,
    context: Context,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,  # noqa: ARG001  # clients ask for committed ones, and only those have numbers
) -> Json:
    """The versions of a collection, the newest first; `+createdAt` and the like turn that around."""
    size = page_size(first, VERSIONS_PAGE)
    number = int(after) if after and after.isdigit() else None
    if not is_reached(context, source):
        return page([], more=False, total=0)
    with db.transaction() as tx:
        if order and not order.startswith("-"):
            found = artifact_versions.members_from_oldest(
                tx, source["_collection"], size + 1, -1 if number is None else number
            )
        else:
            found = artifact_versions.members(tx, source["_collection"], size + 1, number)
        nodes = member_nodes(tx, context, found[:size])
        total = artifact_collections.count_versions(tx, source["_collection"])
    edges = [
        {"version": f"v{node['versionIndex']}", "node": node["artifact"], "cursor": str(node["versionIndex"])}
        for node in nodes
    ]
    return page(edges, more=len(found) > size, total=total)


@FIELDS.answers("ArtifactSequence", "artifactMembership")
@FIELDS.answers("ArtifactPortfolio", "artifactMembership")
def version_named(source: Json, context: Context, aliasName: str = "") -> Json | None:  # noqa: N803  # the wire's
    """The version that an alias or `v<number>` means."""
    if not is_reached(context, source):
        return None
    with db.transaction() as tx:
        member = artifact_versions.member_named(tx, source["_collection"], aliasName or LATEST)
        return None if member is None else member_nodes(tx, context, [member])[0]


@FIELDS.answers("ArtifactSequence", "latestArtifact")
def latest_artifact(source: Json, context: Context) -> Json | None:
    """The newest version."""
    return (version_named(source, context) or {}).get("artifact")


@FIELDS.answers("ArtifactSequence", "aliases")
@FIELDS.answers("ArtifactPortfolio", "aliases")
def aliases_in_collection(
    source: Json,
    context: Context,
    after: str | None = None,
    first: int | None = None,
) -> Json:
    """The aliases in use, by name."""
    size = page_size(first, ALIASES_PAGE)
    if not is_reached(context, source):
        return page([], more=False)
    with db.transaction() as tx:
        found = artifact_versions.aliases_of_collection(tx, source["_collection"], size + 1, after or "")
    edges = [
        {"node": {"__typename": "ArtifactAlias", "id": name, "alias": name}, "cursor": name}
        for name in found[:size]
    ]
    return page(edges, more=len(found) > size)
