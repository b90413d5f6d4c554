"""Where browsers read the bytes of media."""

from typing import NamedTuple

from starlette.requests import Request

from runhue_server.storage.content import content_url


class Viewer(NamedTuple):
    """Who asks, and whether logged HTML may load from other servers, as its project allows."""

    request: Request | None = None
    network: bool = False


NOBODY = Viewer()
"""For addresses that the settings alone tell."""


def address_of(
    team_id: int, sha256: bytes, size: int, name: str, mimetype: str, viewer: Viewer = NOBODY
) -> str:
    """The address of a blob under a file name: it carries its own permission, for a day or two."""
    return content_url(team_id, sha256, size, name, mimetype, viewer.request, network=viewer.network)
