"""The bounded process alone, and a media worker in this process with a run to put files into."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runhue_server.media import tasks
from runhue_server.media.sandbox import BoundedProcess, Limits
from runhue_server.storage.targets import RunFileAt, settle
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import inspections
from runhue_shared.db.inspections import Inspection
from runhue_shared.messages import MediaStored
from runhue_shared.settings import Settings
from tests.integration.media.pictures import endless_png
from tests.integration.storage.logged_run import LoggedRun, log_run

MEMORY = 1 << 30


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Callable[..., BoundedProcess]]:
    """`bounded(seconds=..., memory=...)`: a bounded process; each is ended with the test."""
    made: list[BoundedProcess] = []

    def start(
        seconds: float = 30.0, memory: int = MEMORY, while_waiting: Callable[[], None] = lambda: None
    ) -> BoundedProcess:
        made.append(BoundedProcess(Limits(seconds, memory), tmp_path / f"work-{len(made)}", while_waiting))
        return made[-1]

    yield start
    for process in made:
        process.close()


@pytest.fixture(scope="session")
def slow_png() -> bytes:
    """A small file that takes a second or so, and more than half a gigabyte, to be decoded."""
    return endless_png(13_000, 13_000)


class MediaRun:
    """A run whose media are looked at by a worker in this process."""

    def __init__(self, run: LoggedRun) -> None:
        self.run = run
        self.team_id = run.team_id

    def put(self, path: str, content: bytes) -> bytes:
        """Store a file as an upload does; its SHA-256."""
        store = blob_store()
        with Spool(store.spool_directory) as spool:
            spool.write(content)
            stored: StoredBlob = store.keep(self.team_id, spool)
        with db.transaction() as tx:
            settle(tx, self.team_id, RunFileAt(self.run.id, path, "application/octet-stream"), stored)
        return stored.sha256

    def forget_bytes(self, content: bytes) -> None:
        """Lose the bytes of a blob, as a broken disk does."""
        blob_store().delete(self.team_id, hashlib.sha256(content).digest())

    def known(self) -> list[Inspection]:
        """All that is known, in the order in which files were put."""
        with db.transaction() as tx:
            rows = tx.execute("SELECT sha256 FROM inspection ORDER BY created_at, sha256").fetchall()
            found = inspections.of_blobs(tx, self.team_id, [sha256 for (sha256,) in rows])
        order = {sha256: place for place, (sha256,) in enumerate(rows)}
        return sorted(found.values(), key=lambda one: order[one.sha256])

    def states(self) -> dict[str, int]:
        """How many inspections are in which state, or refused with which code."""
        counts: dict[str, int] = {}
        for one in self.known():
            counts[one.code or one.state] = counts.get(one.code or one.state, 0) + 1
        return counts


def work(times: int = 1) -> None:
    """Wake the worker of this process."""
    for _ in range(times):
        tasks.inspect_media(MediaStored())


def make_due() -> None:
    """Let every lease have ended."""
    with db.transaction() as tx:
        tx.execute("UPDATE inspection SET due_at = now() - interval '1 minute' WHERE state = 'waiting'")


@pytest.fixture
def run(server_settings: Settings) -> Iterator[MediaRun]:
    """A run of team `main`; the worker starts with this test and ends with it."""
    tasks.shift.cache_clear()
    yield MediaRun(log_run(server_settings))
    if tasks.shift.cache_info().currsize:
        tasks.shift().process.close()
    tasks.shift.cache_clear()
