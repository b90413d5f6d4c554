"""Changes of artifacts and collections that are there: attributes, aliases, tags, links, and their end."""

import psycopg

from runhue_server.gateway import ids
from runhue_server.gateway.artifact_nodes import (
    FIELDS,
    KINDS,
    Json,
    Place,
    alias_names,
    artifact_nodes,
    check_name,
    collection_node,
    member_nodes,
    needed_artifact,
    place,
    reached_collection,
    tag_names,
    tag_node,
)
from runhue_server.gateway.context import Context
from runhue_server.gateway.projects import check_project_name, make_project
from runhue_server.web.problems import Invalid, NotFound
from runhue_shared import db
from runhue_shared.db import Transaction, artifact_collections, artifact_versions, artifacts, keys, projects
from runhue_shared.db.artifact_collections import Collection, Kind
from runhue_shared.db.artifact_versions import LATEST
from runhue_shared.db.artifacts import Artifact, Edit


class StillNamed(Invalid):
    """An artifact cannot go while aliases mean it."""

    code = "artifact_has_aliases"


@FIELDS.answers("Mutation", "updateArtifact")
def update(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Change what is given of an artifact; null leaves it as it is."""
    given = input or {}
    change = Edit(
        given.get("description"),
        given.get("metadata"),
        given.get("ttlDurationSeconds"),
        tag_names(given.get("tagsToAdd")),
        tag_names(given.get("tagsToDelete")),
    )
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        artifacts.edit(tx, found.id, change)
        if given.get("aliases") is not None:
            aliases = alias_names(given["aliases"])
            artifact_versions.keep_only_aliases(tx, found.collection_id, found.id, [*aliases, LATEST])
            artifact_versions.give_aliases(tx, found.team_id, found.collection_id, found.id, aliases)
        changed = artifacts.artifacts(tx, [found.id])
        return {"artifact": artifact_nodes(tx, context, changed.values())[0]}


@FIELDS.answers("Mutation", "deleteArtifact")
def delete(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Forget an artifact and its links. Idempotent.

    Raises:
        StillNamed: aliases mean it, and they were not to be deleted with it.
    """
    given = input or {}
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        aliases = artifact_versions.aliases_of(tx, [found.id])[found.id]
        if aliases and not given.get("deleteAliases"):
            names = ", ".join(alias.alias for alias in aliases)
            raise StillNamed(
                f"the artifact has aliases: {names}", field="deleteAliases", fix="delete them with it"
            )
        artifact_versions.forget(tx, found.id)
    return {"artifact": {"id": ids.encode("Artifact", found.id)}}


@FIELDS.answers("Mutation", "addAliases")
def add_aliases(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Let names of collections mean the artifact, which is a version of each of them."""
    given = input or {}
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        for collection_id, alias in _named_aliases(tx, context, found, given):
            artifact_versions.give_aliases(tx, found.team_id, collection_id, found.id, [alias])
    return {"success": True}


@FIELDS.answers("Mutation", "deleteAliases")
def delete_aliases(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Take names of collections away from the artifact."""
    given = input or {}
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        for collection_id, alias in _named_aliases(tx, context, found, given):
            artifact_versions.take_aliases(tx, collection_id, found.id, [alias])
    return {"success": True}


def _named_aliases(tx: Transaction, context: Context, found: Artifact, given: Json) -> list[tuple[int, str]]:
    """(collection, alias) of each `ArtifactCollectionAliasInput`.

    Raises:
        NotFound: the artifact is no version of a collection of that name.
    """
    homes = artifact_collections.collections(
        tx, [member.collection_id for member in artifact_versions.memberships(tx, found.id)]
    )
    by_name = {(home.team, home.project, home.name): home.id for home in homes.values()}
    pairs = []
    for entry in given.get("aliases") or ():
        team = entry.get("entityName") or context.principal.team_name
        name = (team, entry.get("projectName"), entry.get("artifactCollectionName"))
        if name not in by_name:
            raise NotFound(
                f"the artifact is no version of {'/'.join(map(str, name))}", field="artifactCollectionName"
            )
        pairs.append((by_name[name], check_name(entry.get("alias"), "aliases")))
    return pairs


@FIELDS.answers("Mutation", "linkArtifact")
def link(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Make the artifact a version of a portfolio too; linked again, it keeps its number."""
    given = input or {}
    aliases = alias_names(given.get("aliases"))
    with db.transaction() as tx:
        found = _linked(tx, context, given)
        portfolio = _portfolio(tx, context, found, given)
        artifact_versions.join_collection(tx, portfolio.team_id, portfolio.id, found.id)
        artifact_versions.give_aliases(tx, portfolio.team_id, portfolio.id, found.id, aliases)
        member = artifact_versions.member(tx, portfolio.id, found.id)
        node = member_nodes(tx, context, [member])[0]
    return {"versionIndex": member.version, "artifactMembership": node}


def _linked(tx: Transaction, context: Context, given: Json) -> Artifact:
    wanted = given.get("artifactID")
    if not wanted:
        teams = [team.id for team in keys.teams_reached(tx, context.principal.key_id)]
        number = artifacts.clients_artifact(tx, teams, given.get("clientID") or "")
        wanted = None if number is None else ids.encode("Artifact", number)
    found = needed_artifact(tx, context, wanted)
    if found.state != "COMMITTED":
        raise Invalid(
            f"the artifact is {found.state.lower()}, only a committed one can be linked",
            field="artifactID",
            fix="wait until it is logged",
        )
    return found


def _portfolio(tx: Transaction, context: Context, found: Artifact, given: Json) -> Collection:
    """The portfolio to link to, locked; it is made when it is new."""
    if given.get("artifactPortfolioID"):
        portfolio = _needed_collection(tx, context, given["artifactPortfolioID"], "portfolio")
        artifact_collections.lock(tx, portfolio.id)
        return portfolio
    where = _made_place(tx, context, given)
    name = check_name(given.get("artifactPortfolioName"), "artifactPortfolioName")
    return collection_for(tx, where, found.type, "portfolio", name)


def _made_place(tx: Transaction, context: Context, given: Json) -> Place:
    """The project to link to. Clients link to a registry before anything was logged there, so it is made.

    Raises:
        NotFound, Forbidden: there is no such team, or the key does not reach the project.
        Invalid: the name is not one of a project.
    """
    holder = context.in_team(given.get("entityName"))
    name = check_project_name(given.get("projectName"))
    make_project(tx, holder, name)
    project_id = projects.project_id(tx, holder.team_id, name)
    if project_id is None:
        raise NotFound(f"project {holder.team_name}/{name} was just deleted", field="projectName")
    return Place(holder, project_id, name)


@FIELDS.answers("Mutation", "unlinkArtifact")
def unlink(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Take an artifact out of a portfolio. Idempotent."""
    given = input or {}
    with db.transaction() as tx:
        found = needed_artifact(tx, context, given.get("artifactID"))
        if given.get("artifactPortfolioID") == ids.encode("ArtifactCollection", found.collection_id):
            raise Invalid(
                f"{found.collection!r} is where the artifact was logged, it is no link",
                field="artifactPortfolioID",
                fix=f"name it by its version, as '{found.collection}:v{found.version}'",
            )
        portfolio = _needed_collection(tx, context, given.get("artifactPortfolioID"), "portfolio")
        artifact_collections.lock(tx, portfolio.id)
        artifact_versions.leave_collection(tx, portfolio.id, found.id)
    return {"success": True, "artifactID": given.get("artifactID"), "clientMutationId": None}


def _needed_collection(tx: Transaction, context: Context, given: object, kind: Kind) -> Collection:
    """The collection with that global id.

    Raises:
        NotFound: there is none of that kind.
    """
    found = reached_collection(tx, context, given)
    if found is None or found.kind != kind:
        raise NotFound(f"{kind} {given!r} is not there, or the API key does not reach it", field="id")
    return found


def collection_for(tx: Transaction, where: Place, type_name: str, kind: Kind, name: str) -> Collection:
    """The project's collection of that name, locked; it is made when it is new.

    Raises:
        Invalid: one of that name is there and of another type or kind.
    """
    type_id = artifact_collections.ensure_type(tx, where.holder.team_id, where.project_id, type_name)
    found = artifact_collections.ensure_collection(
        tx, where.holder.team_id, where.project_id, type_id, kind, name
    )
    if (found.type, found.kind) != (type_name, kind):
        raise Invalid(
            f"{name!r} is a {found.kind} of type {found.type!r}, not a {kind} of type {type_name!r}",
            field="artifactCollectionName",
            fix="use another name, or the type that it has",
        )
    return found


@FIELDS.answers("Mutation", "updateArtifactSequence")
def update_sequence(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Rename or describe a sequence."""
    given = input or {}
    return _edited(context, given.get("artifactSequenceID"), "sequence", given)


@FIELDS.answers("Mutation", "updateArtifactPortfolio")
def update_portfolio(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Rename or describe a portfolio."""
    given = input or {}
    return _edited(context, given.get("artifactPortfolioID"), "portfolio", given)


def _edited(context: Context, wanted: object, kind: Kind, given: Json) -> Json:
    name = given.get("name")
    if name is not None:
        check_name(name, "name")
    try:
        with db.transaction() as tx:
            found = _needed_collection(tx, context, wanted, kind)
            artifact_collections.edit_collection(tx, found.id, name, given.get("description"))
            changed = artifact_collections.collections(tx, [found.id])[found.id]
    except psycopg.errors.UniqueViolation:
        raise Invalid(
            f"the project has a collection named {name!r}", field="name", fix="choose another name"
        ) from None
    return {"artifactCollection": collection_node(changed)}


@FIELDS.answers("Mutation", "moveArtifactSequence")
def move_sequence(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Give a sequence another type."""
    given = input or {}
    type_name = check_name(given.get("destinationArtifactTypeName"), "destinationArtifactTypeName")
    with db.transaction() as tx:
        found = _needed_collection(tx, context, given.get("artifactSequenceID"), "sequence")
        type_id = artifact_collections.ensure_type(tx, found.team_id, found.project_id, type_name)
        artifact_collections.move_collection(tx, found.id, type_id)
        changed = artifact_collections.collections(tx, [found.id])[found.id]
    return {"artifactCollection": collection_node(changed)}


@FIELDS.answers("Mutation", "deleteArtifactSequence")
def delete_sequence(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Forget a sequence with all its versions. Idempotent."""
    return _deleted(context, (input or {}).get("artifactSequenceID"), "sequence")


@FIELDS.answers("Mutation", "deleteArtifactPortfolio")
def delete_portfolio(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Forget a portfolio; what was linked stays in its sequence. Idempotent."""
    return _deleted(context, (input or {}).get("artifactPortfolioID"), "portfolio")


def _deleted(context: Context, wanted: object, kind: Kind) -> Json:
    with db.transaction() as tx:
        found = reached_collection(tx, context, wanted)
        if found is not None and found.kind == kind:
            artifact_collections.delete_collection(tx, found.id)
    return {"artifactCollection": {"__typename": KINDS[kind], "id": wanted, "state": "DELETED"}}


@FIELDS.answers("Mutation", "createArtifactCollectionTagAssignments")
def add_collection_tags(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Tag a collection."""
    given = input or {}
    tags = tag_names(given.get("tags"))
    with db.transaction() as tx:
        artifact_collections.change_collection_tags(tx, _tagged(tx, context, given).id, tags, [])
    return {"tags": [tag_node(tag) for tag in tags]}


@FIELDS.answers("Mutation", "deleteArtifactCollectionTagAssignments")
def remove_collection_tags(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Take tags off a collection."""
    given = input or {}
    tags = tag_names(given.get("tags"))
    with db.transaction() as tx:
        artifact_collections.change_collection_tags(tx, _tagged(tx, context, given).id, [], tags)
    return {"success": True}


def _tagged(tx: Transaction, context: Context, given: Json) -> Collection:
    where = place(context, given.get("entityName"), given.get("projectName"))
    name = given.get("artifactCollectionName")
    found = artifact_collections.collection_named(tx, where.project_id, name or "")
    if found is None:
        raise NotFound(
            f"collection {name!r} is not in project {where.project!r}", field="artifactCollectionName"
        )
    return found
