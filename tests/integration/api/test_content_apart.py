"""The content's origin has nothing but content."""

from collections.abc import Iterator

import httpx
import pytest

from runhue_server.storage.content import content_url
from runhue_shared.settings import Settings, settings
from tests.conftest import forget_settings
from tests.integration.api.stored import Team

APP = "runhue.example.org"
APART = "content.example.net"


@pytest.fixture
def stranger(api_url: str) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def be(monkeypatch: pytest.MonkeyPatch, public: str, usercontent: str = "") -> Settings:
    """Serve under these addresses from now on."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", public)
    monkeypatch.setenv("RUNHUE_USERCONTENT_URL", usercontent)
    forget_settings()
    return settings()


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/api/v1/server", "/api/v1/viewer", "/main/x", "/healthz", "/graphql"],
)
def test_nothing_else_is_there(api: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The content's host answers 404 to every call, with a key too; the app's is as ever."""
    be(monkeypatch, f"https://{APP}", f"https://{APART}")

    for method in ("GET", "POST", "DELETE"):
        answer = api.request(method, path, headers={"Host": APART})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), method
    if path != "/graphql":
        assert api.get(path, headers={"Host": APP}, follow_redirects=True).status_code == 200


def test_content_is_there(
    stranger: httpx.Client, teams: tuple[Team, Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses of content answer there without a key, also when nothing is behind them."""
    be(monkeypatch, f"https://{APP}", f"https://{APART}")
    address = content_url(teams[0].id, b"x" * 32, 3, "a.png", "image/png")

    answer = stranger.get(httpx.URL(address).path, headers={"Host": APART})

    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
    assert stranger.get("/content/nothing", headers={"Host": APART}).json()["code"] == "address_refused"


def test_other_name_of_the_loopback(
    api: httpx.Client, stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs with a key work under both names; a browser is sent to the app's name."""
    be(monkeypatch, "http://127.0.0.1:8080")
    other = {"Host": "localhost:8080"}

    assert api.get("/api/v1/viewer", headers=other).status_code == 200
    moved = stranger.get("/main/digits?a=1", headers=other)
    assert (moved.status_code, moved.headers["location"]) == (307, "http://127.0.0.1:8080/main/digits?a=1")
    posted = stranger.post("/api/v1/projects", headers=other, json={"name": "x"})
    assert posted.json()["code"] == "not_found"
    assert stranger.get("/healthz", headers=other).status_code == 200
    assert stranger.get("/", headers={"Host": "127.0.0.1:8080"}).status_code == 200
    assert stranger.get("/content/nothing", headers=other).json()["code"] == "address_refused"


def test_one_origin(stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one origin only, everything is on it."""
    be(monkeypatch, f"https://{APP}")

    assert stranger.get("/", headers={"Host": APP}).status_code == 200
    assert stranger.get("/content/nothing", headers={"Host": APP}).json()["code"] == "address_refused"
