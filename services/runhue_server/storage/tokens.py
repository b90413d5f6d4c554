"""Addresses that carry their own permission: signed, expiring, and stored nowhere."""

import base64
import binascii
import hashlib
import hmac
import time
from functools import lru_cache

import msgspec

from runhue_server.storage.targets import Target
from runhue_server.web.problems import Problem
from runhue_shared.blobs.store import ANYTHING, Expected
from runhue_shared.db import keys
from runhue_shared.settings import Settings, settings

PUT_SECONDS = 24 * 3600
"""How long an upload may begin; clients try again for minutes, and some were asleep."""

GET_SECONDS = 24 * 3600
SIGNATURE_BYTES = 32
PREFIX = "/storage/"
PURPOSE = b"runhue storage addresses"


class TokenRefused(Problem):
    """The address was not made by this server, or it was changed, or it is too old."""

    status = 403
    code = "address_refused"

    def __init__(self, why: str) -> None:
        super().__init__(f"the storage address {why}", fix="ask for a new address")


class PutToken(msgspec.Struct, frozen=True, tag="put", omit_defaults=True):
    """Bytes of a team may be put, and become `target`. `expires` is Unix seconds."""

    team_id: int
    target: Target
    expires: int
    expected: Expected = ANYTHING


class GetToken(msgspec.Struct, frozen=True, tag="get"):
    """A blob of a team may be read, under a file name. `expires` is Unix seconds."""

    team_id: int
    sha256: bytes
    size: int
    name: str
    mimetype: str
    expires: int


class ShowToken(msgspec.Struct, frozen=True, tag="show"):
    """A blob of a team may be shown in a browser to the app at the origin `app`.

    `network`: whether what it holds may load from other servers. `expires` is Unix seconds.
    """

    team_id: int
    sha256: bytes
    size: int
    name: str
    mimetype: str
    expires: int
    app: str
    network: bool


Token = PutToken | GetToken | ShowToken

_decoder: msgspec.msgpack.Decoder[Token] = msgspec.msgpack.Decoder(Token)


def put_path(team_id: int, target: Target, expected: Expected = ANYTHING) -> str:
    """Where bytes can be put for the next `PUT_SECONDS`: a path that begins with `/storage/`."""
    return PREFIX + sign(PutToken(team_id, target, int(time.time()) + PUT_SECONDS, expected))


def get_path(team_id: int, sha256: bytes, size: int, name: str, mimetype: str) -> str:
    """Where a blob can be read for a day or two; the path stays the same for a day, for caches."""
    expires = (int(time.time()) // GET_SECONDS + 2) * GET_SECONDS
    return PREFIX + sign(GetToken(team_id, sha256, size, name, mimetype, expires))


def sign(token: Token) -> str:
    """The token as text for an address."""
    body = msgspec.msgpack.encode(token)
    return _text(_signature(body) + body)


def read(text: str) -> Token:
    """What `sign` was given.

    Raises:
        TokenRefused: the text is not from this server, or it expired.
    """
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("is none of this server") from None
    if _text(content) != text:  # bits that base64 does not use
        raise TokenRefused("is none of this server, or was changed")
    body = content[SIGNATURE_BYTES:]
    if not hmac.compare_digest(content[:SIGNATURE_BYTES], _signature(body)):
        raise TokenRefused("is none of this server, or was changed")
    token = _decoder.decode(body)
    if token.expires < time.time():
        raise TokenRefused("is too old")
    return token


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _signature(body: bytes) -> bytes:
    return hmac.new(_key(settings()), body, hashlib.sha256).digest()


@lru_cache(maxsize=1)
def _key(current: Settings) -> bytes:
    return hmac.new(keys.pepper(current), PURPOSE, hashlib.sha256).digest()
