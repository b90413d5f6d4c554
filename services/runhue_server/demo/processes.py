"""The demo's training processes: started, watched, one of them killed and recovered."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from runhue_server.demo.training import HOLD
from runhue_server.demo.trials import KILLED, RUNS, WANDB, logged, trials

PROCESSES = 5
GALLERY = Path(__file__).parents[3] / "examples" / "gallery.py"
"""Logs one of everything; it lies beside the sources, and is not part of what is installed."""

GALLERY_PROJECT = "gallery"
SYNC_SECONDS = 60.0

Process = subprocess.Popen[str]


class TrainingFailed(Exception):
    """A training process ended with an error; the message is the end of what it said."""


class Training:
    """Processes that log the demo's runs to `api_url`; leaving the `with` block kills what still runs.

    `wandb_python`: an interpreter that has wandb, which then logs some of them; None is this one if it has.
    """

    def __init__(
        self,
        project: str,
        pause: float,
        folder: Path,
        api_url: str,
        api_key: str,
        wandb_python: Path | None = None,
    ) -> None:
        self._project = project
        self._pause = pause
        self._folder = folder
        # Whoever logs elsewhere has these set; the demo's runs go to the demo.
        foreign = ("RUNHUE_", "WANDB_")
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "RUNHUE_BASE_URL": api_url,
            "RUNHUE_API_KEY": api_key,
            "RUNHUE_SILENT": "1",
            "RUNHUE_CONSOLE": "off",
            "WANDB_BASE_URL": api_url,
            "WANDB_API_KEY": api_key,
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
        }
        if wandb_python is None and importlib.util.find_spec("wandb") is not None:
            wandb_python = Path(sys.executable)
        self._wandb_python = wandb_python
        self._processes: list[tuple[Process, Path]] = []
        self._victim: Process | None = None
        self._recovery = threading.Thread(target=self._kill_and_recover, name="recovery", daemon=True)
        self.recovered: str | None = None
        """What `runhue sync` said of the killed run, once it is recovered."""
        self.failure: str | None = None

    @property
    def gallery_run(self) -> str | None:
        """The id of the run that has one of everything; None where its script is not."""
        return f"gallery-{self._project}" if GALLERY.exists() else None

    @property
    def by_wandb(self) -> int:
        """How many runs the wandb client logs."""
        return len(WANDB) if self._wandb_python else 0

    def __enter__(self) -> Self:
        elsewhere = {KILLED, *(WANDB if self._wandb_python else ())}
        others = [number for number in range(RUNS) if number not in elsewhere]
        if self._wandb_python:
            self._start_wandb(self._wandb_python)
        for first in range(PROCESSES):
            self._start(f"process-{first}", [str(number) for number in others[first::PROCESSES]])
        if self.gallery_run is not None:
            what = ["--project", GALLERY_PROJECT, "--id", self.gallery_run]
            self._launch("gallery", [sys.executable, str(GALLERY), *what])
        self._victim = self._start("killed", [str(KILLED), HOLD])
        self._recovery.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, _ in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def running(self) -> int:
        """Processes that still train, and the recovery.

        Raises:
            TrainingFailed: one of them ended with an error.
        """
        for process, log in self._processes:
            if process is not self._victim and process.poll() not in (None, 0):
                raise TrainingFailed(f"a training process failed: {_end_of(log)}")
        if self.failure is not None:
            raise TrainingFailed(self.failure)
        alive = sum(process.poll() is None for process, _ in self._processes if process is not self._victim)
        return alive + (self.recovered is None)

    def _start(self, name: str, numbers: Sequence[str]) -> Process:
        command = [sys.executable, "-m", "runhue_server.demo.training", self._project, str(self._pause)]
        return self._launch(name, [*command, *numbers])

    def _start_wandb(self, python: Path) -> None:
        chosen = trials()
        lines = [
            json.dumps(
                {
                    "project": self._project,
                    "id": chosen[number].run_id,
                    "name": chosen[number].name,
                    "config": chosen[number].config,
                    "rows": list(logged(chosen[number])),
                }
            )
            for number in WANDB
        ]
        rows = self._folder / "wandb.jsonl"
        rows.write_text("\n".join(lines), encoding="utf-8")
        script = Path(__file__).with_name("wandb_training.py")
        self._launch("wandb", [str(python), str(script), str(rows), str(self._pause)])

    def _launch(self, name: str, command: Sequence[str]) -> Process:
        folder = self._folder / name
        folder.mkdir(parents=True)
        log = folder / "output.log"
        places = {"RUNHUE_DIR": str(folder), "WANDB_DIR": str(folder)}
        with log.open("w", encoding="utf-8") as errors:
            process = _popen(command, errors, {**self._environ, **places})
        self._processes.append((process, log))
        return process

    def _kill_and_recover(self) -> None:
        """Kill the victim once it has logged everything, then send what it left."""
        assert self._victim is not None  # noqa: S101  # started before this thread
        assert self._victim.stdout is not None  # noqa: S101  # a pipe
        if not self._victim.stdout.readline():
            self.failure = (
                f"the process to be killed ended by itself: {_end_of(self._folder / 'killed' / 'output.log')}"
            )
            return
        self._victim.send_signal(signal.SIGKILL)
        self._victim.wait()
        command = [sys.executable, "-m", "runhue", "sync", str(self._folder / "killed")]
        try:
            done = subprocess.run(
                command, env=self._environ, capture_output=True, text=True, timeout=SYNC_SECONDS, check=True
            )
        except subprocess.SubprocessError as error:
            said = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
            self.failure = f"the killed run could not be recovered: {str(said).strip()}"
            return
        self.recovered = done.stdout.strip()


def _popen(command: Sequence[str], errors: IO[str], environ: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=dict(environ),
        text=True,
        start_new_session=True,
    )


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
