"""`/storage/{token}`: bytes in and out by signed addresses; `/files/...`: a run's file by its names."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runhue_server.storage import tokens
from runhue_server.storage.named_files import file_of_run, run_number
from runhue_server.storage.problems import BytesLost, FileNotFound
from runhue_server.storage.receive import in_thread, receive_blob, with_rows
from runhue_server.storage.send import ASK_AGAIN, FOR_EVER, NO_HEADERS, Sent, send_blob
from runhue_server.storage.targets import settle
from runhue_server.storage.tokens import GetToken, PutToken, TokenRefused
from runhue_server.web.auth import principal_of
from runhue_shared import db
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import blobs
from runhue_shared.settings import settings


def storage_routes() -> list[Route]:
    """Routes that need no key: the address is the permission."""
    path = tokens.PREFIX + "{token:path}"
    return [
        Route(path, put_bytes, methods=["PUT"]),
        Route(path, get_bytes, methods=["GET"]),
    ]


def file_routes() -> list[Route]:
    """Downloads by entity, project, run and path, with a key that may read."""
    return [Route("/files/{entity}/{project}/{run}/{path:path}", get_file, methods=["GET"])]


async def put_bytes(request: Request) -> Response:
    """`PUT /storage/{token}`; the bytes are durable and named when this answers 200. Idempotent."""
    token = tokens.read(request.path_params["token"])
    if not isinstance(token, PutToken):
        raise TokenRefused("is not for writing")
    stored = await receive_blob(request, token.team_id, settings().max_file_bytes, token.expected)
    await with_rows(_settle, token, stored)
    return Response(headers={"ETag": f'"{stored.sha256.hex()}"'})


def _settle(token: PutToken, stored: StoredBlob) -> None:
    with db.transaction() as tx:
        settle(tx, token.team_id, token.target, stored)


async def get_bytes(request: Request) -> Response:
    """`GET /storage/{token}`."""
    token = tokens.read(request.path_params["token"])
    if not isinstance(token, GetToken):
        raise TokenRefused("is not for reading")
    blob = Sent(token.team_id, token.sha256, token.size, token.name, token.mimetype)
    return await send_signed(request, blob, redirect=True)


async def send_signed(
    request: Request, blob: Sent, *, redirect: bool = False, more: Mapping[str, str] = NO_HEADERS
) -> Response:
    """As `send_blob`, of an address that lives longer than what it names may.

    Raises:
        FileNotFound: the blob was removed, for nothing named it any more.
    """
    try:
        return await send_blob(request, blob, FOR_EVER, redirect=redirect, more=more)
    except BytesLost:
        if await with_rows(_is_known, blob):
            raise
        raise FileNotFound(f"{blob.name[:200]!r} was deleted", fix="ask for a new address") from None


def _is_known(blob: Sent) -> bool:
    with db.transaction() as tx:
        return blobs.find(tx, blob.team_id, blob.sha256) is not None


async def get_file(request: Request) -> Response:
    """`GET /files/{entity}/{project}/{run}/{path}`."""
    principal = await principal_of(request.headers.get("authorization", ""), "read")
    names = request.path_params
    run_id, team_id = await with_rows(run_number, principal, names["entity"], names["project"], names["run"])
    file = await in_thread(file_of_run, team_id, run_id, names["path"])
    blob = Sent(team_id, file.sha256, file.size, file.path, file.mimetype)
    return await send_blob(request, blob, ASK_AGAIN)
