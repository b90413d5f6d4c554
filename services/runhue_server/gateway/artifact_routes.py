"""Downloads of artifact files by their MD5, for clients that have a manifest but no address of the file."""

import re
from collections.abc import Iterable, Mapping, Sequence

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

_HEX_MD5 = re.compile(r"[0-9a-f]{32}")
_MD5_PLACES = (1, 3, 4)
"""Where the MD5 is behind `/artifactsV2/{region}/{entity}`: after the id of the artifact a file came with,
before which newer clients name project and collection, and the newest the artifact, too."""


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The forms in which clients of different ages ask; all need a key."""
    download = _Download(gateway)
    return [
        Route("/artifacts/{entity}/{md5}", download.get, methods=["GET"]),
        Route("/artifactsV2/{region}/{entity}/{rest:path}", download.get, methods=["GET"]),
    ]


class _Download:
    """Answers the routes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def get(self, request: Request) -> Response:
        """The bytes of that MD5, which the entity's artifacts must have."""
        context = await self._gateway.context(request)
        file = await self._gateway.run(_found, context, request.path_params)
        return await send_blob(request, file, ASK_AGAIN)


def _found(context: Context, names: Mapping[str, str]) -> Sent:
    if not context.principal.may("read"):
        raise Forbidden("reading artifacts needs a key with scope 'read'", field="scopes")
    holder = context.in_team(names["entity"])
    md5 = _md5([names["md5"]], [0]) if "md5" in names else _md5(names["rest"].split("/"), _MD5_PLACES)
    with db.transaction() as tx:
        file = artifact_files.known_by_md5(tx, holder.team_id, holder.project_id, [md5]).get(md5)
    if file is None:
        raise FileNotFound(
            f"no artifact of {holder.team_name!r} has a file with MD5 {md5.hex()}", field="md5"
        )
    return Sent(holder.team_id, file.sha256, file.size, file.path.rsplit("/", 1)[-1], type_of(file.path))


def _md5(parts: Sequence[str], places: Iterable[int]) -> bytes:
    for place in places:
        if place < len(parts) and _HEX_MD5.fullmatch(parts[place]):
            return bytes.fromhex(parts[place])
    raise Invalid("the address has no MD5 in hex", field="md5")
