"""Files of runs: listed, read, put and deleted."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.api.answers import answer, seconds
from runhue_server.api.documents import Responses, errors
from runhue_server.api.models_files import File, FileDeleted, Files
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, Writer, run_of
from runhue_server.storage import tokens
from runhue_server.storage.file_names import DEFAULT_TYPE, check_path, check_type, type_of
from runhue_server.storage.named_files import file_of_run, take_over_uploads
from runhue_server.storage.receive import in_thread, receive_blob, with_rows
from runhue_server.storage.send import ASK_AGAIN, Sent, send_blob
from runhue_server.storage.targets import RunFileAt, settle
from runhue_shared import db
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import run_files
from runhue_shared.db.keys import Principal
from runhue_shared.db.run_files import RunFile
from runhue_shared.settings import settings

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}/files", tags=["files"])

MAX_FILES = 1_000
FORM_TYPE = "application/x-www-form-urlencoded"
"""What some clients say of any body when nobody told them better."""

FilePath = Annotated[
    str, Path(description="The file's path in the run; it may hold slashes", examples=["a/b.txt"])
]
BYTES: dict[str, Any] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
READ: Responses = {
    200: {"description": "the bytes, with ETag", "content": BYTES},
    206: {"description": "the one range that was asked for", "content": BYTES},
    **errors(404, 410),
}


@router.get("", response_model=Files, responses=errors(404), summary="List a run's files")
def list_files(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    prefix: Annotated[str, Query(description="beginning of the paths, e.g. a folder", max_length=1_024)] = "",
    after: Annotated[str, Query(description="`next` of the page before", max_length=1_024)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_FILES, description="files a page")] = 100,
) -> Response:
    run_id = _run(principal, team, project, run)
    take_over_uploads(principal.team_id, run_id)
    with db.transaction() as tx:
        found = run_files.page(tx, run_id, limit + 1, after, prefix=prefix)
    files = [file_answer(principal.team_id, file) for file in found[:limit]]
    return answer({"files": files, "next": files[-1]["path"] if len(found) > limit else None})


@router.get("/{path:path}", response_class=Response, responses=READ, summary="Read a file, or a range of it")
async def read_file(
    request: Request, principal: Reader, team: TeamName, project: ProjectName, run: RunId, path: FilePath
) -> Response:
    run_id = await with_rows(_run, principal, team, project, run)
    file = await in_thread(file_of_run, principal.team_id, run_id, path)
    blob = Sent(principal.team_id, file.sha256, file.size, file.path, file.mimetype)
    return await send_blob(request, blob, ASK_AGAIN)


router.add_api_route("/{path:path}", read_file, methods=["HEAD"], include_in_schema=False)


@router.put(
    "/{path:path}",
    response_model=File,
    responses=errors(404, 413),
    summary="Put a file; an older one at the path is replaced",
    openapi_extra={"requestBody": {"required": True, "content": BYTES}},
)
async def put_file(
    request: Request, principal: Writer, team: TeamName, project: ProjectName, run: RunId, path: FilePath
) -> Response:
    check_path(path)
    mimetype = request.headers.get("content-type", FORM_TYPE).partition(";")[0].strip().lower()
    if mimetype in (FORM_TYPE, DEFAULT_TYPE):
        mimetype = type_of(path)
    check_type(mimetype, "Content-Type")
    run_id = await with_rows(_run, principal, team, project, run)
    stored = await receive_blob(request, principal.team_id, settings().max_file_bytes)
    file = await with_rows(_settle, principal.team_id, RunFileAt(run_id, path, mimetype), stored)
    return answer(file_answer(principal.team_id, file))


@router.delete(
    "/{path:path}", response_model=FileDeleted, responses=errors(404), summary="Delete a file; idempotent"
)
def delete_file(
    principal: Writer, team: TeamName, project: ProjectName, run: RunId, path: FilePath
) -> Response:
    with db.transaction() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        return answer({"deleted": run_files.remove(tx, run_id, path)})


def _run(principal: Principal, team: str, project: str, run: str) -> int:
    with db.transaction() as tx:
        return run_of(tx, principal, team, project, run).id


def _settle(team_id: int, target: RunFileAt, stored: StoredBlob) -> RunFile:
    with db.transaction() as tx:
        settle(tx, team_id, target, stored)
    return file_of_run(team_id, target.run_id, target.path)


def file_answer(team_id: int, file: RunFile) -> dict[str, Any]:  # a `File`
    """A file as lists show it."""
    prefix = urlsplit(settings().public_url).path.rstrip("/")
    return {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256.hex(),
        "md5": file.md5.hex(),
        "mimetype": file.mimetype,
        "updated_at": seconds(file.updated_at),
        "url": prefix + tokens.get_path(team_id, file.sha256, file.size, file.path, file.mimetype),
    }
