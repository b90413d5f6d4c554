"""Artifacts of projects and runs, to read."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.artifact_answers import (
    collection_answer,
    file_answer,
    logged_answers,
    version_answers,
)
from runhue_server.api.cursors import cursor_of, invalid_cursor, place_of
from runhue_server.api.documents import Responses, errors
from runhue_server.api.models_artifacts import (
    ArtifactCollections,
    ArtifactFiles,
    ArtifactVersion,
    ArtifactVersions,
)
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, project_of, run_of
from runhue_server.storage.file_names import type_of
from runhue_server.storage.problems import FileNotFound
from runhue_server.storage.receive import in_thread
from runhue_server.storage.send import ASK_AGAIN, Sent, send_blob
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import (
    Transaction,
    artifact_collections,
    artifact_files,
    artifact_versions,
    artifacts,
)
from runhue_shared.db.artifact_collections import Collection
from runhue_shared.db.artifact_files import File
from runhue_shared.db.artifact_versions import Member
from runhue_shared.db.artifacts import Artifact, Reach
from runhue_shared.db.keys import Principal

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["artifacts"])

COLLECTIONS, VERSIONS, OF_RUN = "artifacts", "artifact-versions", "run-artifacts"
LARGEST_CURSOR = 18
"""Digits; a number in a cursor is an id or a version."""

CollectionName = Annotated[str, Path(description="Name of a collection", examples=["mnist-train"])]
VersionName = Annotated[str, Path(description="`v` and a number, or an alias", examples=["latest", "v3"])]
FilePath = Annotated[str, Path(description="The file's path in the version; it may hold slashes")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="entries a page")]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
BYTES: dict[str, Any] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
READ: Responses = {
    200: {"description": "the bytes, with ETag", "content": BYTES},
    206: {"description": "the one range that was asked for", "content": BYTES},
    **errors(404),
}
_VERSION = "/artifacts/{collection}/versions/{version}"


class ArtifactNotFound(NotFound):
    """The project has no such collection, or the collection no such version."""

    code = "artifact_not_found"


@router.get(
    "/artifacts",
    response_model=ArtifactCollections,
    responses=errors(404),
    summary="List a project's collections of artifacts",
)
def list_collections(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    type: Annotated[str | None, Query(description="only of this type", max_length=128)] = None,  # noqa: A002  # the API's
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    after = _number(cursor, COLLECTIONS)
    with db.transaction() as tx:
        project_id = project_of(tx, principal, team, project)
        found = artifact_collections.collections_page(tx, project_id, type, limit + 1, after)
    page = found[:limit]
    following = cursor_of(COLLECTIONS, [str(page[-1].id)]) if len(found) > limit else None
    return answer({"collections": [collection_answer(one) for one in page], "next": following})


@router.get(
    "/artifacts/{collection}/versions",
    response_model=ArtifactVersions,
    responses=errors(404),
    summary="List a collection's versions, the newest first",
)
def list_versions(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    collection: CollectionName,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    before = _number(cursor, VERSIONS)
    with db.transaction() as tx:
        home = _collection(tx, principal, team, project, collection)
        found = artifact_versions.members(tx, home.id, limit + 1, before)
        page = found[:limit]
        versions = version_answers(tx, home, page)
    following = cursor_of(VERSIONS, [str(page[-1].version)]) if len(found) > limit else None
    return answer({"versions": versions, "next": following})


@router.get(_VERSION, response_model=ArtifactVersion, responses=errors(404), summary="One version")
def read_version(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    collection: CollectionName,
    version: VersionName,
) -> Response:
    with db.transaction() as tx:
        home = _collection(tx, principal, team, project, collection)
        return answer(version_answers(tx, home, [_member(tx, home, version)])[0])


@router.get(
    f"{_VERSION}/files", response_model=ArtifactFiles, responses=errors(404), summary="List a version's files"
)
def list_files(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    collection: CollectionName,
    version: VersionName,
    after: Annotated[str, Query(description="`next` of the page before", max_length=4_096)] = "",
    limit: Limit = 100,
) -> Response:
    with db.transaction() as tx:
        home = _collection(tx, principal, team, project, collection)
        owner = _artifact(tx, _member(tx, home, version))
        found = artifact_files.files_page(tx, owner.id, limit + 1, after)
    files = [file_answer(owner.team_id, file) for file in found[:limit]]
    return answer({"files": files, "next": files[-1]["path"] if len(found) > limit else None})


@router.get(
    _VERSION + "/files/{path:path}",
    response_class=Response,
    responses=READ,
    summary="Read a file of a version, or a range of it",
)
async def read_file(
    request: Request,
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    collection: CollectionName,
    version: VersionName,
    path: FilePath,
) -> Response:
    blob = await in_thread(_blob, principal, team, project, collection, version, path)
    return await send_blob(request, blob, ASK_AGAIN)


router.add_api_route(_VERSION + "/files/{path:path}", read_file, methods=["HEAD"], include_in_schema=False)


@router.get(
    "/runs/{run}/artifacts",
    response_model=ArtifactVersions,
    responses=errors(404),
    summary="List what a run logged or used",
)
def list_of_run(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    direction: Annotated[Literal["output", "input"], Query(description="what it logged, or used")] = "output",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    after = _number(cursor, OF_RUN)
    with db.transaction() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        within = Reach([principal.team_id], principal.project_id)
        found = artifacts.artifacts_of_run(tx, run_id, direction, limit + 1, after or 0, within)
        page = found[:limit]
        versions = logged_answers(tx, page)
    following = cursor_of(OF_RUN, [str(page[-1].id)]) if len(found) > limit else None
    return answer({"versions": versions, "next": following})


def _number(cursor: str | None, listing: str) -> int | None:
    """The number in a cursor of the list.

    Raises:
        InvalidCursor: there is none.
    """
    place = place_of(cursor, listing, 1)
    if place is None:
        return None
    if not (place[0].isascii() and place[0].isdigit() and len(place[0]) <= LARGEST_CURSOR):
        raise invalid_cursor("is none that this server made")
    return int(place[0])


def _collection(tx: Transaction, principal: Principal, team: str, project: str, name: str) -> Collection:
    """Raises ArtifactNotFound: the project has no collection of that name."""
    project_id = project_of(tx, principal, team, project)
    found = artifact_collections.collection_named(tx, project_id, name)
    if found is None:
        raise ArtifactNotFound(
            f"no artifact {name!r} in project {project!r}",
            field="collection",
            fix="list them with GET .../artifacts",
        )
    return found


def _member(tx: Transaction, home: Collection, version: str) -> Member:
    """Raises ArtifactNotFound: the collection has no such version."""
    found = artifact_versions.member_named(tx, home.id, version)
    if found is None:
        raise ArtifactNotFound(
            f"artifact {home.name!r} has no version {version!r}",
            field="version",
            fix="list them with GET .../versions",
        )
    return found


def _artifact(tx: Transaction, member: Member) -> Artifact:
    return artifacts.artifacts(tx, [member.artifact_id])[member.artifact_id]


def _blob(principal: Principal, team: str, project: str, collection: str, version: str, path: str) -> Sent:
    with db.transaction() as tx:
        home = _collection(tx, principal, team, project, collection)
        owner = _artifact(tx, _member(tx, home, version))
        found = artifact_files.files_page(tx, owner.id, 1, "", [path])
    if not found or not isinstance(found[0], File):
        raise FileNotFound(
            f"{collection}:{version} has no bytes at {path!r}",
            field="path",
            fix="list the files with GET .../files; what is a reference lies elsewhere",
        )
    name = path.rsplit("/", 1)[-1]
    return Sent(owner.team_id, found[0].sha256, found[0].size, name, type_of(path))
