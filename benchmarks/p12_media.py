"""P12: media: files and megabytes a second until stored, and until looked at, beside wandb to us and mlflow."""

import contextlib
import hashlib
import itertools
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import psycopg
from PIL import Image

from benchmarks.harness import (
    PEERS,
    ROOT,
    Figures,
    Report,
    alternate,
    peer_python,
    peer_versions,
    ratio,
    run_json,
)
from benchmarks.p2_pipeline import SETTLE_SECONDS, mlflow_server
from benchmarks.processes import cpu_seconds
from runhue import __version__
from runhue_server.stack import Stack

SMALL, SIDE = 400, 128
LARGE, LARGE_BYTES = 8, 25_000_000
SCRIPT = ROOT / "benchmarks" / "peers" / "log_media.py"
ENVIRONMENTS = {"runhue": "runhue-media", "wandb": "wandb-media", "mlflow": "mlflow"}
"""Peer environment of each tracker, with what its images need."""

UNITS = {
    "small": "images/s of about 50 kB, stored",
    "inspected": "images/s until all have their facts and thumbnails",
    "large": "MB/s of 25 MB files, stored",
}


class Files:
    """New contents for every call, so that nobody gains by having stored them before."""

    def __init__(self) -> None:
        self._rounds = itertools.count()

    def small(self, folder: Path) -> None:
        """PNGs of noise, about 50 kB each."""
        generator = np.random.default_rng(next(self._rounds))
        for number in range(SMALL):
            pixels = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:04d}.png")

    def large(self, folder: Path) -> None:
        """Files of random bytes."""
        generator = random.Random(next(self._rounds))
        for number in range(LARGE):
            (folder / f"{number}.bin").write_bytes(generator.randbytes(LARGE_BYTES))


class Client:
    """A tracker's client in a process of its own, small files first and then large ones."""

    def __init__(self, tracker: str, environment: dict[str, str], files: Files, stack: Stack) -> None:
        self._tracker = tracker
        self._environment = environment
        self._files = files
        self._stack = stack
        self._rounds = itertools.count()
        self.cpu: list[dict[str, float]] = []

    def __call__(self) -> Figures:
        name = f"{self._tracker}-{next(self._rounds)}"
        with tempfile.TemporaryDirectory() as folder:
            before = cpu_seconds(self._stack.processes)
            small = self._log(Path(folder) / "small", f"{name}-small", "small")
            figures = {"small": SMALL / small}
            if self._tracker != "mlflow":
                self._check(f"{name}-small", "media/images/", Path(folder) / "small")
                figures["inspected"] = SMALL / (small + self._until_inspected())
                after = cpu_seconds(self._stack.processes)
                self.cpu.append({one: (after[one] - before[one]) / SMALL * 1e3 for one in before})
            large = self._log(Path(folder) / "large", f"{name}-large", "large")
            if self._tracker != "mlflow":
                self._check(f"{name}-large", "", Path(folder) / "large")
            figures["large"] = LARGE * LARGE_BYTES / 1e6 / large
        return figures

    def _log(self, folder: Path, name: str, what: str) -> float:
        folder.mkdir()
        (self._files.small if what == "small" else self._files.large)(folder)
        os.sync()  # what the making of files left to the disk is nobody's time
        home = folder.parent / f"home-{what}"
        home.mkdir()
        environment = {
            **self._environment,
            "HOME": str(home),
            "WANDB_DIR": str(home),
            "RUNHUE_DIR": str(home),
        }
        command: list[str | Path] = [
            peer_python(ENVIRONMENTS[self._tracker]),
            SCRIPT,
            self._tracker,
            str(folder),
            name,
            what,
            "0",
        ]
        return float(run_json(command, environment=environment)["seconds"])

    def _check(self, run: str, prefix: str, folder: Path) -> None:
        """Every file that was logged is there, by its hash."""
        url = f"{self._stack.api_url}/api/v1/projects/main/p12/runs/{run}/files"
        answer = httpx.get(
            url,
            params={"prefix": prefix, "limit": 1000},
            headers={"Authorization": f"Bearer {self._stack.api_key}"},
            timeout=60,
        ).raise_for_status()
        found = {file["sha256"] for file in answer.json()["files"]}
        missing = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} - found
        if missing:
            raise AssertionError(f"{len(missing)} files of {run} are not stored")

    def _until_inspected(self) -> float:
        """Seconds until nothing waits for the media worker."""
        began, deadline = time.perf_counter(), time.monotonic() + 120
        with psycopg.connect(self._stack.database_url, autocommit=True) as connection:
            while time.monotonic() < deadline:
                counted = connection.execute("SELECT state, count(*) FROM inspection GROUP BY state")
                states: dict[str, int] = dict(counted.fetchall())
                if states.get("refused"):
                    raise AssertionError(f"the worker refused some: {states}")
                if not states.get("waiting"):
                    return time.perf_counter() - began
                time.sleep(0.02)
        raise TimeoutError("the media worker did not look at all files within 120 s")


def to_disk(files: Files) -> Figures:
    """The same files hashed, written and synced one by one, without any tracker."""
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        for what, make in (("small", files.small), ("large", files.large)):
            source, target = Path(scratch) / what, Path(scratch) / f"{what}-stored"
            source.mkdir()
            target.mkdir()
            make(source)
            os.sync()
            began = time.perf_counter()
            for path in source.iterdir():
                with path.open("rb") as content, (target / path.name).open("wb") as copy:
                    hashlib.file_digest(content, "sha256")
                    content.seek(0)
                    shutil.copyfileobj(content, copy, 1024 * 1024)
                    copy.flush()
                    os.fsync(copy.fileno())
            took = time.perf_counter() - began
            figures[what] = SMALL / took if what == "small" else LARGE * LARGE_BYTES / 1e6 / took
    return figures


def measure(rounds: int) -> Report:
    """Three clients and the disk in turn."""
    shutil.rmtree(PEERS / ".venvs" / ENVIRONMENTS["runhue"], ignore_errors=True)  # the code at hand
    files = Files()
    with contextlib.ExitStack() as opened:
        stack = opened.enter_context(Stack.temporary())
        mlflow = opened.enter_context(mlflow_server(stack))
        time.sleep(SETTLE_SECONDS)
        ours = {"RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key, "RUNHUE_SILENT": "true"}
        theirs = {"WANDB_BASE_URL": stack.api_url, "WANDB_API_KEY": stack.api_key}
        runhue = Client("runhue", ours, files, stack)
        results = alternate(
            {
                "runhue": runhue,
                "hash, write and fsync (bound)": lambda: to_disk(files),
                "wandb to us": Client("wandb", theirs, files, stack),
                "mlflow artifacts": Client("mlflow", {"MLFLOW_TRACKING_URI": mlflow}, files, stack),
            },
            rounds,
        )
    report = Report(
        id="p12",
        title="Media, stored and looked at",
        command=f"make bench NAME=p12 ({SMALL} images, one a step; {LARGE} files of {LARGE_BYTES / 1e6:.0f} MB)",
        ours="runhue",
        bound="hash, write and fsync (bound)",
        better=dict.fromkeys(UNITS, "higher"),
        units=UNITS,
        rounds=results,
        versions={"runhue": __version__, **peer_versions(["wandb", "mlflow"])},
        notes=[
            "From the first call to the end of finish(); what was stored is checked by its hashes.",
            "Client, servers and workers share the cores. mlflow stores whole folders by log_artifacts, its fastest.",
        ],
    )
    report.goals = [
        f"ahead of {peer}: "
        + ", ".join(f"x{ratio(report, what, peer):.1f} {what}" for what in ("small", "large"))
        for peer in ("mlflow artifacts", "wandb to us")
    ]
    report.where = "CPU ms an image, inspection included: " + ", ".join(
        f"{name} {sum(cpu[name] for cpu in runhue.cpu) / len(runhue.cpu):.2f}" for name in runhue.cpu[0]
    )
    return report
