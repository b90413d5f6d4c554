"""`runhue demo` from start to end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from runhue_server.demo import processes
from runhue_server.demo.expected import SETTINGS, differences
from runhue_server.demo.processes import Training, TrainingFailed
from runhue_server.demo.trials import DIVERGING, RUNS, logged, trials
from tests.integration.public_api.running import until
from tests.unit.public_api.model_server import ModelServer
from tests.wandb_clients import NEWEST, client_python

pytestmark = pytest.mark.stack

FULL_DEMO_SECONDS = 120


@contextmanager
def demo(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The demo as a program, in a shell made for wandb; a failing test leaves nothing of it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNHUE_")}
    environ |= {"WANDB_ENTITY": "elsewhere", "WANDB_MODE": "offline", "WANDB_API_KEY": "0" * 40}
    command = [sys.executable, "-m", "runhue", "demo", "--data-dir", str(folder / "demo"), "--fast", *options]
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_demo_verifies_its_colors_and_leaves_nothing_running(tmp_path: Path) -> None:
    """60 runs, one diverged and one killed, are as computed from scratch; no process is left."""
    began = time.monotonic()
    with demo(tmp_path, "--exit", "--wandb-python", str(client_python(NEWEST))) as process:
        said, _ = process.communicate(timeout=FULL_DEMO_SECONDS)

    assert process.returncode == 0, said
    assert "60 runs, colors verified against a from-scratch computation" in said
    assert "killed with kill -9 and recovered" in said
    assert "6 runs were logged by the unmodified wandb client" in said
    assert "/docs" in said
    assert re.search(r"Gallery +http\S+/gallery/runs/gallery-demo-[\w-]+ \(one of everything\)", said)
    assert time.monotonic() - began < FULL_DEMO_SECONDS
    assert _using(tmp_path) == []


def test_the_demo_can_be_stopped(tmp_path: Path) -> None:
    """Ctrl-C while it trains stops everything it started."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        said = iter(process.stdout.readline, "")
        assert any("acc (max)" in line for line in said)

        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode != 0
    until(lambda: not _using(tmp_path))


def test_a_run_that_cannot_be_recovered_ends_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When sending what the killed run left takes too long, the demo says so instead of waiting for ever."""
    monkeypatch.setattr(processes, "SYNC_SECONDS", 0.01)

    with (
        Training("p", 0.0, tmp_path, "http://127.0.0.1:9", "key") as training,
        pytest.raises(TrainingFailed, match="could not be recovered"),
    ):
        until(lambda: training.running() == 0)


def test_the_trials_are_always_the_same() -> None:
    """What is trained and what is checked are the same numbers, and one run has nothing but NaN."""
    values = [[row["acc"] for row in logged(trial)] for trial in trials()]

    assert len(values) == RUNS
    assert repr(values) == repr([[row["acc"] for row in logged(trial)] for trial in trials()])
    assert [number for number, run in enumerate(values) if any(value != value for value in run)] == [
        DIVERGING
    ]


def test_a_wrong_color_is_noticed() -> None:
    """The check of the demo can fail: a coloring without runs differs in every one."""
    problems = differences(ModelServer(SETTINGS).coloring())

    assert len(problems) == 1 + RUNS


def _using(folder: Path) -> list[str]:
    """Command lines of processes that were started for this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(str(folder) in word for word in words) and process.pid != os.getpid():
            found.append(" ".join(words))
    return found
