"""On the origin of what users logged there is nothing else: no page, no API, nothing to act on."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runhue_server.storage import content, origins, tokens
from runhue_server.web.problems import NotFound, problem_response
from runhue_shared.settings import settings

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Whoever looks after the server asks under any name."""


class ContentApart:
    """ASGI middleware that answers 404 on the content's origin, but for content and signed addresses.

    Where that origin is the loopback's other name it is also one under which people and programs know the
    server: those that send a key, which no page can, are served, and browsers are sent to the app's name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (self._app if refusal is None else refusal)(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    found = origins.configured(settings())
    headers = Headers(scope=scope)
    if found is None or headers.get("host", "").lower() != origins.host_of(found.content):
        return None
    prefix = urlsplit(settings().public_url).path.rstrip("/")
    path = scope["path"].removeprefix(prefix)
    if path.startswith((content.PREFIX, tokens.PREFIX)):
        return None
    if not settings().usercontent_url:
        if "authorization" in headers or path in OPEN_PATHS:
            return None
        if scope["method"] in ("GET", "HEAD"):
            query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
            raw = scope.get("raw_path") or scope["path"].encode()
            return RedirectResponse(found.app + raw.decode("latin-1") + query)
    return problem_response(NotFound("nothing is here but what users logged", fix=f"ask {found.app}"))
