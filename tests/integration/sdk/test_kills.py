"""A training process that is killed at any point loses no call that had returned."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import runhue
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.ingest_server import IngestServer, assert_contiguous

TRAINER = Path(__file__).with_name("trainer.py")
TRIALS = 6

pytestmark = pytest.mark.stack


class Training:
    """One training process and the calls it says returned."""

    def __init__(
        self, ingest: IngestServer, folder: Path, run: str, first: int, count: int, pause: float
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._truth = folder / f"{run}-{first}.truth"
        environment = {
            **os.environ,
            "RUNHUE_BASE_URL": ingest.url,
            "RUNHUE_API_KEY": ingest.key,
            "RUNHUE_DIR": str(folder),
            "RUNHUE_SILENT": "1",
        }
        command = [sys.executable, *map(str, (TRAINER, self._truth, run, first, count, pause))]
        self.process = subprocess.Popen(command, env=environment)

    @property
    def returned(self) -> int:
        """How many calls have returned; two make a row."""
        return self._truth.stat().st_size if self._truth.exists() else 0

    def wait_until_logging(self) -> None:
        """Until the first call has returned."""
        deadline = time.monotonic() + 60
        while not self.returned and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; returns the exit status."""
        self.process.send_signal(how)
        return self.process.wait(60)


def assert_kept(ingest: IngestServer, run: str, returned: int, first: int = 0) -> None:
    """Every call that returned is in a row exactly once; at most the call under way is there besides."""
    rows = [(step, row) for step, row in ingest.rows(run) if step >= first]
    calls = sum(("loss" in row) + ("text" in row) for _, row in rows)
    assert returned <= calls <= returned + 1
    for place, (step, row) in enumerate(rows):
        assert step == first + place
        complete = {"loss": step / 7, "twice": 2 * step, "text": f"step {step}"}
        assert row.items() <= complete.items()
        assert len(row) == 3 or place == len(rows) - 1


@pytest.mark.parametrize("trial", range(TRIALS))
def test_kill_loses_no_returned_call(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path, trial: int
) -> None:
    """After SIGKILL at a random moment `sync` makes every returned call durable, once."""
    moment = random.Random(trial).uniform(0.0, 2.5)
    training = Training(ingest, tmp_path / "training", "kill", 0, 1_000_000, pause=0.0002 * (trial % 3))
    training.wait_until_logging()
    time.sleep(moment)
    training.end(signal.SIGKILL)

    results = runhue.sync(tmp_path / "training", settings=run_settings())

    assert [result.error for result in results] == [None]
    assert_kept(ingest, "kill", training.returned)
    assert_contiguous(ingest.batches("kill"))
    ends = [(end.state, end.exit_code) for _, batch in ingest.batches("kill") for end in batch.finish]
    assert ends == [("killed", -1)]


def test_next_process_sends_what_a_killed_one_left(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path
) -> None:
    """A later run in the same folder sends the leftovers without being asked."""
    ingest.kill()
    training = Training(ingest, tmp_path / "training", "left", 0, 500, pause=0.01)
    training.wait_until_logging()
    training.end(signal.SIGKILL)
    ingest.start()

    run = runhue.init(project="kills", id="next", settings=run_settings())
    deadline = time.monotonic() + 30
    while not any(batch.finish for _, batch in ingest.batches("left")) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.finish()

    assert_kept(ingest, "left", training.returned)


def test_resuming_goes_on_behind_what_a_killed_process_left(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path
) -> None:
    """A resumed run counts steps and time on from its last row, also one that only the spool had."""
    training = Training(ingest, tmp_path / "training", "resume", 0, 1_000_000, pause=0.001)
    training.wait_until_logging()
    ingest.kill()
    time.sleep(0.5)
    training.end(signal.SIGKILL)
    ingest.start()

    run = runhue.init(project="kills", id="resume", resume="must", settings=run_settings())
    resumed_at, runtime = run.step, run._recorder.runtime
    run.log({"loss": resumed_at / 7, "twice": 2 * resumed_at, "text": f"step {resumed_at}"})
    run.finish()

    assert training.returned // 2 <= resumed_at <= training.returned // 2 + 1
    assert runtime > 0.5
    assert [step for step, _ in ingest.rows("resume")] == list(range(resumed_at + 1))
    assert [writer for writer, batch in ingest.batches("resume") if batch.finish] == [1, 2]


@pytest.mark.parametrize("pause", [0.0, 0.005])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_run_properly(
    ingest: IngestServer, tmp_path: Path, how: signal.Signals, pause: float
) -> None:
    """SIGTERM and Ctrl-C send what waits and say how the process ended, which still dies of them."""
    training = Training(ingest, tmp_path / "training", "signal", 0, 1_000_000, pause)
    training.wait_until_logging()

    status = training.end(how)

    assert status == -how
    assert_kept(ingest, "signal", training.returned)
    ends = [(end.state, end.exit_code) for _, batch in ingest.batches("signal") for end in batch.finish]
    assert ends == [("killed", 128 + how)]


def test_stop_from_the_server_interrupts_training(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path
) -> None:
    """When someone asks the run to stop, its process gets a KeyboardInterrupt and ends."""
    training = Training(ingest, tmp_path / "training", "stop", 0, 100_000, pause=0.01)
    training.wait_until_logging()
    with psycopg.connect(ingest.database_url, autocommit=True) as connection:
        connection.execute("UPDATE run SET stop_requested = true WHERE public_id = 'stop'")

    status = training.process.wait(60)

    assert status == -signal.SIGINT
    assert_kept(ingest, "stop", training.returned)
