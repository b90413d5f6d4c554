"""What this server is, for programs that know one address and for people who open it in a browser."""

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from runhue._version import __version__
from runhue_server.api.answers import answer
from runhue_server.api.documents import OPEN_ERRORS
from runhue_server.api.models_runs import Server
from runhue_server.api.requests import MAX_BODY_BYTES
from runhue_server.web.problems import NotFound
from runhue_shared.settings import settings

router = APIRouter(prefix="/api/v1", tags=["server"])
pages = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Runhue</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}
:root {{ color-scheme: light dark }}</style>
<h1>{title}</h1>
{content}
<p>Runhue {version}</p>
</html>
"""


@router.get(
    "/server", response_model=Server, responses=OPEN_ERRORS, summary="Version and addresses; no key needed"
)
def server(request: Request) -> Response:
    current = settings()
    api_url = current.public_url or str(request.base_url)
    return answer(
        {
            "version": __version__,
            "api_url": api_url.rstrip("/"),
            "ingest_url": current.public_ingest_url.rstrip("/") or _beside(request, current.ingest_port),
            "limits": {
                "max_request_bytes": MAX_BODY_BYTES,
                "max_batch_bytes": current.max_batch_bytes,
                "max_body_bytes": current.max_body_bytes,
                "max_decompressed_bytes": current.max_decompressed_bytes,
                "max_key_length": current.max_key_length,
                "max_keys_per_run": current.max_keys_per_run,
                "max_config_bytes": current.max_config_bytes,
                "max_json_depth": current.max_json_depth,
                "flush_interval_ms": current.flush_interval_ms,
                "heartbeat_timeout": current.heartbeat_timeout,
            },
        }
    )


def _beside(request: Request, port: int) -> str:
    """Ingest on the host that the client used for the API."""
    return str(request.base_url.replace(port=port)).rstrip("/")


@pages.get("/")
def root() -> Response:
    return _page("Runhue", "<p>An experiment tracker. This address is its API.</p>" + _links())


@pages.get("/{team}/{project}")
def project_page(team: str, project: str, request: Request) -> Response:
    return _project_page(team, project, request)


@pages.get("/{team}/{project}/{view}")
def project_view(team: str, project: str, view: str, request: Request) -> Response:  # noqa: ARG001
    """`/workspace`, `/sweeps` and the like, as the wandb client prints them: one page so far."""
    return _project_page(team, project, request)


@pages.get("/{team}/{project}/artifacts/{rest:path}")
def artifact_page(team: str, project: str, rest: str, request: Request) -> Response:  # noqa: ARG001
    """As the wandb client prints them."""
    return _project_page(team, project, request)


@pages.get("/{team}/{project}/runs/{run}")
def run_page(team: str, project: str, run: str, request: Request) -> Response:
    return _project_page(team, project, request, run)


def _project_page(team: str, project: str, request: Request, run: str = "") -> Response:
    """The same page for every name: whether there is such a project is told to keys only."""
    if team == "api":
        raise NotFound(f"nothing is at {request.url.path}", fix="/docs lists what is")
    places = (team, project, "runs", run) if run else (team, project, "runs")
    address = "/".join(["/api/v1/projects", *(quote(place, safe="") for place in places)])
    base = str(request.base_url).rstrip("/")
    name = "/".join(part for part in (team, project, run) if part)
    return _page(
        name,
        f"<p>Read <code>{escape(name)}</code> with an API key:</p>"
        f"<pre>curl -H 'Authorization: Bearer KEY' {escape(base + address)}</pre>" + _links(),
    )


def _links() -> str:
    return '<p><a href="/docs">API reference</a> &middot; <a href="/api/v1/server">This server</a></p>'


def _page(title: str, content: str) -> Response:
    page = PAGE.format(title=escape(title), content=content, version=escape(__version__))
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(page, headers=headers)
