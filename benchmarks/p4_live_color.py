"""P4: from `log()` to the color event at a subscriber, one run of 1,000 changing."""

import contextlib
import json
import os
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import redis

import runhue
from benchmarks.harness import Figures, Report, alternate
from benchmarks.load import prepare, send_all, start_writers
from runhue import __version__
from runhue_server.stack import Stack
from runhue_shared.events import LogBatchAccepted

RUNS = 1000
CALLS = 160
CALL_SECONDS = 0.05
SINGLES = 12
REST_SECONDS = 0.2
PARTS = 20
STREAM = httpx.Timeout(10, read=60)  # the stream says something every 15 s
SETTINGS = {
    "key": {"source": "metric", "name": "metric_0"},
    "y": "latest",
    "buckets": 6,
    "palette": "default",
}
UNITS = {
    "p50_ms": f"ms, a call every {CALL_SECONDS * 1e3:.0f} ms",
    "p99_ms": f"ms, a call every {CALL_SECONDS * 1e3:.0f} ms",
    "single_p50_ms": "ms, one call after a rest",
    "single_max_ms": "ms, one call after a rest",
}


class Subscriber:
    """Reads a workspace's stream in a thread and tells which of the live run's values came when."""

    def __init__(self, stack: Stack, workspace: int) -> None:
        self.seen: queue.SimpleQueue[tuple[float, float, float]] = queue.SimpleQueue()
        self._url = f"{stack.api_url}/api/v1/workspaces/{workspace}/coloring/stream"
        self._headers = {"Authorization": f"Bearer {stack.api_key}"}
        threading.Thread(target=self._read_until_stopped, daemon=True).start()

    def wait_for(self, value: float, timeout: float = 60) -> tuple[float, float]:
        """(when the first event that carries the value or a later one came, when it was emitted), wall time."""
        deadline = time.monotonic() + timeout
        while True:
            came, emitted, seen = self.seen.get(timeout=max(0.1, deadline - time.monotonic()))
            if seen >= value:
                return came, emitted

    def _read_until_stopped(self) -> None:
        with contextlib.suppress(
            httpx.TransportError
        ):  # the stack stops; a stream that breaks before is missed
            self._read()

    def _read(self) -> None:
        with httpx.stream("GET", self._url, headers=self._headers, timeout=STREAM) as answer:
            for event in _events(answer.iter_lines()):
                now = time.time()
                for changed in event.get("changed", []):
                    if changed["run_id"] == "live":
                        self.seen.put((now, event["emitted_at"], changed["value"]))


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:  # JSON
    for line in lines:
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


class LiveColor:
    """A project of 1,000 runs with key-based colors, a subscriber, and one run that goes on logging."""

    def __init__(self, stack: Stack, folder: str) -> None:
        self._http = httpx.Client(
            base_url=stack.api_url, headers={"Authorization": f"Bearer {stack.api_key}"}, timeout=30
        )
        self._stack = stack
        names = [f"run-{number}" for number in range(RUNS)]
        self._writers = start_writers(stack.ingest_url, stack.api_key, "p4", names)
        send_all(stack.ingest_url, stack.api_key, self._writers, [prepare(1, 1, 20)] * RUNS, connections=4)
        workspace = self._http.get("/api/v1/projects/main/p4").json()["default_workspace"]
        self._wait_valued(workspace)
        os.environ.update(RUNHUE_BASE_URL=stack.api_url, RUNHUE_API_KEY=stack.api_key)
        quiet = runhue.Settings(silent=True, console="off", system_metrics_interval=0)
        self.run = runhue.init(project="p4", id="live", dir=folder, settings=quiet)
        self._value = 0.0
        self.subscriber = Subscriber(stack, workspace)
        self._wait_subscribed()

    def _wait_valued(self, workspace: int) -> None:
        path = f"/api/v1/workspaces/{workspace}/coloring"
        self._http.put(f"{path}/settings", json=SETTINGS, headers={"If-Match": "*"}).raise_for_status()
        deadline = time.monotonic() + 60
        while self._http.get(path, params={"limit": "1"}).json()["valued"] < RUNS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{RUNS:,} runs were not colored within 60 s")
            time.sleep(0.1)

    def _wait_subscribed(self) -> None:
        """Log until a value arrives: what was logged before the stream was open does not."""
        for _ in range(60):
            self.log()
            try:
                self.subscriber.seen.get(timeout=1)
                break
            except queue.Empty:
                continue
        self.subscriber.wait_for(self.log())

    def flush_interval(self) -> float:
        """Seconds between batches of a writer, as ingest asks for them now."""
        answer = httpx.post(
            f"{self._stack.ingest_url}/ingest/v1/writers/{self._writers[0]}/heartbeat",
            headers={"Authorization": f"Bearer {self._stack.api_key}"},
            timeout=30,
        )
        return msgspec.json.decode(answer.content, type=LogBatchAccepted).flush_interval_ms / 1e3

    def log(self) -> float:
        """One call; the value that it logged, one more than the last."""
        self._value += 1
        self.run.log({"metric_0": self._value})
        return self._value

    def __call__(self) -> Figures:
        steady, single = self._steady(), sorted(self._single() for _ in range(SINGLES))
        return {
            "p50_ms": statistics.median(steady) * 1e3,
            "p99_ms": steady[int(len(steady) * 0.99)] * 1e3,
            "single_p50_ms": statistics.median(single) * 1e3,
            "single_max_ms": single[-1] * 1e3,
        }

    def _steady(self) -> list[float]:
        """Seconds of each of CALLS calls in an even rhythm, sorted."""
        logged: list[tuple[float, float]] = []
        begin = time.monotonic()
        for number in range(CALLS):
            time.sleep(max(0.0, begin + number * CALL_SECONDS - time.monotonic()))
            now = time.time()
            logged.append((self.log(), now))
        took: list[float] = []
        while len(took) < CALLS:
            came, _, seen = self.subscriber.seen.get(timeout=60)
            took += [came - now for value, now in logged[len(took) :] if value <= seen]
        return sorted(took)

    def rest(self) -> None:
        """Until no interval of sender or worker holds up the next call."""
        time.sleep(self.flush_interval() + REST_SECONDS)

    def _single(self) -> float:
        self.rest()
        now = time.time()
        came, _ = self.subscriber.wait_for(self.log())
        return came - now


class Bound:
    """The wait for the sender's next batch, one fsync of a page, and one hop through Redis."""

    def __init__(self, stack: Stack, live: LiveColor) -> None:
        self._redis = redis.Redis.from_url(stack.redis_url)
        self._file = Path(stack.data_dir) / "p4-fsync"
        self._live = live
        self.intervals: list[float] = []

    def __call__(self) -> Figures:
        interval = self._live.flush_interval()
        self.intervals.append(interval)
        # Calls in an even rhythm fall evenly into the interval, and the next batch takes them along.
        waits = [number * CALL_SECONDS % interval for number in range(CALLS)]
        steady = sorted(wait + self._measured() for wait in waits)
        single = sorted(self._measured() for _ in range(SINGLES))
        return {
            "p50_ms": statistics.median(steady) * 1e3,
            "p99_ms": steady[int(len(steady) * 0.99)] * 1e3,
            "single_p50_ms": statistics.median(single) * 1e3,
            "single_max_ms": single[-1] * 1e3,
        }

    def _measured(self) -> float:
        """Seconds of a synced write, and of an event through a stream to a reader."""
        began = time.perf_counter()
        file = os.open(self._file, os.O_CREAT | os.O_WRONLY)
        os.write(file, b"x" * 8192)
        os.fsync(file)
        os.close(file)
        self._redis.xadd("p4-bound", {"payload": "x" * 500}, maxlen=1)
        self._redis.xread({"p4-bound": "0"}, count=1)
        return time.perf_counter() - began


def where_time_goes(stack: Stack, live: LiveColor) -> str:
    """Medians of the stages of single calls, seen from outside: the writer's row is asked every millisecond."""
    stages: list[dict[str, float]] = []
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        for _ in range(PARTS):
            live.rest()
            before, _ = _progress(connection)
            began = time.time()
            value = live.log()
            durable, applied = _watch_writer(connection, before)
            came, emitted = live.subscriber.wait_for(value)
            stages.append(
                {
                    "log() to durable": durable - began,
                    "folding": applied - durable,
                    "waking the coloring worker and computing the version": emitted - applied,
                    "commit, relay, stream and HTTP": came - emitted,
                }
            )
    parts = ", ".join(
        f"{name} {statistics.median(stage[name] for stage in stages) * 1e3:.1f} ms" for name in stages[0]
    )
    return f"of one call after a rest, medians of {PARTS}: {parts}. In the rhythm the rest is the sender's interval."


def _progress(connection: "psycopg.Connection[tuple[Any, ...]]") -> tuple[int, int]:
    # Any: columns of several types
    """The live run's last record that is durable, and the last that is folded."""
    ((durable, applied),) = connection.execute(
        "SELECT w.durable_seq, w.applied_seq FROM run_writer w JOIN run r ON r.id = w.run_id"
        " WHERE r.public_id = 'live'"
    ).fetchall()
    return durable, applied


def _watch_writer(connection: "psycopg.Connection[tuple[Any, ...]]", before: int) -> tuple[float, float]:
    # Any: columns of several types
    """When a record behind `before` was seen durable, and folded."""
    deadline = time.monotonic() + 60
    durable_at = 0.0
    while time.monotonic() < deadline:
        durable, applied = _progress(connection)
        if durable > before and not durable_at:
            durable_at = time.time()
        if durable_at and applied == durable:
            return durable_at, time.time()
        time.sleep(0.001)
    raise TimeoutError("a call was not folded within 60 s")


def measure(rounds: int) -> Report:
    """The whole path and its bound in turn."""
    with Stack.temporary() as stack, tempfile.TemporaryDirectory() as folder:
        live = LiveColor(stack, folder)
        bound = Bound(stack, live)
        results = alternate({"runhue": live, "bound": bound}, rounds)
        where = where_time_goes(stack, live)
        live.run.finish()
    note = (
        f"A call waits for its sender's next batch: the server asked for one every {min(bound.intervals) * 1e3:.0f} to"
        f" {max(bound.intervals) * 1e3:.0f} ms. The bound is that wait, the same for both, and one fsync and one"
        " Redis hop, measured. A call after a rest waits for no interval, so its bound is fsync and hop alone."
    )
    report = Report(
        id="p4",
        title="log() to a color event at a subscriber",
        command=f"make bench NAME=p4 ({CALLS} calls in a rhythm and {SINGLES} single ones a round,"
        f" {RUNS:,} runs in the workspace)",
        ours="runhue",
        bound="bound",
        better=dict.fromkeys(UNITS, "lower"),
        units=UNITS,
        rounds=results,
        versions={"runhue": __version__},
        notes=[note],
        where=where,
    )
    middle = {
        name: {figure: statistics.median(one[figure] for one in rounds_) for figure in UNITS}
        for name, rounds_ in results.items()
    }
    times = {figure: middle["runhue"][figure] / middle["bound"][figure] for figure in UNITS}
    report.goals = [
        f"p50 within 1.5x of the bound: {times['p50_ms']:.2f}x; a single call {times['single_p50_ms']:.0f}x of fsync and hop",
        f"p99 within 3x of the bound: {times['p99_ms']:.2f}x",
    ]
    return report
