"""`/content/{token}`: what users logged, for browsers. Whatever is in it can act on nothing.

Source of the policies: an attack page tried against six ways of embedding; only the headers below, with the
frame's own sandbox, kept it from the app, the network and the window around it.
"""

import time
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runhue_server.storage import origins, tokens
from runhue_server.storage.routes import send_signed
from runhue_server.storage.send import Sent
from runhue_server.storage.tokens import ShowToken, TokenRefused
from runhue_shared.settings import settings

PREFIX = "/content/"
ACTIVE = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml"})
"""Types that can hold scripts, and are shown all the same."""

INERT_POLICY = "sandbox; default-src 'none'"
SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox"
"""Links of logged HTML open in a tab of their own, which then is like any other; never allow-same-origin."""
_SOURCES: tuple[tuple[str, list[str]], ...] = (
    ("script-src", ["'unsafe-inline'", "'unsafe-eval'"]),
    ("style-src", ["'unsafe-inline'"]),
    ("img-src", ["data:", "blob:"]),
    ("media-src", ["data:", "blob:"]),
    ("font-src", ["data:"]),
    ("connect-src", []),
)
EXPOSED = "Accept-Ranges, Content-Length, Content-Range, ETag"


def content_url(
    team_id: int,
    sha256: bytes,
    size: int,
    name: str,
    mimetype: str,
    request: Request | None = None,
    *,
    network: bool = False,
) -> str:
    """Where a browser reads a blob: an address that carries its own permission, for a day or two.

    Args:
        sha256: 32 bytes; `size`, bytes; `name`, the file's; `mimetype`, without parameters.
        request: who asks; without it the settings alone say where that is.
        network: whether active content may load from other servers, as its project allows.
    Returns:
        An absolute address on the content's origin; a path where neither settings nor request tell an origin.
        It stays the same for a day.
    """
    found = origins.origins(request)
    expires = (int(time.time()) // tokens.GET_SECONDS + 2) * tokens.GET_SECONDS
    token = ShowToken(team_id, sha256, size, name, mimetype, expires, found.app, network)
    return found.content + _prefix() + PREFIX + tokens.sign(token)


def content_routes() -> list[Route]:
    """Routes that need no key: the address is the permission."""
    path = PREFIX + "{token:path}"
    return [Route(path, show, methods=["GET"]), Route(path, allow, methods=["OPTIONS"])]


async def show(request: Request) -> Response:
    """`GET /content/{token}`; never redirected to the object store, which would not send our headers."""
    token = _token(request)
    content = origins.content_of(token.app)
    here = request.headers.get("host", "").lower()
    if token.mimetype in ACTIVE and token.app != content and here == origins.host_of(token.app):
        address = content + _prefix() + PREFIX + request.path_params["token"]
        return RedirectResponse(address, headers={"Cache-Control": "no-store"})
    blob = Sent(token.team_id, token.sha256, token.size, token.name, token.mimetype)
    return await send_signed(request, blob, more=_headers(token, content))


async def allow(request: Request) -> Response:
    """`OPTIONS /content/{token}`: the app may ask for ranges."""
    token = _token(request)
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match",
        "Access-Control-Max-Age": "86400",
    }
    return Response(
        status_code=204, headers={**headers, **_sharing(token.app, origins.content_of(token.app))}
    )


def _token(request: Request) -> ShowToken:
    token = tokens.read(request.path_params["token"])
    if not isinstance(token, ShowToken):
        raise TokenRefused("is not for showing")
    return token


def _headers(token: ShowToken, content: str) -> dict[str, str]:
    headers = {"Referrer-Policy": "no-referrer", **_sharing(token.app, content)}
    if token.mimetype not in ACTIVE:
        return {**headers, "Content-Security-Policy": INERT_POLICY}
    policy = active_policy(token.app, network=token.network)
    return {**headers, "Content-Security-Policy": policy, "Content-Disposition": "inline"}


def active_policy(app: str, *, network: bool) -> str:
    """What HTML and SVG may do: run their own scripts, apart from everything; be framed by the app only."""
    wider = ["https:"] if network else []
    sources = [" ".join([name, *(own + wider or ["'none'"])]) for name, own in _SOURCES]
    framed = app or "'self'"
    fixed = ["form-action 'none'", "base-uri 'none'", f"frame-ancestors {framed}"]
    return "; ".join([SANDBOX, "default-src 'none'", *sources, *fixed])


def _sharing(app: str, content: str) -> dict[str, str]:
    """Who may embed and read: the app, from its origin."""
    if app == content:
        return {"Cross-Origin-Resource-Policy": "same-origin"}
    return {
        # Another origin is another site, for all that the server knows; scripts of others cannot read it.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": app,
        "Access-Control-Expose-Headers": EXPOSED,
    }


def _prefix() -> str:
    """The path of the server's public address; an origin of its own for content has none."""
    if settings().usercontent_url:
        return ""
    return urlsplit(settings().public_url).path.rstrip("/")
