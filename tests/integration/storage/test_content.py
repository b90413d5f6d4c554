"""Headers under which browsers get what users logged."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette

from runhue_server.storage import garbage, tokens
from runhue_server.storage.content import active_policy, content_routes, content_url
from runhue_server.storage.targets import RunFileAt, settle
from runhue_server.web.problems import install
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.db import run_files
from runhue_shared.settings import Settings
from tests.conftest import forget_settings
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import LoggedRun
from tests.serving import on_a_port

PAGE = b"<script>parent.document.cookie</script>"
APP = "https://runhue.example.org"
APART = "https://runhue-content.example.net"
ACTIVE = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; font-src data:;"
    " connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors https://runhue.example.org"
)


@pytest.fixture
def apart(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose content has an origin of its own."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", f"{APP}/runhue")
    monkeypatch.setenv("RUNHUE_USERCONTENT_URL", f"{APART}/")
    forget_settings()


@pytest.fixture
def http(server_settings: Settings) -> Iterator[httpx.Client]:
    """A client of the routes, as behind a proxy that passes the Host on."""
    app = Starlette(routes=content_routes())
    install(app)
    with on_a_port(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def shown(run: LoggedRun, content: bytes, name: str, mimetype: str, *, network: bool = False) -> str:
    """Address of a file of the run."""
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(content)
        stored = store.keep(run.team_id, spool)
    with db.transaction() as tx:
        settle(tx, run.team_id, RunFileAt(run.id, name, mimetype), stored)
    return content_url(run.team_id, stored.sha256, stored.size, name, mimetype, network=network)


def get(http: httpx.Client, address: str, host: str = "", **headers: str) -> httpx.Response:
    """Ask as a browser does that was given the address."""
    url = httpx.URL(address)
    return http.get(url.path, headers={"Host": host or url.netloc.decode(), **headers})


@pytest.mark.parametrize(
    ("name", "mimetype"),
    [("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.xhtml", "application/xhtml+xml")],
)
def test_active_content(apart: None, http: httpx.Client, run: LoggedRun, name: str, mimetype: str) -> None:
    """HTML and SVG are shown, in a sandbox without network, framed by the app alone."""
    address = shown(run, PAGE, f"media/html/{name}", mimetype)
    assert address.startswith(f"{APART}/content/")

    answer = get(http, address)

    assert (answer.status_code, answer.content) == (200, PAGE)
    headers = answer.headers
    assert headers["content-security-policy"] == ACTIVE
    assert headers["content-type"].partition(";")[0] == mimetype
    assert headers["content-disposition"] == "inline"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["access-control-allow-origin"] == APP
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["cache-control"] == "private, max-age=86400, immutable"
    assert "set-cookie" not in headers


def test_network_when_the_project_allows(apart: None, http: httpx.Client, run: LoggedRun) -> None:
    """HTML of a project that allows it loads over https; everything else stays as it is."""
    answer = get(http, shown(run, PAGE, "a.html", "text/html", network=True))

    assert answer.headers["content-security-policy"] == (
        "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
        " script-src 'unsafe-inline' 'unsafe-eval' https:;"
        " style-src 'unsafe-inline' https:; img-src data: blob: https:; media-src data: blob: https:;"
        " font-src data: https:; connect-src https:; form-action 'none'; base-uri 'none';"
        f" frame-ancestors {APP}"
    )


@pytest.mark.parametrize(
    ("name", "mimetype", "disposition"),
    [
        ("a.png", "image/png", "inline"),
        ("a.wav", "audio/wav", "inline"),
        ("a.mp4", "video/mp4", "inline"),
        ("a.json", "application/json", "inline"),
        ("a.txt", "text/plain", "inline"),
        ("a.xml", "text/xml", "attachment"),
        ("a.js", "text/javascript", "attachment"),
        ("a.glb", "model/gltf-binary", "attachment"),
        ("a.npy", "application/octet-stream", "attachment"),
    ],
)
def test_other_content(
    apart: None, http: httpx.Client, run: LoggedRun, name: str, mimetype: str, disposition: str
) -> None:
    """All else may do nothing at all, and what a browser could run is a download."""
    answer = get(http, shown(run, PAGE, name, mimetype))

    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-disposition"].partition(";")[0] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["access-control-allow-origin"] == APP


def test_ranges_and_caches(apart: None, http: httpx.Client, run: LoggedRun) -> None:
    """Media can be sought in, and what a browser has it need not load again."""
    address = shown(run, b"0123456789", "a.mp4", "video/mp4")

    part = get(http, address, Range="bytes=2-4")
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    tag = part.headers["etag"]
    again = get(http, address, **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == "sandbox; default-src 'none'"
    asked = http.options(httpx.URL(address).path)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == APP
    assert "Range" in asked.headers["access-control-allow-headers"]


def test_active_content_leaves_the_apps_origin(apart: None, http: httpx.Client, run: LoggedRun) -> None:
    """Asked on the app's own host, a page is shown on the other one; what cannot act is sent."""
    page = shown(run, PAGE, "a.html", "text/html")
    image = shown(run, b"image", "a.png", "image/png")

    moved = get(http, page, host="runhue.example.org")

    assert (moved.status_code, moved.headers["location"]) == (307, page)
    assert get(http, image, host="runhue.example.org").status_code == 200


@pytest.mark.parametrize(
    ("public", "content"),
    [
        ("http://127.0.0.1:8080", "http://localhost:8080"),
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://localhost:8080"),
        ("http://localhost", "http://127.0.0.1"),
        ("https://runhue.example.org", "https://runhue.example.org"),
        ("", ""),
    ],
)
def test_without_an_origin_of_its_own(
    http: httpx.Client, run: LoggedRun, monkeypatch: pytest.MonkeyPatch, public: str, content: str
) -> None:
    """Content is on the loopback's other name, or, as the policy keeps it apart too, on the app's origin."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", public)
    forget_settings()

    address = shown(run, PAGE, "a.html", "text/html")
    answer = http.get(httpx.URL(address).path)

    assert address.startswith(f"{content}/content/")
    assert answer.headers["content-security-policy"] == active_policy(public, network=False)
    expected = "same-origin" if public == content else "cross-origin"
    assert answer.headers["cross-origin-resource-policy"] == expected
    assert answer.headers.get("access-control-allow-origin") == (None if public == content else public)


def test_addresses_are_their_own_permission(http: httpx.Client, run: LoggedRun) -> None:
    """An address for one purpose opens nothing else, nor does one that was changed."""
    address = httpx.URL(shown(run, PAGE, "a.html", "text/html")).path
    download = tokens.get_path(run.team_id, b"x" * 32, 1, "a.html", "text/html")

    for bad in (address[:-8] + "AAAAAAAA", download.replace("/storage/", "/content/"), "/content/x"):
        assert http.get(bad).json()["code"] == "address_refused"


def test_deleted_content(http: httpx.Client, run: LoggedRun) -> None:
    """What was deleted and removed is not there; that is no fault of the server."""
    address = httpx.URL(shown(run, PAGE, "a.html", "text/html")).path
    with db.transaction() as tx:
        run_files.remove(tx, run.id, "a.html")
    garbage.collect_all(0.0)

    answer = http.get(address)

    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


def test_never_from_the_bucket(
    http: httpx.Client, run: LoggedRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also large content is sent by us: a bucket would leave out the policy."""
    bucket.use(monkeypatch)
    address = shown(run, PAGE * 100_000, "a.html", "text/html")

    answer = http.get(httpx.URL(address).path)

    assert (answer.status_code, len(answer.content)) == (200, len(PAGE) * 100_000)
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts allow-popups")
