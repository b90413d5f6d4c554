"""`/storage` and `/files` by real requests, with bytes in a directory."""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runhue_server.storage import tokens
from runhue_server.storage.targets import BlobOnly, RunFileAt
from runhue_shared import db
from runhue_shared.blobs.store import ANYTHING, Expected
from runhue_shared.db import run_files
from runhue_shared.settings import Settings
from tests.integration.storage.logged_run import LoggedRun, log_run


def put(
    http: httpx.Client,
    run: LoggedRun,
    content: bytes,
    path: str = "a.txt",
    expected: Expected = ANYTHING,
    mimetype: str = "text/plain",
) -> httpx.Response:
    """Upload to the run by a signed address."""
    return http.put(
        tokens.put_path(run.team_id, RunFileAt(run.id, path, mimetype), expected), content=content
    )


def get(http: httpx.Client, run: LoggedRun, path: str = "a.txt", **headers: str) -> httpx.Response:
    """Download by names, with the run's key as the wandb client sends it."""
    address = f"/files/{run.team}/{run.project}/{run.name}/{path}"
    return http.get(address, auth=("api", run.key), headers=headers)


def count_files(directory: Path) -> int:
    """Files below a directory."""
    return sum(len(names) for _, _, names in os.walk(directory))


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_bytes_come_back(http: httpx.Client, run: LoggedRun, size: int) -> None:
    """What was put at a signed address is read back the same, also nothing at all."""
    content = os.urandom(size)

    assert put(http, run, content).status_code == 200

    answer = get(http, run)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_second_put_replaces(http: httpx.Client, run: LoggedRun) -> None:
    """A path names what was put there last, and putting twice has one effect."""
    put(http, run, b"old")

    for _ in range(2):
        put(http, run, b"new")

    with db.transaction() as tx:
        found = run_files.page(tx, run.id, 10)
    assert [(file.path, file.size) for file in found] == [("a.txt", 3)]
    assert get(http, run).content == b"new"


def test_same_bytes_are_stored_once(http: httpx.Client, run: LoggedRun, server_settings: Settings) -> None:
    """Two files of a team with the same content share their bytes on disk, and no upload is left over."""
    for path in ("a", "b/c", "a"):
        put(http, run, b"same", path)

    assert count_files(server_settings.data_dir / "blobs") == 1
    assert get(http, run, "b/c").content == b"same"


def test_disk_is_private(http: httpx.Client, run: LoggedRun, server_settings: Settings) -> None:
    """Stored bytes are readable by the server's account only."""
    put(http, run, b"secret", "../../../etc/passwd")

    for path in (server_settings.data_dir / "blobs").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("expected", "field"),
    [
        (Expected(size=4), "size"),
        (Expected(md5=b"x" * 16), "md5"),
        (Expected(sha256=b"x" * 32), "sha256"),
    ],
)
def test_wrong_bytes_are_refused(
    http: httpx.Client, run: LoggedRun, server_settings: Settings, expected: Expected, field: str
) -> None:
    """Bytes other than announced are refused with what differs, and nothing of them stays."""
    answer = put(http, run, b"abc", expected=expected)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "hash_mismatch",
        field,
    )
    assert get(http, run).status_code == 404
    assert count_files(server_settings.data_dir / "blobs") == 0


def test_content_md5_is_checked(http: httpx.Client, run: LoggedRun) -> None:
    """The header Content-MD5 is held against the bytes."""
    address = tokens.put_path(run.team_id, BlobOnly())
    right = base64.b64encode(hashlib.md5(b"abc", usedforsecurity=False).digest()).decode()

    assert http.put(address, content=b"abc", headers={"Content-MD5": right}).status_code == 200
    assert http.put(address, content=b"abd", headers={"Content-MD5": right}).status_code == 422
    assert http.put(address, content=b"abc", headers={"Content-MD5": "no"}).json()["code"] == "malformed"


def test_too_large_is_refused(
    http: httpx.Client, run: LoggedRun, monkeypatch: pytest.MonkeyPatch, server_settings: Settings
) -> None:
    """More bytes than the limit are refused, whether they were announced or not."""
    small = server_settings.model_copy(update={"max_file_bytes": 2000})
    monkeypatch.setattr("runhue_server.storage.routes.settings", lambda: small)

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100

    address = tokens.put_path(run.team_id, BlobOnly())
    for content in (b"x" * 3000, pieces()):
        answer = http.put(address, content=content)
        assert (answer.status_code, answer.json()["limit"]) == (413, 2000)
    assert http.put(address, content=b"x" * 2000).status_code == 200


def test_addresses_are_their_own_permission(http: httpx.Client, run: LoggedRun) -> None:
    """An address that was changed, is for the other direction, or is too old, opens nothing."""
    good = tokens.put_path(run.team_id, BlobOnly())
    old = tokens.PREFIX + tokens.sign(tokens.PutToken(run.team_id, BlobOnly(), 1))

    for bad in (
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good + "AAAA",
        old,
        "/storage/x",
        "/storage/%ff",
    ):
        answer = http.put(bad, content=b"abc")
        assert (answer.status_code, answer.json()["code"]) == (403, "address_refused"), bad
    assert http.get(good).status_code == 403
    assert http.put(tokens.get_path(1, b"x" * 32, 1, "a", "a/b"), content=b"").status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=3-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(
    http: httpx.Client, run: LoggedRun, asked: str, status: int, content: bytes, told: str | None
) -> None:
    """One range is answered as HTTP says; anything else with the whole."""
    put(http, run, b"0123456789")

    answer = get(http, run, Range=asked)

    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (
        status,
        content,
        told,
    )


def test_conditions_and_head(http: httpx.Client, run: LoggedRun) -> None:
    """The ETag saves a download, guards a range, and HEAD tells the size without the bytes."""
    put(http, run, b"0123456789")
    etag = get(http, run).headers["etag"]

    assert get(http, run, **{"If-None-Match": f'"x", {etag}'}).status_code == 304
    assert get(http, run, **{"If-Range": '"x"', "Range": "bytes=0-1"}).status_code == 200
    assert get(http, run, **{"If-Range": etag, "Range": "bytes=0-1"}).content == b"01"
    head = http.head(f"/files/{run.team}/{run.project}/{run.name}/a.txt", auth=("api", run.key))
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


@pytest.mark.parametrize(
    ("mimetype", "shown"),
    [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xml", "attachment"),
        ("image/png", "inline"),
        ("text/plain", "inline"),
        ("application/octet-stream", "attachment"),
    ],
)
def test_files_cannot_act_in_a_browser(http: httpx.Client, run: LoggedRun, mimetype: str, shown: str) -> None:
    """What may hold scripts is a download, and nothing runs as a page of this server."""
    put(http, run, b"<script>", "a b.x", mimetype=mimetype)

    headers = get(http, run, "a%20b.x").headers

    assert headers["content-disposition"] == f"{shown}; filename*=UTF-8''a%20b.x"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox"


def test_other_teams_see_nothing(http: httpx.Client, run: LoggedRun, server_settings: Settings) -> None:
    """A file is there only for keys of its team."""
    put(http, run, b"abc")
    theirs = log_run(server_settings, "others")

    for entity in (run.team, theirs.team):
        address = f"/files/{entity}/{run.project}/{run.name}/a.txt"
        assert http.get(address, auth=("api", theirs.key)).status_code == 404
    assert http.get(f"/files/{run.team}/{run.project}/{run.name}/a.txt").status_code == 401


def test_deleted_run_takes_nothing(http: httpx.Client, run: LoggedRun) -> None:
    """Uploads for a run that was deleted are refused for good."""
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")

    answer = put(http, run, b"abc")

    assert (answer.status_code, answer.json()["code"]) == (410, "run_deleted")


def test_address_for_reading(http: httpx.Client, run: LoggedRun) -> None:
    """A signed address reads the bytes without a key, and may be kept by caches."""
    put(http, run, b"abc")
    with db.transaction() as tx:
        file = run_files.page(tx, run.id, 1)[0]

    answer = http.get(tokens.get_path(run.team_id, file.sha256, 3, "a.txt", "text/plain"))

    assert (answer.status_code, answer.content) == (200, b"abc")
    assert "immutable" in answer.headers["cache-control"]
