"""Color settings, workspaces, keys and connections that are wrong: refused clearly, and bounded in time."""

import base64
import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from runhue_shared.db import keys
from runhue_shared.events import encode_batch
from tests.acceptance.bad_input import PROJECT, Doors, only_the_good_rows, refused
from tests.builders import batch_of

pytestmark = pytest.mark.stack

HALF = "\\ud800"
BODY, RAW_LENGTH = encode_batch(batch_of([(1, {"loss": 0.5})], 1))


@pytest.fixture(scope="module")
def coloring(shared_doors: Doors) -> str:
    """Path of the default workspace's colors."""
    shared_doors.writer("colored")
    workspace = shared_doors.get("")["default_workspace"]
    return f"/api/v1/workspaces/{workspace}/coloring"


def put(doors: Doors, coloring: str, body: Any, tag: str = "*") -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"If-Match": tag, "Content-Type": "application/json"}
    return doors.api.put(f"{coloring}/settings", content=content, headers=headers)


SETTINGS: list[tuple[Any, str]] = [
    ({"buckets": True}, "buckets"),
    ({"buckets": 4.0}, "buckets"),
    ({"buckets": "4"}, "buckets"),
    ({"buckets": 9}, "buckets"),
    ({"colour": 1}, "colour"),
    ({"key": "loss"}, "key"),
    ({"key": {"source": "metric"}}, "key"),
    ({"key": {"source": "sky", "name": "loss"}}, "key"),
    ({"key": {"source": "metric", "name": "a", "color": 1}}, "key"),
    ({"key": {"source": "metric", "name": "a", "type": "color"}}, "key.type"),
    ({"key": {"source": "metric", "name": "a\0"}}, "key"),
    ({"key": {"source": "config", "name": "k" * 501}}, "key"),
    ({"y": "median"}, "y"),
    ({"scale": "custom", "boundaries": [1, 1, 1, 1, 1]}, "boundaries"),
    ('{"scale": "custom", "boundaries": [1, 2, NaN, 4, 5]}', "boundaries"),
    ('{"scale": "custom", "boundaries": [1, 2, 3, 4, 1e999]}', "boundaries"),
    ({"range": {"min": "a"}}, "range"),
    ({"overrides": {"colored": "red"}}, "overrides"),
    ({"overrides": ["colored"]}, "overrides"),
    ({"midpoint": 1e308}, "midpoint"),
    ('{"midpoint": ' + "1" * 400 + "}", "midpoint"),
    ({"reverse": 1}, "reverse"),
]


@pytest.mark.parametrize(("body", "field"), SETTINGS)
def test_color_settings(doors: Doors, coloring: str, body: Any, field: str) -> None:
    """Settings that contradict themselves are refused by field, and those in force stay."""
    before = doors.api.get(f"{coloring}/settings").json()

    refused(put(doors, coloring, body), 422, "invalid_settings", field)

    assert doors.api.get(f"{coloring}/settings").json() == before


@pytest.mark.parametrize(
    "body", [f'{{"{HALF}": 1}}', f'{{"key": {{"source": "metric", "name": "{HALF}"}}}}', "[]", "{"]
)
def test_color_settings_that_are_no_settings(doors: Doors, coloring: str, body: str) -> None:
    """What is no JSON object of whole characters is refused as a body."""
    refused(put(doors, coloring, body), 422, "invalid_request", "body")


@pytest.mark.parametrize("tag", ["garbage", '"999"', 'W/"1"', '"' + "9" * 5000 + '"', '""', '"-1"'])
def test_tag_of_other_settings(doors: Doors, coloring: str, tag: str) -> None:
    """Settings change only under the tag in force, or none of them."""
    refused(put(doors, coloring, {"buckets": 3}, tag), 412, "settings_changed", "If-Match")


def test_no_tag(doors: Doors, coloring: str) -> None:
    """Without If-Match nobody overwrites anybody."""
    refused(doors.api.put(f"{coloring}/settings", json={}), 428, "precondition_required", "If-Match")


@pytest.mark.parametrize(
    ("query", "field", "code", "status"),
    [
        ("after=garbage", "after", "invalid_cursor", 422),
        ("after=W10", "after", "invalid_cursor", 422),
        ("version=-1", "version", "invalid_request", 422),
        (f"version={2**70}", "version", "invalid_request", 422),
        ("version=777777", "version", "version_gone", 410),
        ("limit=1000000000", "limit", "invalid_request", 422),
        ("theme=blue", "theme", "invalid_request", 422),
        ("runs=[", "runs", "invalid_request", 422),
    ],
)
def test_question_about_colors(
    doors: Doors, coloring: str, query: str, field: str, code: str, status: int
) -> None:
    """A question about colors that means nothing is refused by name."""
    refused(doors.api.get(f"{coloring}?{query}"), status, code, field)


def test_tag_that_nobody_gave(doors: Doors, coloring: str) -> None:
    """An unknown If-None-Match gets the colors."""
    assert doors.api.get(coloring, headers={"If-None-Match": "garbage"}).status_code == 200


WORKSPACES: list[tuple[Any, str, str]] = [
    ({"name": "a\0"}, "name", "invalid_request"),
    ({"name": ""}, "name", "invalid_request"),
    ({"name": "w", "search": "a\0"}, "search", "invalid_request"),
    ({"name": "w", "search": "["}, "search", "invalid_filter"),
    ({"name": "w", "hidden_runs": ["a\0"]}, "hidden_runs.0", "invalid_request"),
    ({"name": "w", "hidden_runs": "a"}, "hidden_runs", "invalid_request"),
    ({"name": "w", "filter": {"name": {"$regex": "("}}}, "name", "invalid_filter"),
    ({"name": "w", "filter": {"$where": 1}}, "filter.$where", "invalid_filter"),
    ({"name": "w", "filter": []}, "filter", "invalid_request"),
    ({"name": "w", "color_settings": {"buckets": True}}, "color_settings.buckets", "invalid_settings"),
    ({"name": "w", "color": 1}, "color", "invalid_request"),
]


@pytest.mark.parametrize(("body", "field", "code"), WORKSPACES)
def test_new_workspace(doors: Doors, coloring: str, body: Any, field: str, code: str) -> None:
    """A workspace that could not be shown is not made."""
    before = doors.get("/workspaces")

    answer = doors.api.post(f"/api/v1/projects/main/{PROJECT}/workspaces", json=body)

    refused(answer, 422, code, field)
    assert doors.get("/workspaces") == before


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        r"^(a*)*\1$",
        r"(a*)(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5\6b",
        "(" * 300 + "a" + ")*" * 300,
        "(?=.*a)(?=.*b)" * 60,
        r"^(a|aa|aaa)*(b|\1)*\1{5}c$",
    ],
)
def test_pattern_that_explodes(doors: Doors, pattern: str) -> None:
    """A pattern that is exponential elsewhere is answered or refused in bounded time; others are served."""
    doors.writer("exploding", name="a" * 100 + "!", notes="a" * 20_000 + "!")

    for query in ({"search": pattern}, {"filter": json.dumps({"notes": {"$regex": pattern}})}):
        answer = doors.api.get(f"/api/v1/projects/main/{PROJECT}/runs", params=query)
        if answer.status_code != 200:
            refused(answer, 422, "filter_too_slow", "filter", 10)
        assert answer.elapsed.total_seconds() < 15


# Keys


def stored_key(doors: Doors, team: str, scope: keys.Scope, age: timedelta) -> str:
    """A key that was good until `age` ago."""
    pepper = (doors.stack.data_dir / keys.PEPPER_FILE).read_bytes()
    with psycopg.connect(doors.stack.database_url) as tx:
        owner = keys.team_id(tx, team)
        return keys.create(tx, owner, "k", [scope], pepper, expires_at=datetime.now(UTC) - age)


def basic(password: bytes) -> str:
    return "Basic " + base64.b64encode(b"user:" + password).decode()


HEADERS = [
    "", "Bearer", "Bearer nobody", "Token abc", "Basic ???", "Bearer " + "x" * 100_000,
    basic(b""), basic(b"\0"), basic(b"a\0b"), basic("é☃".encode()), basic(b"\xff\xfe"),
    basic(b"'; DROP TABLE run; --"),
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=[header[:20] for header in HEADERS])
def test_no_key(doors: Doors, header: str) -> None:
    """A header without a good key is told so on every door, and nothing else."""
    for client, method, path in (
        (doors.api, "GET", "/api/v1/viewer"),
        (doors.wire.http, "POST", "/ingest/v1/runs"),
        (doors.wire.http, "POST", "/ingest/v1/writers/1/batches?seq_lo=0&seq_hi=0"),
        (doors.wire.http, "POST", "/ingest/v1/writers/1/heartbeat"),
    ):
        answer = client.request(method, path, headers={"Authorization": header})
        refused(answer, 401, "unauthenticated", None)
        assert "Bearer" in answer.headers["www-authenticate"]


def test_key_of_another_time_team_or_scope(doors: Doors) -> None:
    """An expired key is no key, another team's sees nothing of ours, and a scope is all a key has."""
    expired = stored_key(doors, "main", "admin", timedelta(seconds=1))
    theirs = stored_key(doors, "them", "admin", timedelta(days=-1))
    reader = stored_key(doors, "main", "read", timedelta(days=-1))
    writer = doors.writer(doors.new_run())

    def ask(key: str, client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
        return client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **more)

    batch = f"/ingest/v1/writers/{writer}/batches?seq_lo=0&seq_hi=0"
    project = f"/api/v1/projects/main/{PROJECT}"
    refused(ask(expired, doors.api, "GET", project), 401, "unauthenticated", None)
    refused(ask(expired, doors.wire.http, "POST", batch), 401, "unauthenticated", None)
    refused(ask(theirs, doors.api, "GET", project), 404, "project_not_found", "project")
    refused(
        ask(theirs, doors.wire.http, "POST", batch.replace("batches?seq_lo=0&seq_hi=0", "heartbeat")),
        404,
        "writer_not_found",
        None,
    )
    refused(ask(reader, doors.api, "DELETE", f"{project}/runs/colored"), 403, "forbidden", "scopes")
    refused(ask(reader, doors.wire.http, "POST", batch), 403, "forbidden", "scopes")
    assert doors.get("/runs/colored")["id"] == "colored"


# Connections


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    address = urlsplit(url)
    with closing(socket.create_connection((address.hostname or "", address.port or 0), timeout=30)) as held:
        yield held


def batch_head(doors: Doors, writer: int, *headers: str) -> bytes:
    """The head of a good batch of seq 1, with these headers about its length."""
    lines = (
        f"POST /ingest/v1/writers/{writer}/batches?seq_lo=1&seq_hi=1 HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {doors.stack.api_key}",
        f"X-Runhue-CRC32: {zlib.crc32(BODY)}",
        f"X-Runhue-Raw-Length: {RAW_LENGTH}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def exchange(doors: Doors, content: bytes) -> bytes:
    """Everything that ingest answers to bytes after which the client says no more."""
    with connection(doors.stack.ingest_url) as held:
        held.sendall(content)
        held.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: held.recv(65536), b""))


LIES: list[tuple[str, tuple[str, ...], bytes, tuple[bytes, ...]]] = [
    ("more than came", (f"Content-Length: {len(BODY) + 100}",), BODY, (b"",)),
    ("less than came", (f"Content-Length: {len(BODY) - 5}",), BODY, (b"422", b"400")),
    ("words", ("Content-Length: many",), BODY, (b"400",)),
    ("negative", ("Content-Length: -5",), BODY, (b"400",)),
    ("two of them", (f"Content-Length: {len(BODY)}", "Content-Length: 3"), BODY, (b"400",)),
    ("beyond 2^64", (f"Content-Length: {2**70}",), BODY, (b"400", b"413")),
    ("a terabyte", (f"Content-Length: {2**40}",), BODY, (b"413",)),
    ("length and chunks", ("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n", (b"400",)),
    ("chunks that are none", ("Transfer-Encoding: chunked",), b"zz\r\n" + BODY, (b"400", b"")),
]  # fmt: skip


@pytest.mark.parametrize(("lie", "body", "statuses"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_length_that_lies(
    doors: Doors, lie: tuple[str, ...], body: bytes, statuses: tuple[bytes, ...]
) -> None:
    """A body of another length than told is stored in no part, and the next batch is taken."""
    run = doors.new_run()

    def send(writer: int) -> httpx.Response:
        head, _, _ = exchange(doors, batch_head(doors, writer, *lie) + body).partition(b"\r\n")
        assert head.split(b" ")[1:2] in [[status] if status else [] for status in statuses]
        return httpx.Response(400)

    doors.log_around(run, send)

    doors.settled(run)
    only_the_good_rows(doors, run)


def test_half_of_a_body_and_gone(doors: Doors) -> None:
    """Clients that vanish in the middle of their bodies leave nothing behind."""
    run = doors.new_run()

    def vanish(writer: int) -> httpx.Response:
        for _ in range(20):
            with connection(doors.stack.ingest_url) as held:
                held.sendall(batch_head(doors, writer, f"Content-Length: {len(BODY)}") + BODY[:10])
        return httpx.Response(400)

    doors.log_around(run, vanish)

    doors.settled(run)
    only_the_good_rows(doors, run)


@pytest.mark.parametrize("filler", [b"y" * 65_000, b"X-A: b\r\n" * 8_000], ids=["one", "many"])
@pytest.mark.parametrize("service", ["api", "ingest"])
def test_headers_without_end(doors: Doors, service: str, filler: bytes) -> None:
    """Headers beyond what any client needs are refused before they fill the memory."""
    url = doors.stack.api_url if service == "api" else doors.stack.ingest_url
    with connection(url) as held:
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: ")
        taken = 0
        try:
            while taken < 64 * 2**20:
                held.sendall(filler)
                taken += len(filler)
        except OSError:  # it hung up
            pass
    assert taken < 16 * 2**20


def test_large_headers(doors: Doors) -> None:
    """Headers of 2 MB get an answer that says so; those of 100 kB are taken."""
    lines = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: "
    with connection(doors.stack.api_url) as held:
        held.sendall(lines + b"y" * 2**20)
        head, _, body = held.recv(65536).partition(b"\r\n\r\n")

    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 431 ")
    assert (problem["code"], problem["field"], problem["limit"]) == ("headers_too_large", "headers", 2**20)
    assert problem["fix"]
    filler = {"X-Filler": "y" * 100_000}
    assert doors.api.get("/api/v1/viewer", headers=filler).status_code == 200
    assert doors.wire.http.get("/healthz", headers=filler).status_code == 200
