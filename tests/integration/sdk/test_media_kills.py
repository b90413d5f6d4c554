"""A process that is killed while it logs and uploads media loses no call that had returned."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runhue
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.ingest_server import IngestServer, assert_contiguous
from tests.integration.sdk.media_trainer import PIXELS, sha256_of
from tests.integration.sdk.stored_files import stored_files

pytestmark = pytest.mark.stack

TRAINER = Path(__file__).with_name("media_trainer.py")


def killed_training(ingest: IngestServer, folder: Path, run: str, uploads: int) -> int:
    """Kill -9 a training process once so many files are stored; how many of its calls had returned."""
    folder.mkdir()
    truth = folder / "truth"
    environment = {
        **os.environ,
        "RUNHUE_BASE_URL": ingest.url,
        "RUNHUE_API_KEY": ingest.key,
        "RUNHUE_DIR": str(folder),
        "RUNHUE_SILENT": "1",
    }
    process = subprocess.Popen([sys.executable, TRAINER, truth, run, "100000"], env=environment)
    deadline = time.monotonic() + 60
    while len(stored_files(run)) < uploads:
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    return truth.stat().st_size


@pytest.mark.parametrize("uploads", [1, 30, 130])
def test_killed_while_uploading_then_synced(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path, uploads: int
) -> None:
    """After kill -9 in the middle of uploads, `sync` brings every row that was logged with its file."""
    folder = tmp_path / "killed"
    returned = killed_training(ingest, folder, "killed", uploads)

    results = runhue.sync(folder, settings=run_settings())

    assert [result.error for result in results] == [None]
    rows = ingest.rows("killed")
    assert returned <= len(rows) <= returned + 1
    stored = stored_files("killed")
    for step, row in rows:
        assert row["loss"] == step / 7
        assert row["picture"]["sha256"] == sha256_of(step)
        assert stored[row["picture"]["path"]].sha256 == sha256_of(step)
    assert {file.size for file in stored.values()} == {PIXELS + len(b"P6 64 64 255 ")}
    assert_contiguous(ingest.batches("killed"))
    assert not list((folder / ".runhue" / "spool").glob("*/files"))
