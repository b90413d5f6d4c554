"""Large files of runs in parts: in parallel, in any order, and resumed after a cut."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_files import File
from runhue_server.api.models_uploads import FileUpload, NewUpload, PartStored, UploadGivenUp
from runhue_server.api.resources import ProjectName, RunId, TeamName, Writer, run_of
from runhue_server.api.routes_files import BYTES, file_answer
from runhue_server.storage import parts
from runhue_server.storage.file_names import check_path, check_type, type_of
from runhue_server.storage.named_files import file_of_run
from runhue_server.storage.parts import Progress
from runhue_server.storage.problems import FileTooLarge, HashMismatch, UploadNotFound, WrongPartSize
from runhue_server.storage.receive import assembling, in_thread, receive_blob, with_rows
from runhue_server.storage.targets import PartAt, RunFileAt, settle
from runhue_shared import db
from runhue_shared.blobs.store import Expected, StoredBlob
from runhue_shared.db.keys import Principal

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}/uploads", tags=["files"])

UploadId = Annotated[str, Path(description="`id` of the upload", max_length=64, examples=["0" * 32])]
PartNumber = Annotated[int, Path(ge=1, le=parts.MOST_PARTS, description="from 1", examples=[1])]


@router.post(
    "",
    response_model=FileUpload,
    responses=errors(404, 413),
    summary="Begin to put a file in parts, or go on",
)
def begin_upload(
    principal: Writer, team: TeamName, project: ProjectName, run: RunId, body: NewUpload
) -> Response:
    check_path(body.path)
    if body.mimetype is not None:
        check_type(body.mimetype)
    with db.transaction() as tx:
        run_id = run_of(tx, principal, team, project, run).id
    target = RunFileAt(run_id, body.path, body.mimetype or type_of(body.path))
    sha256 = None if body.sha256 is None else bytes.fromhex(body.sha256)
    begun = parts.begin(principal.team_id, target, body.size, Expected(sha256=sha256))
    if sha256 is not None:
        parts.finish_with_known(begun, sha256, principal.project_id)
    return _progress(principal, run_id, begun.id)


@router.get(
    "/{upload_id}", response_model=FileUpload, responses=errors(404), summary="Which parts have not come"
)
def read_upload(
    principal: Writer, team: TeamName, project: ProjectName, run: RunId, upload_id: UploadId
) -> Response:
    return _progress(principal, _run(principal, team, project, run), upload_id)


@router.put(
    "/{upload_id}/parts/{number}",
    response_model=PartStored,
    responses=errors(404),
    summary="Put a part; repeating it is fine",
    openapi_extra={"requestBody": {"required": True, "content": BYTES}},
)
async def put_part(
    request: Request,
    principal: Writer,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    upload_id: UploadId,
    number: PartNumber,
) -> Response:
    target, expected = await in_thread(_part, principal, team, project, run, upload_id, number)
    try:
        stored = await receive_blob(request, principal.team_id, expected.size or 0, expected)
    except FileTooLarge as error:
        raise _wrong_size(number, expected) from error
    except HashMismatch as error:
        raise (_wrong_size(number, expected) if error.field == "size" else error) from error
    await with_rows(_settle, principal.team_id, target, stored)
    return answer({"number": number, "size": stored.size, "md5": stored.md5.hex()})


@router.post(
    "/{upload_id}/complete",
    response_model=File,
    responses=errors(404, 409),
    summary="Make the file of its parts; idempotent",
)
async def complete_upload(
    principal: Writer, team: TeamName, project: ProjectName, run: RunId, upload_id: UploadId
) -> Response:
    return answer(await assembling(_complete, principal, team, project, run, upload_id))


@router.delete(
    "/{upload_id}",
    response_model=UploadGivenUp,
    responses=errors(404),
    summary="Give an upload up; idempotent",
)
def give_up_upload(
    principal: Writer, team: TeamName, project: ProjectName, run: RunId, upload_id: UploadId
) -> Response:
    run_id = _run(principal, team, project, run)
    try:
        _of_run(principal, run_id, upload_id)
    except UploadNotFound:
        return answer({"deleted": False})
    return answer({"deleted": parts.give_up(principal.team_id, upload_id)})


def _run(principal: Principal, team: str, project: str, run: str) -> int:
    with db.transaction() as tx:
        return run_of(tx, principal, team, project, run).id


def _of_run(principal: Principal, run_id: int, upload_id: str) -> tuple[Progress, RunFileAt]:
    found = parts.progress(principal.team_id, upload_id)
    target = parts.target_of(found.upload)
    if not (isinstance(target, RunFileAt) and target.run_id == run_id):
        raise UploadNotFound(upload_id)
    return found, target


def _progress(principal: Principal, run_id: int, upload_id: str) -> Response:
    found, target = _of_run(principal, run_id, upload_id)
    return answer(
        {
            "id": found.upload.id,
            "path": target.path,
            "size": found.upload.size,
            "part_bytes": found.upload.part_bytes,
            "parts": found.parts,
            "missing": found.missing,
            "stored": found.stored is not None,
        }
    )


def _part(
    principal: Principal, team: str, project: str, run: str, upload_id: str, number: int
) -> tuple[PartAt, Expected]:
    found, _ = _of_run(principal, _run(principal, team, project, run), upload_id)
    return parts.part_at(found.upload, number)


def _settle(team_id: int, target: PartAt, stored: StoredBlob) -> None:
    with db.transaction() as tx:
        settle(tx, team_id, target, stored)


def _complete(
    principal: Principal, team: str, project: str, run: str, upload_id: str
) -> dict[str, Any]:  # a `File`
    run_id = _run(principal, team, project, run)
    _, target = _of_run(principal, run_id, upload_id)
    parts.complete(principal.team_id, upload_id)
    return file_answer(principal.team_id, file_of_run(principal.team_id, run_id, target.path))


def _wrong_size(number: int, expected: Expected) -> WrongPartSize:
    return WrongPartSize(
        f"part {number} must have {expected.size} bytes",
        field="body",
        limit=expected.size,
        fix="cut the file into parts of `part_bytes`; the last part is what is left",
    )
