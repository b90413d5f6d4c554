"""Requests of the wandb client go on to the gateway: one address is page, API and WANDB_BASE_URL.

Bytes by signed addresses are taken and given right here: passing them on cost more than storing them.
Bodies are passed on piece by piece; nothing is held. A gateway that is away is answered as 503 with
`Retry-After`, which that client waits for; most other statuses would make it drop its data.
"""

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from runhue_server.storage.routes import storage_routes
from runhue_server.web.problems import Unavailable, install, problem_response
from runhue_shared.settings import settings

PATHS = re.compile(
    r"/+(graphql|files/.*|artifacts/.*|artifactsV2/.*|sdk/otel/.*|oidc/.*|authorize|ready)\Z",
    re.DOTALL,
)
"""What the client asks for under its base URL. `/files/` is no team's page: see `routes_server`."""

STORED = re.compile(r"/+storage/.*\Z", re.DOTALL)
"""Signed addresses; they mean the same at every service."""

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 300.0
CONNECTIONS = 200
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"}
)
"""Headers of one connection, not of the request (RFC 9110, section 7.6.1)."""

SAID_BY_THE_API = frozenset({"date", "server"})
"""Headers that whoever answers puts on each answer."""


def gateway_client() -> httpx.AsyncClient:
    """Connections to the gateway, for the event loop that this is called in."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    return httpx.AsyncClient(base_url=settings().gateway_url, limits=limits, timeout=timeout, trust_env=False)


class Forward:
    """ASGI middleware: the gateway's paths go to it, bytes to the store, the rest to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._storage = Starlette(routes=storage_routes())
        install(self._storage)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(_prefix()) if scope["type"] == "http" else ""
        if STORED.match(path):
            await self._storage({**scope, "path": "/" + path.lstrip("/")}, receive, send)
            return
        if not PATHS.match(path):
            await self._app(scope, receive, send)
            return
        try:
            response = await self._exchange(Request(scope, receive))
        except (httpx.TransportError, ClientDisconnect):
            response = problem_response(Unavailable("the gateway is not reachable right now"))
        await response(scope, receive, send)

    async def _exchange(self, request: Request) -> Response:
        client: httpx.AsyncClient = request.app.state.gateway
        sent = client.build_request(
            request.method,
            httpx.URL(raw_path=_target(request.scope)),
            headers=_headers(request),
            content=_body(request),
        )
        answer = await client.send(sent, stream=True)
        dropped = HOP_BY_HOP | SAID_BY_THE_API
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )


def _prefix() -> str:
    """The path of the server's public address: the client puts it in front, the gateway takes it off."""
    return urlsplit(settings().public_url).path.rstrip("/")


def _target(scope: Scope) -> bytes:
    """Path and query as they came, not decoded and encoded again.

    The oldest clients put a second slash behind an address that ends with one; it is taken off.
    """
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = b"/" + path.lstrip(b"/")
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _headers(request: Request) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
    told = [] if "x-forwarded-proto" in request.headers else [("x-forwarded-proto", request.url.scheme)]
    return kept + told


def _body(request: Request) -> AsyncIterator[bytes] | None:
    """The body piece by piece; None for a request that has none."""
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    return request.stream() if has_body else None
