"""P2: points a second durable and queryable, whole pipeline, beside peers' servers and a binary COPY."""

import itertools
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import httpx
import psycopg

from benchmarks.harness import ROOT, Figures, Report, alternate, peer_python, peer_versions, ratio, run_json
from benchmarks.load import METRICS, PreparedBatch, prepare, send_all, start_writers
from benchmarks.processes import cpu_seconds
from runhue import __version__
from runhue_server.stack import Stack
from runhue_shared.db.tails import COMPACT_ROWS

RUNS = 200
BATCHES = 20
ROWS = 100
CONNECTIONS = 16
POINTS = RUNS * BATCHES * ROWS * METRICS
PEER_SECONDS = 8.0
SETTLE_SECONDS = 40.0  # mlflow's server stays busy after its health check passes
LONG_RUNS, LONG_BATCHES, LONG_ROUNDS = 40, 100, 3
TRACKIO = {"TRACKIO_WRITE_TOKEN": "benchmark-on-this-machine-only"}
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_ROW = struct.Struct(">hiiiiiqid")


class Pipeline:
    """Sends prepared batches to new runs, waits until all is folded, and keeps CPU by process."""

    def __init__(self, stack: Stack, name: str, runs: int, batches: int) -> None:
        self._stack = stack
        self._name = name
        self._runs = [f"run-{number}" for number in range(runs)]
        self._rows = batches * ROWS
        self._batches: list[list[PreparedBatch]] = [prepare(run, batches, ROWS) for run in range(runs)]
        self._rounds = itertools.count()
        self.points = runs * self._rows * METRICS
        self.cpu: list[dict[str, float]] = []

    def __call__(self) -> Figures:
        project = f"{self._name}-{next(self._rounds)}"
        stack = self._stack
        writers = start_writers(stack.ingest_url, stack.api_key, project, self._runs)
        before = cpu_seconds(stack.processes)
        began = time.perf_counter()
        latencies = send_all(stack.ingest_url, stack.api_key, writers, self._batches, CONNECTIONS)
        durable = time.perf_counter() - began
        last = self._rows - 1
        self._wait("SELECT bool_and(applied_seq = %s) FROM run_writer WHERE id = ANY(%s)", (last, writers))
        applied = time.perf_counter() - began
        after = cpu_seconds(stack.processes)
        self._check_queryable(project)
        self.cpu.append({name: (after[name] - before[name]) / self.points * 1e9 for name in before})
        latencies.sort()
        return {
            "applied": self.points / applied,
            "durable": self.points / durable,
            "ack_p50_ms": latencies[len(latencies) // 2] * 1e3,
            "server_ns": sum(self.cpu[-1].values()),
        }

    def until_compacted(self) -> Figures:
        """The same, on until no run's tail is long enough to be compacted."""
        began = time.perf_counter()
        figures = self()
        self._wait("SELECT coalesce(max(rows), 0) < %s FROM run_tail", (COMPACT_ROWS,))
        return {**figures, "compacted": self.points / (time.perf_counter() - began)}

    def _wait(self, question: LiteralString, parameters: Sequence[object]) -> None:
        with psycopg.connect(self._stack.database_url, autocommit=True) as connection:
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline:
                row = connection.execute(question, parameters).fetchone()
                if row and row[0]:
                    return
                time.sleep(0.02)
        raise TimeoutError(f"not so within 300 s: {question}")

    def _check_queryable(self, project: str) -> None:
        for run in (self._runs[0], self._runs[-1]):
            path = f"/api/v1/projects/main/{project}/runs/{run}/metrics"
            answer = httpx.get(
                self._stack.api_url + path,
                headers={"Authorization": f"Bearer {self._stack.api_key}"},
                timeout=30,
            )
            counts = {metric["name"]: metric["n"] for metric in answer.json()["metrics"]}
            if counts["metric_0"] != self._rows or counts[f"metric_{METRICS - 1}"] != self._rows:
                raise AssertionError(f"{project}/{run} misses points: {counts}")


class BinaryCopy:
    """The same number of points by one binary COPY into a plain table on the same Postgres, fsync on."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.database_url
        rows = (
            COPY_ROW.pack(4, 4, run, 4, metric, 8, step, 8, 1.0 / (step + 1))
            for run in range(RUNS)
            for step in range(BATCHES * ROWS // 10)
            for metric in range(METRICS)
        )
        self._data = b"".join(rows)
        self._points = POINTS // 10

    def __call__(self) -> Figures:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS p2_bound")
            connection.execute("CREATE TABLE p2_bound (run int, metric int, step bigint, value float8)")
            began = time.perf_counter()
            with connection.cursor().copy("COPY p2_bound FROM STDIN (FORMAT binary)") as copy:
                copy.write(COPY_HEADER + self._data + b"\xff\xff")
            took = time.perf_counter() - began
            connection.execute("DROP TABLE p2_bound")
        return {"applied": self._points / took, "durable": self._points / took}


@contextmanager
def mlflow_server(stack: Stack) -> Iterator[str]:
    """mlflow's server with two workers on a database of the stack's Postgres."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE mlflow")
        info = connection.info
        store = f"postgresql+psycopg2://{info.user}@/mlflow?host={info.host}"
    command = ["-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "2", "--port", "50917"]
    with served(["mlflow", *command], "http://127.0.0.1:50917/health") as url:
        yield url


@contextmanager
def served(command: list[str], health: str) -> Iterator[str]:
    """A peer's server, from when it answers until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        peer, *arguments = command
        environment = {
            "PATH": f"{peer_python(peer).parent}:/usr/bin:/bin",
            "HOME": folder,
            "TRACKIO_DIR": folder,
            **TRACKIO,
        }
        process = subprocess.Popen(
            [peer_python(peer), *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(health, 180)
            yield health.rsplit("/", 1)[0]
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(url: str, seconds: float) -> None:
    """Until a GET answers below 500."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(url, timeout=5).status_code < 500:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not answer within {seconds} s")
        time.sleep(0.2)


def peer_load(peer: str, url: str) -> Figures:
    """Points a second that the peer's own client stores, proven by reading them back."""
    script = ROOT / "benchmarks" / "peers" / f"load_{peer}.py"
    token = [*TRACKIO.values()] if peer == "trackio" else []
    told: dict[str, Any] = run_json([peer_python(peer), script, url, *token, str(PEER_SECONDS)])
    return {name: float(value) for name, value in told.items()}


def measure(rounds: int) -> Report:
    """Ours, the bound, and peers' servers in turn."""
    with (
        Stack.temporary() as stack,
        mlflow_server(stack) as mlflow,
        served(
            ["trackio", str(ROOT / "benchmarks/peers/serve_trackio.py"), "50918"], "http://127.0.0.1:50918/"
        ) as trackio,
    ):
        pipeline = Pipeline(stack, "p2", RUNS, BATCHES)
        time.sleep(SETTLE_SECONDS)
        results = alternate(
            {
                "runhue": pipeline,
                "binary COPY (bound)": BinaryCopy(stack),
                "mlflow server": lambda: peer_load("mlflow", mlflow),
                "trackio server": lambda: peer_load("trackio", trackio),
            },
            rounds,
        )
        long = Pipeline(stack, "p2-long", LONG_RUNS, LONG_BATCHES)
        compacted = [long.until_compacted() for _ in range(LONG_ROUNDS)]
    report = Report(
        id="p2",
        title="Points a second, durable and queryable",
        command=f"make bench NAME=p2 ({RUNS} runs, batches of {ROWS} rows x {METRICS} metrics, {POINTS:,} points)",
        ours="runhue",
        bound="binary COPY (bound)",
        better={"applied": "higher", "durable": "higher", "ack_p50_ms": "lower", "server_ns": "lower"},
        units={
            "applied": "points/s folded and queryable",
            "durable": "points/s acknowledged",
            "ack_p50_ms": "ms",
            "server_ns": "CPU ns a point, all processes",
        },
        rounds=results,
        versions={"runhue": __version__, **peer_versions(["mlflow", "trackio"])},
        notes=[
            "fsync is on; batches are prepared before; load, servers and workers share the two cores.",
            "Time and runtime of each row are stored as two more series and not counted as points.",
            long_runs(long.points, compacted),
        ],
    )
    middle = sorted(figures["applied"] for figures in results["runhue"])[rounds // 2]
    report.goals = [
        f"at least 1.5 M points/s: {middle / 1e6:.2f} M ({middle / 2.25e6:.2f} of the prototype's 2.1 to 2.4 M)",
        f"14x trackio's server: x{ratio(report, 'applied', 'trackio server'):.0f}",
        f"200x mlflow's: x{ratio(report, 'applied', 'mlflow server'):.0f}",
    ]
    report.where = "CPU ns a point: " + ", ".join(
        f"{name} {sum(cpu[name] for cpu in pipeline.cpu) / len(pipeline.cpu):.0f}" for name in pipeline.cpu[0]
    )
    return report


def long_runs(points: int, rounds: list[Figures]) -> str:
    """A sentence on runs that are long enough to be compacted while they log."""
    told = {
        figure: f"{statistics.median(one[figure] for one in rounds) / 1e6:.2f} M"
        for figure in ("durable", "applied", "compacted")
    }
    return (
        f"Long runs ({LONG_RUNS} of {LONG_BATCHES * ROWS:,} rows, {points:,} points, {LONG_ROUNDS} rounds), which are"
        f" compacted meanwhile: {told['durable']} points/s acknowledged, {told['applied']} applied,"
        f" {told['compacted']} until no tail is left to compact."
    )
