"""The gateway as an ASGI app: the routes and the schema of all its modules."""

import contextlib
import functools
from types import ModuleType
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runhue_server.gateway import (
    alerts,
    artifact_routes,
    artifacts,
    console_logs,
    file_stream,
    pages,
    projects,
    resume,
    run_changes,
    run_fields,
    run_files,
    run_history,
    runs,
    upsert,
    viewer,
)
from runhue_server.gateway.context import base_url_of, path_prefix
from runhue_server.gateway.engine import Engine
from runhue_server.gateway.graphql_route import GraphqlRoute
from runhue_server.gateway.service import Gateway
from runhue_server.web.health import health_routes
from runhue_server.web.problems import SERVERS_AWAY, Problem, install

PARTS: tuple[ModuleType, ...] = (
    viewer,
    projects,
    runs,
    run_fields,
    run_history,
    console_logs,
    run_changes,
    run_files,
    artifacts,
    artifact_routes,
    pages,
    file_stream,
    upsert,
    resume,
    alerts,
)
"""Modules with `FIELDS` (a `Fields`), with `routes(gateway)`, or with both."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
QUIET = ("sdk", "oidc")
"""What the client tries at each start: `sdk/otel/...` and `oidc/token`."""


def create_app() -> ASGIApp:
    """The app for uvicorn: `runhue_server.gateway.app:create_app`, as a factory."""
    return app_of(Gateway())


def app_of(gateway: Gateway) -> ASGIApp:
    """The app of one gateway."""
    health = health_routes(required=frozenset({"postgres"}))
    ready = next(route for route in health if route.path == "/readyz")
    routes: list[BaseRoute] = [
        Route("/graphql", GraphqlRoute(gateway, _engine()).post, methods=["POST"]),
        Route("/ready", ready.endpoint),
        *health,
    ]
    for part in PARTS:
        if hasattr(part, "routes"):
            routes += part.routes(gateway)
    routes.append(_everything_else(gateway))
    app = Starlette(routes=routes, lifespan=gateway.running)
    install(app)
    return Prefixed(app, path_prefix(gateway.settings))


@functools.cache
def _engine() -> Engine:
    """Schema and resolvers, the same for every gateway of a process: each request brings its own context."""
    return Engine(part.FIELDS for part in PARTS if hasattr(part, "FIELDS"))


def _everything_else(gateway: Gateway) -> BaseRoute:
    """404 as JSON, which turns the client's own telemetry off; what holders of keys ask for is counted."""

    async def not_here(request: Request) -> Response:
        if request.method == "OPTIONS" and (allowed := _own_origin(request, gateway)):
            return Response(status_code=204, headers=allowed)
        first, _, rest = request.path_params["path"].partition("/")
        if first not in QUIET:
            with contextlib.suppress(Problem, *SERVERS_AWAY):
                context = await gateway.context(request)
                # What follows is names of runs and files.
                path = f"{request.method} /{first}{'/...' if rest else ''}"
                gateway.unknown.note_unknown("", "path", path, context.client)
        return JSONResponse({"errors": [{"message": "this server has no such path"}]}, 404)

    return Route("/{path:path}", not_here, methods=METHODS)


def _own_origin(request: Request, gateway: Gateway) -> dict[str, str]:
    """Leave for pages of this very address, which need none: `wandb verify` looks for it. Others get none."""
    origin = request.headers.get("origin", "")
    address = urlsplit(base_url_of(request, gateway.settings))
    if origin != f"{address.scheme}://{address.netloc}":
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, PUT",
        "Vary": "Origin",
    }


class Prefixed:
    """Takes the prefix of the public address off paths; a proxy may have done it before.

    The oldest clients put `/graphql` behind a base URL that ends with a slash, so there may be two.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw: bytes = scope.get("raw_path") or b""
            scope = {
                **scope,
                "path": self._inner(scope["path"]),
                "raw_path": self._inner(raw.decode("latin-1")).encode("latin-1"),
            }
        await self._app(scope, receive, send)

    def _inner(self, path: str) -> str:
        if path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix)
        return f"/{path.lstrip('/')}"
