"""A server process that is killed, and one that takes and gives a large file."""

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from runhue_server.storage import tokens
from runhue_server.storage.targets import RunFileAt
from runhue_shared import db
from runhue_shared.db import run_files
from runhue_shared.settings import MEBIBYTE, Settings
from tests.integration.storage.logged_run import LoggedRun
from tests.integration.storage.server_process import server_process

LARGE = 300
PIECE = os.urandom(MEBIBYTE)
FLAT_BYTES = 40 * MEBIBYTE
PATIENCE_SECONDS = 20.0


def address(run: LoggedRun) -> str:
    return tokens.put_path(run.team_id, RunFileAt(run.id, "a.bin", "application/octet-stream"))


def rows() -> tuple[int, int]:
    """(blobs, files of runs) that are named."""
    with db.transaction() as tx:
        found = tx.execute("SELECT (SELECT count(*) FROM blob), (SELECT count(*) FROM run_file)").fetchall()[
            0
        ]
    return int(found[0]), int(found[1])


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_killed_between_bytes_and_row(run: LoggedRun, server_settings: Settings) -> None:
    """A server killed when bytes are stored and not yet named names nothing; sent again, they are there."""
    with server_process("die") as (process, base), pytest.raises(httpx.TransportError):
        httpx.put(base + address(run), content=b"abc")
    assert process.returncode == -9
    assert rows() == (0, 0)
    assert len(files_below(server_settings.data_dir / "blobs")) == 1

    with server_process() as (_, base):
        assert httpx.put(base + address(run), content=b"abc").status_code == 200
        names = f"{base}/files/{run.team}/{run.project}/{run.name}/a.bin"
        assert httpx.get(names, auth=("api", run.key)).content == b"abc"
    assert rows() == (1, 1)
    assert len(files_below(server_settings.data_dir / "blobs")) == 1


def test_killed_in_the_middle_of_a_body(run: LoggedRun, server_settings: Settings) -> None:
    """A server killed while bytes come in leaves nothing under a hash, and nothing named."""
    incoming = server_settings.data_dir / "blobs" / "incoming"
    with server_process() as (process, base):
        where = urlsplit(base)
        assert where.hostname is not None
        with socket.create_connection((where.hostname, where.port or 0)) as client:
            head = f"PUT {address(run)} HTTP/1.1\r\nHost: x\r\nContent-Length: {10 * MEBIBYTE}\r\n\r\n"
            client.sendall(head.encode() + PIECE * 3)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not any(path.stat().st_size for path in incoming.glob("*")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.kill()

    assert rows() == (0, 0)
    assert {path.parent for path in files_below(server_settings.data_dir / "blobs")} == {incoming}


def test_memory_stays_flat(run: LoggedRun) -> None:
    """A file of 300 MB goes in and out, and the server needs no more memory for it than for small ones."""

    def pieces() -> Iterator[bytes]:
        for _ in range(LARGE):
            yield PIECE

    digest = hashlib.sha256()
    for _ in range(LARGE):
        digest.update(PIECE)
    with server_process() as (process, base), httpx.Client(base_url=base, timeout=120) as client:
        names = f"/files/{run.team}/{run.project}/{run.name}/a.bin"
        for _ in range(3):
            client.put(address(run), content=PIECE)
            client.get(names, auth=("api", run.key))
        before = psutil.Process(process.pid).memory_info().rss

        assert client.put(address(run), content=pieces()).status_code == 200
        got = hashlib.sha256()
        peak = 0
        with client.stream("GET", names, auth=("api", run.key)) as answer:
            for piece in answer.iter_bytes():
                got.update(piece)
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)

        highest = _highest(process.pid)
    assert got.digest() == digest.digest()
    assert max(peak, highest) - before < FLAT_BYTES
    with db.transaction() as tx:
        assert run_files.page(tx, run.id, 1)[0].size == LARGE * MEBIBYTE


def _highest(pid: int) -> int:
    """The most memory that a process ever had, bytes; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) * 1024
