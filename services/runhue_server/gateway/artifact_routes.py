"""Downloads of artifact files by their MD5, for clients that have a manifest but no address of the file."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runhue_server.gateway.context import Context
from runhue_server.gateway.service import Gateway
from runhue_server.storage.file_names import type_of
from runhue_server.storage.problems import FileNotFound
from runhue_server.storage.send import ASK_AGAIN, Sent, send_blob
from runhue_server.web.problems import Forbidden, Invalid
from runhue_shared import db
from runhue_shared.db import artifact_files

_OF_COLLECTION = "/artifactsV2/{region}/{entity}/{project}/{collection}"


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The three forms in which clients of different ages ask; all need a key."""
    download = _Download(gateway)
    return [
        Route("/artifacts/{entity}/{md5}", download.get, methods=["GET"]),
        Route(_OF_COLLECTION + "/{birth}/{md5}/{name:path}", download.get, methods=["GET"]),
    ]


class _Download:
    """Answers the routes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def get(self, request: Request) -> Response:
        """The bytes of that MD5, which the entity's artifacts must have."""
        context = await self._gateway.context(request)
        names = request.path_params
        file = await self._gateway.run(_found, context, names)
        return await send_blob(request, file, ASK_AGAIN)


def _found(context: Context, names: dict[str, str]) -> Sent:
    if not context.principal.may("read"):
        raise Forbidden("reading artifacts needs a key with scope 'read'", field="scopes")
    holder = context.in_team(names["entity"])
    md5, name = _md5_and_name(names)
    with db.transaction() as tx:
        file = artifact_files.known_by_md5(tx, holder.team_id, holder.project_id, [md5]).get(md5)
    if file is None:
        raise FileNotFound(
            f"no artifact of {holder.team_name!r} has a file with MD5 {md5.hex()}", field="md5"
        )
    shown = name or file.path.rsplit("/", 1)[-1]
    return Sent(holder.team_id, file.sha256, file.size, shown, type_of(shown))


def _md5_and_name(names: dict[str, str]) -> tuple[bytes, str]:
    """With the artifact's own id before it the MD5 is one place further on."""
    name = names.get("name", "")
    for text, rest in ((names["md5"], name), (name.partition("/")[0], name.partition("/")[2])):
        try:
            md5 = bytes.fromhex(text)
        except ValueError:
            continue
        if len(md5) == artifact_files.MD5_BYTES:
            return md5, rest.rsplit("/", 1)[-1]
    raise Invalid("the address has no MD5 in hex", field="md5")
