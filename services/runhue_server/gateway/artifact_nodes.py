"""Artifacts as the fields of GraphQL types, and which of them a request reaches."""

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.storage import tokens
from runhue_server.web.problems import Invalid, NotFound
from runhue_shared import db
from runhue_shared.db import Transaction, artifact_collections, artifact_versions, artifacts, projects
from runhue_shared.db.artifact_versions import Alias, Member
from runhue_shared.db.artifacts import Artifact
from runhue_shared.db.keys import Principal

FIELDS = Fields("artifacts")

Json = dict[str, Any]  # what fields below a type are read from

MANIFEST_NAME = "wandb_manifest.json"
MANIFEST_TYPE = "application/json"
KINDS = {"sequence": "ArtifactSequence", "portfolio": "ArtifactPortfolio"}
LARGEST_PAGE = 10_000

LONGEST_NAME = 128
_NAME = re.compile(r"[^/:\x00-\x1f\x7f]+")


class Place(NamedTuple):
    """A project in which the request may act; `holder` is the key's holder in its team."""

    holder: Principal
    project_id: int
    project: str


def place(context: Context, entity: str | None, project: str | None) -> Place:
    """The project of that name.

    Raises:
        NotFound: there is no such team or project, or the key does not reach it.
    """
    holder = context.in_team(entity)
    with db.transaction() as tx:
        project_id = projects.project_id(tx, holder.team_id, project or "")
    if project_id is None or not holder.reaches(project_id):
        raise NotFound(
            f"project {holder.team_name}/{project} is not there, or the API key does not reach it",
            field="projectName",
            fix="log a run to the project first, or use a key that reaches it",
        )
    return Place(holder, project_id, str(project))


def place_of(source: Mapping[str, Any]) -> Place:
    """The project that a field of `Project` was asked of."""
    return Place(source["_team"], source["_project_id"], source["name"])


def reaches(context: Context, team: str, project_id: int) -> bool:
    """Whether the request's key is good for that project."""
    try:
        return context.in_team(team).reaches(project_id)
    except NotFound:
        return False


def is_reached(context: Context, collection: Json) -> bool:
    """Whether the key is good for a collection's project: a link shows a version, not where it came from."""
    home = collection["project"]
    return reaches(context, home["entityName"], ids.decode("Project", home["id"]) or 0)


def names_reached(context: Context, found: Iterable[Alias]) -> list[Alias]:
    """Those names that lead to projects which the key is good for."""
    return [one for one in found if reaches(context, one.team, one.project_id)]


def reached_artifact(tx: Transaction, context: Context, given: object) -> Artifact | None:
    """The artifact with that global id, unless the key does not reach it."""
    number = ids.decode("Artifact", given)
    found = None if number is None else artifacts.artifact(tx, number)
    if found is None or not reaches(context, found.team, found.project_id):
        return None
    return found


def needed_artifact(tx: Transaction, context: Context, given: object) -> Artifact:
    """As `reached_artifact`.

    Raises:
        NotFound: there is none.
    """
    found = reached_artifact(tx, context, given)
    if found is None:
        raise NotFound(
            f"artifact {given!r} is not there, or the API key does not reach it", field="artifactID"
        )
    return found


def reached_collection(
    tx: Transaction, context: Context, given: object
) -> artifact_collections.Collection | None:
    """The collection with that global id, unless the key does not reach it."""
    number = ids.decode("ArtifactCollection", given)
    found = None if number is None else artifact_collections.collection(tx, number)
    if found is None or not reaches(context, found.team, found.project_id):
        return None
    return found


def check_name(name: str | None, field: str) -> str:
    """Pass a name that a type, collection, alias or tag can have.

    Raises:
        Invalid: it is empty, too long, or holds / or : or control characters.
    """
    if not name or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise Invalid(
            f"{field} must have 1 to {LONGEST_NAME} characters without '/', ':' and control characters,"
            f" got {(name or '')[:LONGEST_NAME]!r}",
            field=field,
            limit=LONGEST_NAME,
            fix="choose another name",
        )
    return name


def tag_names(given: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """The names in `[TagInput]`, each once.

    Raises:
        Invalid: one cannot be a tag.
    """
    return list(dict.fromkeys(check_name(tag.get("tagName"), "tags") for tag in given or ()))


def alias_names(given: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """The aliases in `[ArtifactAliasInput]`, each once.

    Raises:
        Invalid: one cannot be an alias.
    """
    return list(dict.fromkeys(check_name(entry.get("alias"), "aliases") for entry in given or ()))


def page_size(first: int | None, default: int) -> int:
    """How many entries a page has."""
    return min(max(default if first is None else first, 0), LARGEST_PAGE)


def page(edges: Sequence[Json], *, more: bool, total: int | None = None) -> Json:
    """One page of a list whose edges have their cursors."""
    end = edges[-1]["cursor"] if edges else None
    return {
        "edges": edges,
        "pageInfo": {
            "__typename": "PageInfo",
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": end,
            "hasNextPage": more,
            "hasPreviousPage": False,
        },
        "totalCount": total,
    }


def moment(at: datetime) -> str:
    """A time as clients read it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def project_node(team: str, project_id: int, project: str) -> Json:
    """The fields of `Project` that tell where an artifact is."""
    return {
        "__typename": "Project",
        "id": ids.encode("Project", project_id),
        "internalId": ids.encode("ProjectInternalId", project_id),
        "name": project,
        "entityName": team,
        "entity": {"__typename": "Entity", "name": team},
    }


def _named_id(kind: str, name: str) -> str:
    return base64.b64encode(f"{kind}:{name}".encode()).decode()


def tag_node(name: str) -> Json:
    """The fields of `Tag`."""
    return {"__typename": "Tag", "id": _named_id("Tag", name), "name": name, "tagCategoryName": None}


def collection_node(found: artifact_collections.Collection) -> Json:
    """The fields of a collection of either kind."""
    return {
        "__typename": KINDS[found.kind],
        "id": ids.encode("ArtifactCollection", found.id),
        "name": found.name,
        "description": found.description,
        "state": "READY",
        "createdAt": moment(found.created_at),
        "updatedAt": moment(found.updated_at),
        "project": project_node(found.team, found.project_id, found.project),
        "defaultArtifactType": {"name": found.type},
        "tags": {"edges": [{"node": tag_node(tag)} for tag in found.tags]},
        "digestAlgorithm": "MANIFEST_MD5",
        "_collection": found.id,
    }


def alias_node(found: Alias) -> Json:
    """The fields of `ArtifactAlias`."""
    return {
        "__typename": "ArtifactAlias",
        "id": _named_id(f"ArtifactAlias:{found.collection_id}", found.alias),
        "alias": found.alias,
        "artifactCollection": {
            "__typename": KINDS[found.kind],
            "id": ids.encode("ArtifactCollection", found.collection_id),
            "name": found.collection,
            "project": project_node(found.team, found.project_id, found.project),
            "_collection": found.collection_id,
        },
    }


def artifact_node(context: Context, found: Artifact, aliases: Sequence[Alias]) -> Json:
    """The fields of `Artifact` that need no further question."""
    return {
        "__typename": "Artifact",
        "id": ids.encode("Artifact", found.id),
        "state": found.state,
        "digest": found.digest,
        "digestAlgorithm": "MANIFEST_MD5",
        "commitHash": found.digest[:20],
        "description": found.description,
        "metadata": found.metadata,
        "size": found.size,
        "fileCount": found.file_count,
        "storageBytes": found.size,
        "versionIndex": found.version,
        "historyStep": found.history_step,
        "ttlDurationSeconds": found.ttl_seconds,
        "ttlIsInherited": found.ttl_seconds == artifacts.TTL_INHERITED,
        "createdAt": moment(found.created_at),
        "updatedAt": moment(found.updated_at),
        "tags": [tag_node(tag) for tag in found.tags],
        "aliases": [alias_node(alias) for alias in names_reached(context, aliases)],
        "artifactType": {"name": found.type},
        "artifactSequence": {
            "__typename": "ArtifactSequence",
            "id": ids.encode("ArtifactCollection", found.collection_id),
            "name": found.collection,
            "project": project_node(found.team, found.project_id, found.project),
            "_collection": found.collection_id,
        },
        "currentManifest": _manifest_node(context, found),
        "_artifact": found,
    }


def _manifest_node(context: Context, found: Artifact) -> Json | None:
    if found.manifest is None:
        return None
    path = tokens.get_path(
        found.team_id, found.manifest, found.manifest_size or 0, MANIFEST_NAME, MANIFEST_TYPE
    )
    return {
        "id": ids.encode("ArtifactManifest", found.id),
        "digest": found.digest,
        "file": {"name": MANIFEST_NAME, "directUrl": context.base_url + path},
    }


def artifact_nodes(tx: Transaction, context: Context, found: Iterable[Artifact]) -> list[Json]:
    """`artifact_node` of each, with one question for all their aliases."""
    listed = list(found)
    aliases = artifact_versions.names_of(tx, [one.id for one in listed])
    return [artifact_node(context, one, aliases[one.id]) for one in listed]


def member_nodes(tx: Transaction, context: Context, members: Collection[Member]) -> list[Json]:
    """The fields of `ArtifactCollectionMembership` of each, with their artifacts."""
    found = artifacts.artifacts(tx, [one.artifact_id for one in members])
    homes = artifact_collections.collections(tx, {one.collection_id for one in members})
    aliases = artifact_versions.names_of(tx, list(found))
    return [
        {
            "__typename": "ArtifactCollectionMembership",
            "id": ids.encode("ArtifactCollectionMembership", one.id),
            "versionIndex": one.version,
            "createdAt": moment(one.created_at),
            "artifact": artifact_node(context, found[one.artifact_id], aliases[one.artifact_id]),
            "aliases": [
                alias_node(alias)
                for alias in aliases[one.artifact_id]
                if alias.collection_id == one.collection_id
            ],
            "artifactCollection": collection_node(homes[one.collection_id]),
            "_artifact": found[one.artifact_id],
        }
        for one in members
    ]
