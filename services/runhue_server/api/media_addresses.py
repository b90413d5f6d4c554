"""Where browsers read the bytes of media."""

from urllib.parse import urlsplit

from runhue_server.storage import tokens
from runhue_shared.settings import settings


def address_of(team_id: int, sha256: bytes, size: int, name: str, mimetype: str) -> str:
    """The address of a blob under a file name: it carries its own permission, for a day or two."""
    prefix = urlsplit(settings().public_url).path.rstrip("/")
    return prefix + tokens.get_path(team_id, sha256, size, name, mimetype)
