"""Who may do what, what every route refuses, and what needs no key."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from runhue_server.api.app import create_app
from runhue_server.api.models_runs import ProjectDetail, Projects, Server, Viewer
from runhue_server.api.requests import MAX_BODY_BYTES
from tests.integration.api.stored import Stored, Team, bearer

FILLED = {
    "team": "ours",
    "project": "mnist",
    "run": "r1",
    "workspace": "1",
    "legend_id": "x",
    "key_id": "1",
    "path": "a",
    "collection": "model",
    "version": "v0",
    "key": "chart",
    "preset": "wandb/line/v0",
    "upload_id": "0123456789abcdef",
    "number": "1",
}


BODIES: dict[str, dict[str, Any]] = {
    "/uploads": {"path": "a.bin", "size": 1},
    "/runs/{run}": {},
    "/settings": {},
    "/workspaces": {"name": "x"},
}
"""What a route takes, by the end of its path."""


class Operation(NamedTuple):
    """A route that needs a key, and the query parameters it cannot do without."""

    method: str
    path: str
    needed: dict[str, str]

    @property
    def body(self) -> dict[str, Any] | None:
        """A body that is good enough to get past its check."""
        if self.method in ("GET", "DELETE"):
            return None
        return next((body for end, body in BODIES.items() if self.path.endswith(end)), None)


def operations() -> list[Operation]:
    """Every route that needs a key."""
    document = create_app().openapi()
    return [
        Operation(method.upper(), path, _needed(operation))
        for path, found in document["paths"].items()
        for method, operation in found.items()
        if operation["security"]
    ]


def _needed(operation: dict[str, Any]) -> dict[str, str]:
    return {
        parameter["name"]: "x"
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and parameter.get("required")
    }


def filled(path: str) -> str:
    return path.format(**FILLED)


@pytest.fixture
def stranger(api_url: str) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def test_every_route_needs_a_key(project: Stored, stranger: httpx.Client) -> None:
    """Without a key, or with one that nobody made, every route answers 401 with a challenge."""
    for headers in ({}, bearer("0" * 40), {"Authorization": "Basic bm90"}):
        for method, path, _ in operations():
            answer = stranger.request(method, filled(path), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
            assert "Bearer" in answer.headers["www-authenticate"]


def test_readers_change_nothing(project: Stored, teams: tuple[Team, Team], stranger: httpx.Client) -> None:
    """A key with scope read is refused wherever something would change."""
    changing = [(method, path) for method, path, _ in operations() if method != "GET"]
    assert len(changing) == 21
    for method, path in changing:
        answer = stranger.request(method, filled(path), headers=bearer(teams[0].reader), json={"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)


def test_other_teams_see_nothing(them: httpx.Client, project: Stored) -> None:
    """With another team's key a project is not there, on any route, and its own list is empty."""
    project.add_run("r1")
    for asked in operations():
        if "{project}" in asked.path:
            answer = them.request(asked.method, filled(asked.path), params=asked.needed, json=asked.body)
            assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found"), asked
    assert Projects.model_validate(them.get("/api/v1/projects").json()).projects == []


def test_missing_runs_are_not_found(api: httpx.Client, project: Stored) -> None:
    """Every route of a run that is not there says so."""
    for asked in operations():
        if "{run}" in asked.path and asked.method != "DELETE":
            answer = api.request(asked.method, filled(asked.path), params=asked.needed, json=asked.body)
            assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), asked


def test_every_route_refuses_unknown_parameters(api: httpx.Client, project: Stored) -> None:
    """A query parameter that a route does not know is refused by name, everywhere."""
    for method, path, _ in operations():
        answer = api.request(method, filled(path), params={"nonsense": "1"}, json={"name": "x"})
        assert (answer.status_code, answer.json()["field"]) == (422, "nonsense"), (method, path)


def test_server_needs_no_key(stranger: httpx.Client, project: Stored) -> None:
    """One address is enough: the API names itself, ingest, and the limits."""
    server = Server.model_validate(stranger.get("/api/v1/server").json())

    assert server.api_url == str(stranger.base_url).rstrip("/")
    assert server.ingest_url == "http://127.0.0.1:8081"
    assert server.limits["max_request_bytes"] == MAX_BODY_BYTES


def test_viewer(api: httpx.Client, stranger: httpx.Client, teams: tuple[Team, Team]) -> None:
    """A key is told what it is, also when it comes as a password."""
    bearer_answer = Viewer.model_validate(api.get("/api/v1/viewer").json())
    basic = stranger.get("/api/v1/viewer", auth=("anyone", teams[0].reader)).json()

    assert (bearer_answer.team, bearer_answer.scopes, bearer_answer.key_name) == ("ours", ["admin"], "admin")
    assert (basic["team"], basic["scopes"]) == ("ours", ["read"])


def test_projects(api: httpx.Client) -> None:
    """Projects are listed by name, a page at a time, each with what goes on in it."""
    for name in ("b", "a", "ä", "C"):
        assert api.post("/api/v1/projects", json={"name": name}).status_code == 201

    found: list[str] = []
    cursor: str | None = None
    while True:
        page = api.get(
            "/api/v1/projects", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
        ).json()
        found += [project.name for project in Projects.model_validate(page).projects]
        cursor = page["next"]
        if cursor is None:
            break

    assert found == ["C", "a", "b", "ä"]
    detail = ProjectDetail.model_validate(api.get("/api/v1/projects/ours/ä").json())
    assert (detail.runs, detail.running, detail.last_activity) == (0, 0, None)
    assert detail.default_workspace > 0
    assert api.post("/api/v1/projects", json={"name": "a"}).json()["code"] == "project_exists"


@pytest.mark.parametrize("name", ["", "a/b", "a?b", "x" * 129, "a\n", None, 3])
def test_names_of_projects(api: httpx.Client, name: Any) -> None:
    """A name that no address could carry is refused."""
    answer = api.post("/api/v1/projects", json={"name": name})

    assert (answer.status_code, answer.json()["field"]) == (422, "name")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"x" * (MAX_BODY_BYTES + 1), 413, "body_too_large"),
        (b"[" * 100_000, 422, "invalid_request"),
        (b'{"name":' + b'{"a":' * 100 + b"1" + b"}" * 101, 422, "invalid_request"),
        (b"{", 422, "invalid_request"),
        (b"\xff\xfe", 422, "invalid_request"),
        (b"", 422, "invalid_request"),
        (b'{"name": "x", "name": 1e999, "y": NaN}', 422, "invalid_request"),
    ],
)
def test_hostile_bodies(api: httpx.Client, content: bytes, status: int, code: str) -> None:
    """Bodies that are large, deep or no JSON are refused quickly and in words."""
    answer = api.post("/api/v1/projects", content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_bodies_without_a_length_are_bounded(api: httpx.Client) -> None:
    """A body that comes in pieces without end is cut off at the limit."""
    endless = (b" " * 65_536 for _ in range(10_000))

    try:
        status = api.post("/api/v1/projects", content=endless).status_code
    except httpx.WriteError:  # the server answered and closed while we were still sending
        status = 413

    assert status == 413


@pytest.mark.parametrize("path", ["/", "/ours/mnist", "/ours/mnist/runs/r1", "/<script>/x"])
def test_pages_for_people(stranger: httpx.Client, teams: tuple[Team, Team], path: str) -> None:
    """A person who opens an address learns what this is and where the reference stands."""
    answer = stranger.get(path)

    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/docs"' in answer.text
    assert "<script>" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_health_and_reference(stranger: httpx.Client, teams: tuple[Team, Team]) -> None:
    """Probes, metrics and the reference are open."""
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").json()["status"] == "ready"
    assert "python_info" in stranger.get("/metrics").text
    assert stranger.get("/docs").status_code == 200
    assert json.loads(stranger.get("/openapi.json").text)["info"]["title"] == "Runhue API"


def test_unknown_paths(api: httpx.Client) -> None:
    """What there is not is a problem like any other."""
    missing, wrong = api.get("/api/v1/nothing/there/at/all"), api.delete("/api/v1/viewer")

    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/runs/r1"])
def test_no_page_stands_where_the_api_is(stranger: httpx.Client, path: str) -> None:
    """A path under /api that is no route is a problem, not a page about a project called v1."""
    answer = stranger.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_reference_needs_no_other_server(stranger: httpx.Client) -> None:
    """Everything that /docs loads comes from this server, so it works without the internet."""
    page = stranger.get("/docs").text

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len(loaded) >= 2
    assert [stranger.get(address).status_code for address in loaded] == [200] * len(loaded)


def test_metrics_tell_of_requests_and_waiting_work(api: httpx.Client, project: Stored) -> None:
    """Requests are counted by their route's template, and the database says what waits."""
    for name in ("mnist", "unheard-of"):
        api.get(f"/api/v1/projects/ours/{name}")

    told = api.get("/metrics").text

    route = 'route="/api/v1/projects/{team}/{project}"'
    assert re.search(
        rf'runhue_api_requests_total{{method="GET",{re.escape(route)},status="200"}} [1-9]', told
    )
    assert re.search(
        rf'runhue_api_requests_total{{method="GET",{re.escape(route)},status="404"}} [1-9]', told
    )
    assert "unheard-of" not in told
    for gauge in ("inbox_batches", "inbox_oldest_seconds", "stopped_partitions", "dead_letters"):
        assert re.search(rf"^runhue_{gauge} [0-9.]+$", told, re.MULTILINE)
