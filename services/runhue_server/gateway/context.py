"""What a request to the gateway comes with."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from runhue_server.gateway.submit import Submitter
from runhue_server.gateway.unknown import short_client
from runhue_server.web.auth import principal_of
from runhue_server.web.problems import Forbidden, NotFound
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.db.keys import Principal
from runhue_shared.settings import Settings

_HOST = re.compile(r"[A-Za-z0-9._\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~\-]+)+")


@dataclass(frozen=True, slots=True)
class Context:
    """One request.

    `base_url`: the address under which the client reached this server, without a slash at its end. `headers`:
    names in lower case. `principal`: the key's own team.
    """

    principal: Principal
    headers: Mapping[str, str]
    base_url: str
    settings: Settings
    submitter: Submitter

    @property
    def client_id(self) -> str:
        """The client's id in shared mode, '' otherwise."""
        return self.headers.get("x-wandb-async-client-id") or self.headers.get("x-wandb-client-id") or ""

    @property
    def client(self) -> str:
        """The client's name and version, as it is counted and logged."""
        return short_client(self.headers.get("user-agent", ""))

    def in_team(self, entity: str | None) -> Principal:
        """The key's holder as a member of team `entity`; None or '' is the key's own team.

        Raises:
            NotFound: there is no such team, or the key does not reach it.
        """
        if entity in (None, "", self.principal.team_name):
            return self.principal
        with db.transaction() as tx:
            team = keys.team_reached(tx, self.principal.key_id, str(entity))
        if team is None:
            raise NotFound(
                f"entity {entity!r} is not there, or the API key does not reach it",
                field="entity",
                fix=f"log to entity {self.principal.team_name!r}, or use a key of that team",
            )
        return replace(self.principal, team_id=team.id, team_name=team.name)


async def signed_in(authorization: str) -> Principal:
    """Who sent `authorization`, whether the key reads or logs; what it may do is `Principal.may`.

    Raises:
        Unauthenticated: the key is missing, unknown, expired or revoked.
        Forbidden: it does neither.
        psycopg.OperationalError: the database is away.
    """
    try:
        return await principal_of(authorization, "read")
    except Forbidden:
        return await principal_of(authorization, "ingest")


def path_prefix(settings: Settings) -> str:
    """The path of the server's public address, under which all of its paths are: '' or as '/runhue'."""
    return urlsplit(settings.public_url).path.rstrip("/")


def base_url_of(request: HTTPConnection, settings: Settings) -> str:
    """The address under which the client reached this server, without a slash at its end.

    What a proxy says of it counts when the proxy is on this machine.
    """
    public = urlsplit(settings.public_url)
    headers = request.headers if _is_local(request) else {}
    host = headers.get("x-forwarded-host") or request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = public.netloc or request.url.netloc
    scheme = headers.get("x-forwarded-proto", "")
    if scheme not in ("http", "https"):
        scheme = public.scheme if host == public.netloc else request.url.scheme
    prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        prefix = path_prefix(settings)
    return f"{scheme}://{host}{prefix}"


def _is_local(request: HTTPConnection) -> bool:
    """Whether the peer is on this machine; over a Unix socket it has no address."""
    if request.client is None:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
