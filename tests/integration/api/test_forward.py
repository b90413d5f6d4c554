"""What the wandb client asks of the API goes to the gateway as it came, and its answer comes back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runhue_server.api.app import create_app
from runhue_shared.settings import Settings, settings
from tests.serving import on_a_port

MEBIBYTE = 1024 * 1024


async def echo(request: Request) -> Response:
    """Tells what arrived."""
    body = await request.body()
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": dict(request.headers),
            "size": len(body),
            "begins": body[:20].decode("latin-1"),
        },
        status_code=int(request.headers.get("x-answer", "200")),
        headers={"X-Told": "yes", "Retry-After": "7"},
    )


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """Serve on a free port; gives the port."""
    with on_a_port(app) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture
def gateway(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An echo where the API looks for the gateway."""
    with serving(
        Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "HEAD"])])
    ) as port:
        monkeypatch.setenv("RUNHUE_GATEWAY_PORT", str(port))
        settings.cache_clear()
        yield port


@pytest.fixture
def api(gateway: int) -> Iterator[httpx.Client]:
    with (
        serving(create_app()) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/graphql",
        "/files/team/project/run/file_stream",
        "/files/team/project/run/a%20b%2Fc.txt?x=%20y&x=2",
        "/artifactsV2/default/team/project/coll/abc/0af/name",
        "/artifacts/team/0af",
        "/authorize?ref=models",
        "/sdk/otel/v1/metrics",
        "/oidc/token",
        "/ready",
    ],
)
def test_path_goes_on_as_it_was_written(api: httpx.Client, path: str) -> None:
    """Escapes and repeated parameters are the client's."""
    seen = api.get(path).json()

    assert seen["path"] + ("?" + seen["query"] if seen["query"] else "") == path


def test_a_doubled_slash_is_one(api: httpx.Client) -> None:
    """The oldest clients put `/graphql` behind an address that ends with a slash."""
    assert api.get(f"{api.base_url}//graphql").json()["path"] == "/graphql"


def test_request_and_answer_are_whole(api: httpx.Client) -> None:
    """Method, headers, host, body, status and headers of the answer."""
    headers = {
        "Authorization": "Basic abc",
        "Content-Encoding": "gzip",
        "X-Answer": "429",
        "Host": "tracker:80",
    }
    answer = api.post("/graphql", content=b"not really gzip", headers=headers)
    seen = answer.json()

    assert (answer.status_code, answer.headers["X-Told"], answer.headers["Retry-After"]) == (429, "yes", "7")
    assert (seen["method"], seen["begins"]) == ("POST", "not really gzip")
    assert {name: seen["headers"][name] for name in ("authorization", "content-encoding", "host")} == {
        "authorization": "Basic abc",
        "content-encoding": "gzip",
        "host": "tracker:80",
    }


@pytest.mark.parametrize("declared", [True, False])
def test_large_body_passes_through(api: httpx.Client, declared: bool) -> None:
    """With a length or in chunks; the API's own limit on bodies is not the gateway's."""
    size = 30 * MEBIBYTE
    pieces = (b"x" * MEBIBYTE for _ in range(30))
    headers = {"Content-Length": str(size)} if declared else {}
    answer = api.put("/artifacts/team/0af", content=pieces, headers=headers)

    assert answer.json()["size"] == size


@pytest.mark.parametrize("path", ["/storage/token-_.", "//storage/token"])
def test_stored_bytes_are_answered_here(api: httpx.Client, path: str) -> None:
    """Signed addresses mean the same at every service: bytes take no second way through the gateway."""
    answer = api.get(f"{api.base_url}".rstrip("/") + path)

    assert (answer.status_code, answer.json()["code"]) == (403, "address_refused")
    assert "X-Told" not in answer.headers


def test_pages_and_api_are_not_forwarded(api: httpx.Client) -> None:
    """A team's pages and everything under /api are answered here."""
    for path in ("/", "/team/project", "/team/graphql", "/api/v1/server", "/graphql2/x"):
        assert "X-Told" not in api.get(path).headers


def test_gateway_that_is_away_is_busy(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After: the client keeps its data and comes again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        monkeypatch.setenv("RUNHUE_GATEWAY_PORT", str(taken.getsockname()[1]))
        settings.cache_clear()
        with serving(create_app()) as port:
            answer = httpx.post(f"http://127.0.0.1:{port}/files/t/p/r/file_stream", json={}, timeout=30)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["code"] == "unavailable"


def test_address_with_a_path_is_known(gateway: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind http://host/pre/fix the client asks for /pre/fix/graphql."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", "http://host/pre/fix/")
    settings.cache_clear()
    with serving(create_app()) as port:
        seen = httpx.get(f"http://127.0.0.1:{port}/pre/fix/graphql", timeout=30).json()

        stored = httpx.get(f"http://127.0.0.1:{port}/pre/fix/storage/token", timeout=30)

    assert seen["path"] == "/pre/fix/graphql"
    assert stored.json()["code"] == "address_refused"
