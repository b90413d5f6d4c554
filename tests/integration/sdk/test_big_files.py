"""Large files go in parts, and after any crash only the missing ones go again."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

import runhue
from runhue_shared import db
from runhue_shared.settings import MEBIBYTE
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.ingest_server import IngestServer
from tests.integration.sdk.stored_files import stored_files

TRAINER = Path(__file__).with_name("big_trainer.py")
PART_BYTES = 8 * MEBIBYTE
PARTS = 20
PATIENCE_SECONDS = 60.0


def parts_there() -> dict[int, bytes]:
    """SHA-256 of each part that came and was not put together yet."""
    with db.transaction() as tx:
        return dict(tx.execute("SELECT number, sha256 FROM part_upload_part").fetchall())


def last_stored(hashes: list[bytes]) -> list[datetime]:
    """When each of these bytes last came."""
    with db.transaction() as tx:
        rows = tx.execute(
            "SELECT touched_at FROM blob WHERE sha256 = ANY(%s) ORDER BY sha256", (hashes,)
        ).fetchall()
    return [touched for (touched,) in rows]


def wait_for_parts(process: "subprocess.Popen[bytes]", count: int) -> dict[int, bytes]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found := parts_there()) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


@pytest.mark.stack
@pytest.mark.timeout(240)
def test_big_file_after_kills(ingest: IngestServer, run_settings: RunSettings, tmp_path: Path) -> None:
    """Ingest is killed, then the training process: sync sends what is missing, and the file is whole."""
    folder, source = tmp_path / "killed", tmp_path / "model.bin"
    digest = hashlib.sha256()
    with source.open("wb") as file:
        for _ in range(PARTS):
            piece = os.urandom(PART_BYTES)
            digest.update(piece)
            file.write(piece)
    folder.mkdir()
    environment = {
        **os.environ,
        "RUNHUE_BASE_URL": ingest.url,
        "RUNHUE_API_KEY": ingest.key,
        "RUNHUE_DIR": str(folder),
        "RUNHUE_SILENT": "1",
    }
    process = subprocess.Popen([sys.executable, TRAINER, str(source), "big"], env=environment)
    try:
        wait_for_parts(process, 2)
        ingest.kill()
        before = parts_there()
        ingest.start()
        wait_for_parts(process, len(before) + 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    time_of_death = parts_there()
    assert 4 <= len(time_of_death) < PARTS
    stored_at = last_stored(list(time_of_death.values()))

    results = runhue.sync(folder, settings=run_settings())

    assert [result.error for result in results] == [None]
    assert stored_files("big")["model.bin"].sha256 == digest.hexdigest()
    assert stored_files("big")["model.bin"].size == PARTS * PART_BYTES
    assert last_stored(list(time_of_death.values())) == stored_at
    assert not parts_there()
