"""P4: from `log()` to the color event at a subscriber, one run of 1,000 changing."""

import json
import os
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import redis

import runhue
from benchmarks.harness import Figures, Report, alternate
from benchmarks.load import prepare, send_all, start_writers
from runhue import __version__
from runhue_server.stack import Stack
from runhue_shared.settings import Settings

RUNS = 1000
SAMPLES = 40
STREAM = httpx.Timeout(10, read=60)  # the stream says something every 15 s
SETTINGS = {
    "key": {"source": "metric", "name": "metric_0"},
    "y": "latest",
    "buckets": 6,
    "palette": "default",
}


class LiveColor:
    """A project of 1,000 runs with key-based colors, a subscriber, and one run that goes on logging."""

    def __init__(self, stack: Stack) -> None:
        self._http = httpx.Client(
            base_url=stack.api_url, headers={"Authorization": f"Bearer {stack.api_key}"}, timeout=30
        )
        names = [f"run-{number}" for number in range(RUNS)]
        writers = start_writers(stack.ingest_url, stack.api_key, "p4", names)
        batches = prepare(1, 1, 20)
        send_all(stack.ingest_url, stack.api_key, writers, [batches] * RUNS, connections=4)
        self.workspace = self._http.get("/api/v1/projects/main/p4").json()["default_workspace"]
        self._wait_valued()
        self._seen: queue.SimpleQueue[tuple[float, float]] = queue.SimpleQueue()
        os.environ.update(RUNHUE_BASE_URL=stack.api_url, RUNHUE_API_KEY=stack.api_key)
        self._folder = tempfile.TemporaryDirectory()
        quiet = runhue.Settings(silent=True, console="off", system_metrics_interval=0)
        self.run = runhue.init(project="p4", id="live", dir=self._folder.name, settings=quiet)
        self._step = 0
        threading.Thread(target=self._subscribe, args=(stack,), daemon=True).start()
        self._log_until_seen(timeout=60)

    def _wait_valued(self) -> None:
        self._http.put(
            f"/api/v1/workspaces/{self.workspace}/coloring/settings", json=SETTINGS, headers={"If-Match": "*"}
        ).raise_for_status()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            head = self._http.get(
                f"/api/v1/workspaces/{self.workspace}/coloring", params={"limit": "1"}
            ).json()
            if head["valued"] == RUNS:
                return
            time.sleep(0.1)
        raise TimeoutError("1,000 runs were not colored within 60 s")

    def _subscribe(self, stack: Stack) -> None:
        path = f"/api/v1/workspaces/{self.workspace}/coloring/stream"
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        with httpx.stream("GET", stack.api_url + path, headers=headers, timeout=STREAM) as answer:
            for event in _events(answer.iter_lines()):
                now = time.perf_counter()
                for changed in event.get("changed", []):
                    if changed["run_id"] == "live":
                        self._seen.put((now, changed["value"]))

    def _log_until_seen(self, timeout: float) -> float:
        """Seconds from one log() call to the first event that carries its value."""
        self._step += 1
        value = float(self._step)
        began = time.perf_counter()
        self.run.log({"metric_0": value})
        deadline = time.monotonic() + timeout
        while True:
            now, seen = self._seen.get(timeout=max(0.1, deadline - time.monotonic()))
            if seen >= value:
                return now - began

    def __call__(self) -> Figures:
        took = []
        for sample in range(SAMPLES):
            time.sleep(0.05 + (sample * 0.037) % 0.3)  # so that calls fall anywhere within an interval
            took.append(self._log_until_seen(timeout=30))
        return {
            "p50_ms": statistics.median(took) * 1e3,
            "p99_ms": sorted(took)[int(len(took) * 0.99)] * 1e3,
        }


def _events(lines: Iterator[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


class Bound:
    """The waits that are chosen (flush and coalescing interval), one fsync, and one hop through Redis."""

    def __init__(self, stack: Stack, chosen_seconds: float) -> None:
        self._chosen = chosen_seconds
        self._redis = redis.Redis.from_url(stack.redis_url)
        self._folder = stack.data_dir

    def __call__(self) -> Figures:
        took = []
        for _ in range(SAMPLES):
            began = time.perf_counter()
            self._fsync()
            self._redis.xadd("p4-bound", {"payload": "x" * 500}, maxlen=100)
            self._redis.xread({"p4-bound": "0"}, count=1)
            took.append(self._chosen + time.perf_counter() - began)
        return {
            "p50_ms": statistics.median(took) * 1e3,
            "p99_ms": sorted(took)[int(len(took) * 0.99)] * 1e3,
        }

    def _fsync(self) -> None:
        file = os.open(Path(self._folder) / "p4-fsync", os.O_CREAT | os.O_WRONLY)
        os.write(file, b"x" * 8192)
        os.fsync(file)
        os.close(file)


def measure(rounds: int) -> Report:
    """The whole path and its bound in turn."""
    with Stack.temporary() as stack:
        live = LiveColor(stack)
        flush = live.run.flush_interval
        chosen = flush + Settings().recolor_watched
        results = alternate({"runhue": live, "bound": Bound(stack, chosen)}, rounds)
        live.run.finish()
    note = (
        f"The bound is the flush interval that the server asked for ({flush * 1e3:.0f} ms), the coalescing interval"
        f" of a watched workspace ({Settings().recolor_watched * 1e3:.0f} ms), one fsync and one Redis hop."
    )
    report = Report(
        id="p4",
        title="log() to a color event at a subscriber",
        command=f"make bench NAME=p4 ({SAMPLES} calls a round, {RUNS:,} runs in the workspace)",
        ours="runhue",
        bound="bound",
        better={"p50_ms": "lower", "p99_ms": "lower"},
        units={"p50_ms": "ms", "p99_ms": "ms"},
        rounds=results,
        versions={"runhue": __version__},
        notes=[note],
    )
    middle = {
        name: {figure: statistics.median(one[figure] for one in rounds_) for figure in report.units}
        for name, rounds_ in results.items()
    }
    report.goals = [
        f"p50 within 1.5x of the bound: {middle['runhue']['p50_ms'] / middle['bound']['p50_ms']:.2f}x",
        f"p99 within 3x of the bound: {middle['runhue']['p99_ms'] / middle['bound']['p99_ms']:.2f}x",
    ]
    report.where = (
        f"{chosen * 1e3:.0f} ms of the bound are waits that are chosen, so that many changes share one flush."
    )
    return report
