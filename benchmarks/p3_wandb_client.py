"""P3: rows of the unmodified wandb client: against a server that discards, and recorded traffic replayed."""

import gzip
import itertools
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg

from benchmarks.harness import ROOT, Figures, Report, alternate, peer_python, peer_versions, ratio, run_json
from benchmarks.p2_pipeline import wait_for
from benchmarks.processes import cpu_seconds
from runhue import __version__
from runhue_server.stack import Stack

RUNS, ROWS, METRICS = 8, 3_000, 12
POINTS = RUNS * ROWS * METRICS
REPLAYED_RUNS, REPLAYED_ROWS = 24, 20_000
CONNECTIONS = 8
GOAL = 0.95

Post = bytes
"""Body of one file_stream request as the client sent it."""


class Client:
    """The client in a process of its own logs to a server; counts the points it was rid of in a second."""

    def __init__(self, url: str, key: str) -> None:
        self._environment = {"WANDB_BASE_URL": url, "WANDB_API_KEY": key, "WANDB_MODE": "online"}
        self._rounds = itertools.count()

    def __call__(self) -> Figures:
        script = ROOT / "benchmarks" / "peers" / "log_wandb_runs.py"
        with tempfile.TemporaryDirectory() as folder:
            environment = {**self._environment, "HOME": folder, "WANDB_DIR": folder}
            sizes = (str(number) for number in (RUNS, ROWS, METRICS))
            command: list[str | Path] = [peer_python("wandb"), script, f"r{next(self._rounds)}", *sizes]
            told = run_json(command, environment=environment)
        return {"client": POINTS / float(told["seconds"])}


@contextmanager
def discarding(folder: Path | None = None) -> Iterator[str]:
    """A server that keeps nothing, or only the bodies it gets; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [str(port), *([str(folder)] if folder else [])]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.discarding_server", *arguments], cwd=ROOT)
    try:
        wait_for(f"http://127.0.0.1:{port}/ready", 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def record() -> list[Post]:
    """What the client posts of one run of `REPLAYED_ROWS` rows."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        script = ROOT / "benchmarks" / "peers" / "log_wandb_runs.py"
        with discarding(Path(folder)) as url:
            environment = {"WANDB_BASE_URL": url, "WANDB_API_KEY": "0" * 40, "HOME": home, "WANDB_DIR": home}
            sizes = ("1", str(REPLAYED_ROWS), str(METRICS))
            run_json([peer_python("wandb"), script, "recorded", *sizes], environment=environment)
        return [file.read_bytes() for file in sorted(Path(folder).iterdir())]


class Replay:
    """Sends recorded posts as many runs at once; waits until every row is folded, and checks the count."""

    def __init__(self, stack: Stack, posts: list[Post], *, compressed: bool) -> None:
        self._stack = stack
        self._headers = {"Content-Type": "application/json"}
        if compressed:
            self._headers["Content-Encoding"] = "gzip"
        self._posts = [gzip.compress(post, 6) if compressed else post for post in posts]
        self._name = "gzip" if compressed else "plain"
        self._rounds = itertools.count()
        self.points = REPLAYED_RUNS * REPLAYED_ROWS * METRICS
        self.cpu: list[dict[str, float]] = []

    def __call__(self) -> Figures:
        project = f"replay-{self._name}-{next(self._rounds)}"
        stack = self._stack
        with httpx.Client(base_url=stack.gateway_url, auth=("api", stack.api_key), timeout=180) as http:
            for run in range(REPLAYED_RUNS):
                self._begin(http, project, f"run-{run}")
            before = cpu_seconds(stack.processes)
            began = time.perf_counter()
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                list(pool.map(lambda run: self._send(http, project, f"run-{run}"), range(REPLAYED_RUNS)))
            durable = time.perf_counter() - began
            self._wait_applied(project)
            applied = time.perf_counter() - began
        after = cpu_seconds(stack.processes)
        self.cpu.append({name: (after[name] - before[name]) / self.points * 1e9 for name in before})
        return {"applied": self.points / applied, "durable": self.points / durable}

    def _begin(self, http: httpx.Client, project: str, run: str) -> None:
        query = (
            "mutation UpsertBucket($project: String, $name: String, $host: String) {"
            " upsertBucket(input: {modelName: $project, name: $name, host: $host}) { bucket { name } } }"
        )
        variables = {"project": project, "name": run, "host": "recorded"}
        body = {"query": query, "operationName": "UpsertBucket", "variables": variables}
        http.post("/graphql", json=body).raise_for_status()

    def _send(self, http: httpx.Client, project: str, run: str) -> None:
        for post in self._posts:
            url = f"/files/main/{project}/{run}/file_stream"
            answer = http.post(url, content=post, headers=self._headers)
            answer.raise_for_status()

    def _wait_applied(self, project: str) -> None:
        question: LiteralString = (
            "SELECT bool_and(w.applied_seq = w.durable_seq), count(DISTINCT r.id),"
            " (SELECT sum(v.n) FROM run_metric v JOIN metric m ON m.id = v.metric_id JOIN run q ON q.id = v.run_id"
            "  JOIN project p ON p.id = q.project_id WHERE p.name = %(name)s AND m.name LIKE 'metric_%%')"
            " FROM run_writer w JOIN run r ON r.id = w.run_id JOIN project p ON p.id = r.project_id"
            " WHERE p.name = %(name)s"
        )
        deadline = time.monotonic() + 300
        with psycopg.connect(self._stack.database_url, autocommit=True) as connection:
            while time.monotonic() < deadline:
                row = connection.execute(question, {"name": project}).fetchall()[0]
                if row[0] and row[1:] == (REPLAYED_RUNS, self.points):
                    return
                time.sleep(0.05)
        raise TimeoutError(f"not all points of {project} were applied within 300 s: {row}")


def measure(rounds: int) -> Report:
    """The client against us and against nothing in turn; then its recorded posts as fast as they go."""
    posts = record()
    lines = sum(history_lines(post) for post in posts)
    if lines != REPLAYED_ROWS:
        raise AssertionError(f"{lines} rows were recorded, {REPLAYED_ROWS} were logged")
    with Stack.temporary() as stack, discarding() as nothing:
        results = alternate(
            {
                "runhue": Client(stack.api_url, stack.api_key),
                "a server that discards (bound)": Client(nothing, "0" * 40),
            },
            rounds,
        )
        replays = {
            "runhue": Replay(stack, posts, compressed=False),
            "gzip": Replay(stack, posts, compressed=True),
        }
        replayed = alternate(replays, rounds)
    report = Report(
        id="p3",
        title="The unmodified wandb client",
        command=f"make bench NAME=p3 ({RUNS} runs at once of {ROWS:,} rows x {METRICS} metrics)",
        ours="runhue",
        bound="a server that discards (bound)",
        better={"client": "higher"},
        units={"client": "points/s from the first log() to the end of finish()"},
        rounds=results,
        versions={"runhue": __version__, **peer_versions(["wandb"])},
        notes=[replay_note(name, replay, replayed[name]) for name, replay in replays.items()],
    )
    share = 1 / ratio(report, "client", "a server that discards (bound)")
    middle = statistics.median(one["applied"] for one in replayed["runhue"]) / 1e6
    report.goals = [
        f"95 % of what the client can do against a server that discards: {1 / share:.0%}",
        f"at least 1 M points/s applied from recorded traffic: {middle:.2f} M",
    ]
    plain = replays["runhue"]
    report.where = "CPU ns a point while recorded posts are replayed: " + ", ".join(
        f"{name} {statistics.mean(cpu[name] for cpu in plain.cpu):.0f}" for name in plain.cpu[0]
    )
    return report


def replay_note(name: str, replay: Replay, rounds: list[Figures]) -> str:
    """A sentence on posts that were recorded once and sent again as other runs."""
    applied = sorted(one["applied"] / 1e6 for one in rounds)
    durable = statistics.median(one["durable"] for one in rounds) / 1e6
    kind = "compressed by gzip" if name == "gzip" else "as they were"
    return (
        f"Recorded posts {kind}, as {REPLAYED_RUNS} runs of {REPLAYED_ROWS:,} rows x {METRICS} metrics over"
        f" {CONNECTIONS} connections ({replay.points:,} points): {durable:.2f} M points/s acknowledged,"
        f" {statistics.median(applied):.2f} M [{applied[0]:.2f} .. {applied[-1]:.2f}] applied."
    )


def history_lines(post: Post) -> int:
    """How many rows a recorded post holds."""
    files = json.loads(post).get("files", {})
    return len(files.get("wandb-history.jsonl", {}).get("content", []))
