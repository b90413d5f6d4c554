"""Where browsers read the bytes of media."""

from typing import NamedTuple

from starlette.requests import Request

from runhue_server.storage.content import content_url
from runhue_shared.db import Transaction, project_settings


class Viewer(NamedTuple):
    """Who asks, and whether logged HTML may load from other servers, as its project allows."""

    request: Request
    network: bool


def viewer_in(tx: Transaction, project_id: int, request: Request) -> Viewer:
    """Who asks for media of a project."""
    return Viewer(request, project_settings.read(tx, project_id).html_network)


def address_of(team_id: int, sha256: bytes, size: int, name: str, mimetype: str, viewer: Viewer) -> str:
    """The address of a blob under a file name: it carries its own permission, for a day or two."""
    return content_url(team_id, sha256, size, name, mimetype, viewer.request, network=viewer.network)
