"""The API service: everything but ingest. `create_app()` is the ASGI factory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import redis.asyncio
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.requests import Request
from starlette.responses import Response

from runhue._version import __version__
from runhue_server.api import (
    routes_artifacts,
    routes_chart_presets,
    routes_charts,
    routes_color_settings,
    routes_coloring,
    routes_files,
    routes_gateway,
    routes_histograms,
    routes_history,
    routes_keys,
    routes_media,
    routes_media_settings,
    routes_metrics,
    routes_project_settings,
    routes_projects,
    routes_rows,
    routes_run_page,
    routes_runs,
    routes_server,
    routes_stream,
    routes_tables,
    routes_uploads,
    routes_workspaces,
)
from runhue_server.api.content_apart import ContentApart
from runhue_server.api.documents import finish
from runhue_server.api.feed import Feeds
from runhue_server.api.forward import Forward, gateway_client
from runhue_server.api.measures import MeasuredRequests, measure_waiting_work
from runhue_server.api.noticing import Readers
from runhue_server.api.requests import BoundedBodies, known_parameters_only
from runhue_server.storage.content import content_routes
from runhue_server.web import health, problems
from runhue_server.web.problems import Invalid, problem_response
from runhue_shared.db.filtering import FILTER_TIMEOUT
from runhue_shared.filters import InvalidFilter
from runhue_shared.settings import settings

ROUTERS = (
    routes_server.router,
    routes_projects.router,
    routes_keys.router,
    routes_gateway.router,
    routes_metrics.router,
    routes_runs.router,
    routes_run_page.router,
    routes_media_settings.router,
    routes_media.router,
    routes_charts.router,
    routes_chart_presets.router,
    routes_histograms.router,
    routes_history.router,
    routes_rows.router,
    routes_tables.router,
    routes_files.router,
    routes_uploads.router,
    routes_project_settings.router,
    routes_artifacts.router,
    routes_workspaces.router,
    routes_coloring.router,
    routes_color_settings.router,
    routes_stream.router,
)

ABOUT = """Runs, history and run colors of a Runhue server.

Send `Authorization: Bearer <key>`. Errors are problem details (RFC 9457) with a stable `code`. Doubles read
back bit for bit; NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity". Times are Unix
seconds."""


class FilterRefused(Invalid):
    """A filter, an order or a list of columns that says nothing we understand."""

    code = "invalid_filter"


class FilterTooSlow(Invalid):
    """A statement with a user's filter ran into its time limit."""

    code = "filter_too_slow"


def create_app() -> FastAPI:
    """The ASGI app; connections open with its first requests."""
    # Offline: FastAPI's own page loads its script from another server, which a closed network does not reach.
    app = FastAPIOffline(
        title="Runhue API",
        version=__version__,
        description=ABOUT,
        lifespan=_lifespan,
        redoc_url=None,
        openapi_url="/openapi.json",
        docs_url="/docs",
        static_url="/docs-files",
    )
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(known_parameters_only)])
    app.router.routes.extend([*health.health_routes(), *content_routes()])
    app.include_router(routes_server.pages)
    app.add_middleware(BoundedBodies)
    app.add_middleware(MeasuredRequests)
    app.add_middleware(Forward)
    app.add_middleware(ContentApart)
    measure_waiting_work()
    problems.install(app)
    app.add_exception_handler(InvalidFilter, _filter_refused)
    app.add_exception_handler(psycopg.errors.QueryCanceled, _filter_too_slow)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.feeds = Feeds(
        redis.asyncio.Redis.from_url(
            settings().redis_url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=5
        )
    )
    app.state.readers = Readers()
    app.state.gateway = gateway_client()
    yield
    await app.state.gateway.aclose()
    await app.state.feeds.close()


async def _filter_refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, InvalidFilter):
        raise error
    refused = FilterRefused(str(error), field=error.field, limit=error.limit, fix=error.fix)
    return problem_response(refused)


async def _filter_too_slow(_request: Request, _error: Exception) -> Response:
    fix = "simplify the regular expressions, or filter by less"
    return problem_response(
        FilterTooSlow(f"the filter took longer than {FILTER_TIMEOUT}", field="filter", fix=fix)
    )


def _document(app: FastAPI) -> dict[str, Any]:  # an OpenAPI document
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema = finish(document)
    return app.openapi_schema
