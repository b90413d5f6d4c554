"""Uploads that meet trouble: slow clients, ones that hang up, a full disk, a database that is away."""

import errno
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from runhue_server.storage import receive, routes, tokens
from runhue_server.storage.targets import RunFileAt
from runhue_shared import db
from runhue_shared.blobs.spool import Spool
from runhue_shared.db import run_files
from runhue_shared.settings import Settings
from tests.integration.storage.logged_run import LoggedRun

PATIENCE_SECONDS = 20.0


def address(run: LoggedRun) -> str:
    return tokens.put_path(run.team_id, RunFileAt(run.id, "a.txt", "text/plain"))


def connect(http: httpx.Client) -> socket.socket:
    """A bare connection to the server."""
    where = urlsplit(str(http.base_url))
    assert where.hostname is not None
    return socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE_SECONDS)


def nothing_stays(run: LoggedRun, settings: Settings) -> None:
    """Neither bytes nor rows are left, at once or soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [path for path in (settings.data_dir / "blobs").rglob("*") if path.is_file()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
    with db.transaction() as tx:
        assert run_files.count(tx, run.id) == 0


def test_hanging_up(http: httpx.Client, run: LoggedRun, server_settings: Settings) -> None:
    """A client that hangs up in the middle leaves nothing."""
    with connect(http) as client:
        client.sendall(f"PUT {address(run)} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode())
        client.sendall(b"x" * 3_000_000)
        incoming = server_settings.data_dir / "blobs" / "incoming"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(incoming.glob("*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    nothing_stays(run, server_settings)


def test_slow_clients_are_told_to_come_again(
    http: httpx.Client, run: LoggedRun, server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that does not come in time is answered 503 with Retry-After, and the connection ends."""
    monkeypatch.setattr(receive, "GRACE_SECONDS", 0.2)
    with connect(http) as client:
        client.sendall(f"PUT {address(run)} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
        answer = b""
        while piece := client.recv(65_536):
            answer += piece

    head = answer.lower()
    assert head.startswith(b"http/1.1 503")
    assert b"retry-after:" in head
    assert b"upload_timeout" in head
    nothing_stays(run, server_settings)


def test_asking_before_sending(http: httpx.Client, run: LoggedRun) -> None:
    """A client that waits for 100 Continue gets it, or the refusal before it sent a byte."""
    refused = "/storage/nonsense"
    for path, first in ((address(run), b"100 Continue"), (refused, b"403 Forbidden")):
        with connect(http) as client:
            head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
            client.sendall(head.encode())
            assert first in client.recv(65_536)
            if path != refused:
                client.sendall(b"abc")
                assert b"200 OK" in client.recv(65_536)


def test_full_disk(
    http: httpx.Client, run: LoggedRun, server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is passing trouble: 503 with Retry-After, and the same upload succeeds later."""

    def full(_spool: Spool, _piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "write", full)
        answer = http.put(address(run), content=b"abc")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    nothing_stays(run, server_settings)

    assert http.put(address(run), content=b"abc").status_code == 200


def test_database_away(http: httpx.Client, run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away nothing is named, and clients are told to come again."""

    def away(*_arguments: object) -> None:
        raise psycopg.OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(routes, "settle", away)
        answer = http.put(address(run), content=b"abc")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    with db.transaction() as tx:
        assert run_files.count(tx, run.id) == 0

    assert http.put(address(run), content=b"abc").status_code == 200


def test_lost_bytes_are_said(
    http: httpx.Client, run: LoggedRun, server_settings: Settings, tmp_path: Path
) -> None:
    """Bytes that somebody took from the store are an error, not an empty file."""
    http.put(address(run), content=b"abc")
    (path,) = [path for path in (server_settings.data_dir / "blobs").rglob("*") if path.is_file()]
    path.unlink()

    answer = http.get(f"/files/{run.team}/{run.project}/{run.name}/a.txt", auth=("api", run.key))

    assert (answer.status_code, answer.json()["code"]) == (500, "bytes_lost")
