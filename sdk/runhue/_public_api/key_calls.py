"""Calls that list, make, rotate and revoke the team's API keys."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from runhue._public_api.exchange import Call, exchange, fetch, get, submit


class ApiKey(Struct, frozen=True):
    """A key as its team sees it; the key itself was shown when it was made."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    project: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    replaced_by: int | None = None


class _Keys(Struct, frozen=True):
    keys: list[ApiKey]


class _MadeKey(Struct, frozen=True):
    key: str


def keys_call() -> Call[list[ApiKey]]:
    """The team's keys, the newest first."""
    return (yield from fetch(_Keys, get("/api/v1/keys"))).keys


def create_key_call(
    name: str, scopes: Sequence[str], project: str | None, expires_in_days: float | None
) -> Call[str]:
    """Make a key; the only time that it is shown."""
    content = {"name": name, "scopes": list(scopes), "project": project, "expires_in_days": expires_in_days}
    return (yield from fetch(_MadeKey, submit("POST", "/api/v1/keys", content))).key


def rotate_key_call(key_id: int, overlap_hours: float) -> Call[str]:
    """Make a key that takes another's place, which ends after `overlap_hours`."""
    request = submit("POST", f"/api/v1/keys/{key_id}/rotate", {"overlap_hours": overlap_hours})
    return (yield from fetch(_MadeKey, request)).key


def revoke_key_call(key_id: int) -> Call[None]:
    """Refuse a key from now on."""
    yield from exchange(submit("DELETE", f"/api/v1/keys/{key_id}", None))
