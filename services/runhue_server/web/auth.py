"""Who asks: the key in `Authorization`, its team and its scopes."""

import base64
import binascii
import threading
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache

import anyio.to_thread
from starlette.requests import Request

from runhue_server.web.problems import Forbidden, Unauthenticated
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.db.keys import Principal, Scope
from runhue_shared.settings import settings

FRESH_SECONDS = 3.0
"""A key is looked up again after this long, so that a revoked one is refused within 5 s."""

CACHED_KEYS = 4096
LONGEST_HEADER = 1024


class KeyCache:
    """Answers of the key table by `Authorization` header, good for `FRESH_SECONDS`; safe for threads.

    Refusals are kept as well, so that a client with a bad key does not reach the database each time.
    Holds at most `CACHED_KEYS`.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, Principal | None]] = {}
        self._lock = threading.Lock()

    def fresh(self, authorization: str) -> tuple[bool, Principal | None]:
        """(whether the answer is known, the principal; None for a refused key)."""
        held = self._held.get(authorization)
        if held is None or held[0] < time.monotonic():
            return False, None
        return True, held[1]

    def look_up(self, authorization: str) -> Principal | None:
        """Ask the database, and keep the answer.

        Raises:
            Unauthenticated: there is no key in the header.
            psycopg.OperationalError: the database is away.
        """
        key = key_in(authorization)
        pepper = keys.pepper(settings())
        with db.transaction() as tx:
            principal = keys.authenticate(tx, key, pepper)
        with self._lock:
            if len(self._held) >= CACHED_KEYS:
                self._held.clear()
            self._held[authorization] = (time.monotonic() + FRESH_SECONDS, principal)
        return principal


@lru_cache(maxsize=1)
def key_cache() -> KeyCache:
    """The process's cache."""
    return KeyCache()


def key_in(authorization: str) -> str:
    """The key in an `Authorization` header: `Bearer <key>`, or Basic with the key as password.

    Raises:
        Unauthenticated: no key, or a header of another form.
    """
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic":
        rest = _basic_password(rest)
    elif scheme.lower() != "bearer":
        rest = ""
    if not rest or len(authorization) > LONGEST_HEADER:
        raise Unauthenticated(
            "no API key came with the request", fix="send the header `Authorization: Bearer <key>`"
        )
    return rest


def _basic_password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2]


async def principal_of(authorization: str, scope: Scope) -> Principal:
    """Who sent `authorization`; waits for the database only when the key was not seen for `FRESH_SECONDS`.

    Raises:
        Unauthenticated: the key is missing, unknown, expired or revoked.
        Forbidden: its scopes do not include `scope`.
        psycopg.OperationalError: the database is away.
    """
    cache = key_cache()
    known, principal = cache.fresh(authorization)
    if not known:
        principal = await anyio.to_thread.run_sync(cache.look_up, authorization)
    return _allowed(principal, scope)


def _allowed(principal: Principal | None, scope: Scope) -> Principal:
    if principal is None:
        raise Unauthenticated(
            "the API key is unknown, expired or revoked", fix="make a new key and send that one"
        )
    if not principal.may(scope):
        raise Forbidden(
            f"key {principal.key_name!r} has scopes {sorted(principal.scopes)}, this needs {scope!r}",
            field="scopes",
            fix=f"use a key with scope {scope!r}",
        )
    return principal


def needs(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A FastAPI dependency: `principal: Annotated[Principal, Depends(needs("read"))]`."""

    async def dependency(request: Request) -> Principal:
        return await principal_of(request.headers.get("authorization", ""), scope)

    return dependency
