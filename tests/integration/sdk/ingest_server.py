"""The real ingest service in a process of its own, and what it has made durable."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg

from runhue_shared.events import LogBatch, NumberBlock, Rows, decode_batch

START_SECONDS = 30.0
LARGEST_BATCH = 2**28


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class IngestServer:
    """Starts, kills and restarts the service on one port. `key` is one that it takes."""

    def __init__(self, database_url: str, log: Path) -> None:
        self.database_url = database_url
        self.key = ""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}

    def ensure_started(self) -> None:
        """Start it unless it runs, with the settings of this process."""
        if self._process is None or self._settings:
            self.kill()
            self.start()

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers; `settings` are added to this process's environment."""
        self._settings = settings
        command = [sys.executable, "-m", "uvicorn", "--factory", "runhue_server.ingest.app:create_app"]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--log-level", "warning"],
                stdout=output,
                stderr=output,
                env={**os.environ, **settings},
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"ingest did not start: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).is_success
        except httpx.HTTPError:
            return False

    def batches(self, run: str) -> list[tuple[int, LogBatch]]:
        """(writer's number, batch) of all that is durable of a run, in order."""
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute(
                "SELECT w.no, i.body FROM inbox i JOIN run_writer w ON w.id = i.writer_id"
                " JOIN run r ON r.id = w.run_id WHERE r.public_id = %s ORDER BY w.no, i.seq_lo",
                (run,),
            ).fetchall()
        return [(number, decode_batch(bytes(body), LARGEST_BATCH)) for number, body in found]

    def rows(self, run: str) -> list[tuple[int, dict[str, Any]]]:  # logged values
        """(step, values without the row's own times) of every durable row, in order of arrival."""
        return [row for _, batch in self.batches(run) for row in rows_in(batch.rows)]

    def query(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(question.encode(), values).fetchall()


def rows_in(rows: Rows | None) -> Iterator[tuple[int, dict[str, Any]]]:  # logged values
    """(step, values) of the rows of one batch, read from their columns."""
    if rows is None:
        return
    steps = memoryview(rows.step).cast("q")
    values: list[dict[str, Any]] = [{} for _ in steps]
    for block in rows.numbers:
        for row, key, number in _numbers(block, len(steps)):
            values[row][key] = number
    for cells in rows.cells:
        for row, value in zip(memoryview(cells.rows).cast("I"), cells.values, strict=True):
            values[row][cells.key] = value
    for step, row_values in zip(steps, values, strict=True):
        yield step, {key: value for key, value in row_values.items() if not key.startswith("_")}


def _numbers(block: NumberBlock, count: int) -> Iterator[tuple[int, str, int | float]]:
    at = list(memoryview(block.rows).cast("I")) if block.rows else list(range(count))
    values = memoryview(block.values).cast("d")
    for position, key in enumerate(block.keys):
        kind = block.kinds[position] if block.kinds else 0
        mask = block.masks.get(position, bytes([kind == 1] * len(at)))
        for place, row in enumerate(at):
            value = values[position * len(at) + place]
            yield row, key, int(value) if mask[place] else value


def assert_contiguous(batches: list[tuple[int, LogBatch]]) -> None:
    """Each writer's durable batches cover its seqs from 0 without gap or overlap."""
    following: dict[int, int] = {}
    for writer, batch in batches:
        assert batch.seq_lo == following.get(writer, 0)
        following[writer] = batch.seq_hi + 1
