"""One log event through real processes, stop by stop as in docs/event-path.md, with a restart between."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from runhue_server.stack import Stack

pytestmark = pytest.mark.stack

TRAINING = """
    import runhue

    with runhue.init(project="basic-intro", id="{run}", config={{"learning_rate": 0.01}}) as run:
        for step in range({steps}):
            run.log({{"acc": {first} + step / 1000, "loss": 1.0 / (step + 1)}})
"""
COLORS = {"key": {"source": "metric", "name": "acc"}, "y": "max", "buckets": 2, "palette": "default"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.temporary() as running:
        yield running


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=30) as client:
        yield client


def train(stack: Stack, folder: Path, run: str, first: float, steps: int = 10) -> None:
    """A training script in a process of its own."""
    environment = {**os.environ, "RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key}
    script = textwrap.dedent(TRAINING.format(run=run, first=first, steps=steps))
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, check=True, timeout=120)


def until(question: Callable[[], Any], seconds: float = 60) -> Any:  # what the question answers
    """The first true answer; the last one told at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.1)


def coloring(http: httpx.Client, workspace: int) -> dict[str, Any]:
    answer: dict[str, Any] = http.get(f"/api/v1/workspaces/{workspace}/coloring").json()
    return answer


def test_a_log_event_becomes_a_published_color(stack: Stack, http: httpx.Client, tmp_path: Path) -> None:
    """SDK, ingest, inbox, fold, recolor, publish and SSE: each stop shows the event, exactly."""
    train(stack, tmp_path, "low", first=0.1)
    project = until(lambda: _found(http, "/api/v1/projects/main/basic-intro"))
    workspace = project["default_workspace"]

    until(lambda: _metric(http, "low", "acc").get("n") == 10)
    http.put(
        f"/api/v1/workspaces/{workspace}/coloring/settings", json=COLORS, headers={"If-Match": "*"}
    ).raise_for_status()
    path = f"/api/v1/workspaces/{workspace}/coloring/stream"
    with http.stream("GET", path, timeout=httpx.Timeout(10, read=60)) as stream:
        lines = stream.iter_lines()
        train(stack, tmp_path, "high", first=0.8)
        event = next(event for event in _events(lines) if _placed(event, "high"))

    assert event["type"] == "coloring.updated"
    assert _placed(event, "high") == [2]
    settled = until(lambda: _settled(http, workspace, {"low": 0.109, "high": 0.809}))
    assert {run["run_id"]: run["bucket"] for run in settled["runs"]} == {"low": 1, "high": 2}
    # 0.109 + (0.809 - 0.109) / 2, exactly in decimal.
    assert settled["legend"]["thresholds"] == [0.459]
    assert [bucket["label"] for bucket in settled["legend"]["buckets"]] == ["Min - 0.4590", "0.4590 - Max"]
    assert settled["legend"]["legend_id"] == http.get(
        f"/api/v1/legends/{settled['legend']['legend_id']}"
    ).json().get("legend_id")


def test_rows_are_exact_and_the_inbox_is_empty_again(stack: Stack, http: httpx.Client) -> None:
    """Every point reads back bit for bit; nothing stays behind in the inbox or the outbox."""
    rows = http.get("/api/v1/projects/main/basic-intro/runs/low/rows", params={"keys": "acc,loss"}).json()[
        "rows"
    ]

    assert [(row["_step"], row["acc"], row["loss"]) for row in rows] == [
        (step, 0.1 + step / 1000, 1.0 / (step + 1)) for step in range(10)
    ]
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        until(lambda: connection.execute("SELECT count(*) FROM inbox").fetchone() == (0,))
        until(lambda: connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,))


def test_everything_survives_a_kill_in_the_middle(stack: Stack, http: httpx.Client, tmp_path: Path) -> None:
    """A run whose servers are all killed while it logs ends complete and colored."""
    environment = {**os.environ, "RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key}
    script = textwrap.dedent(TRAINING.format(run="through", first=0.4, steps=300)).replace(
        "run.log(", "__import__('time').sleep(0.02); run.log("
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment) as training:
        until(lambda: _metric(http, "through", "acc").get("n", 0) > 0)
        for name in ("postgres", "valkey", "ingest", "aggregation", "coloring", "api", "sweeper"):
            stack.kill(name, signal.SIGKILL)
        stack.wait_ready()
        assert training.wait(timeout=180) == 0

    until(lambda: _metric(http, "through", "acc").get("n") == 300)
    workspace = http.get("/api/v1/projects/main/basic-intro").json()["default_workspace"]
    settled = until(
        lambda: _settled(http, workspace, {"low": 0.109, "high": 0.809, "through": 0.4 + 299 / 1000})
    )
    assert {run["run_id"]: run["bucket"] for run in settled["runs"]} == {"low": 1, "high": 2, "through": 2}


def _found(http: httpx.Client, path: str) -> dict[str, Any] | None:
    try:
        answer = http.get(path)
    except httpx.TransportError:
        return None
    return answer.json() if answer.status_code == 200 else None


def _metric(http: httpx.Client, run: str, name: str) -> dict[str, Any]:
    told = _found(http, f"/api/v1/projects/main/basic-intro/runs/{run}/metrics") or {"metrics": []}
    return next((metric for metric in told["metrics"] if metric["name"] == name), {})


def _settled(http: httpx.Client, workspace: int, values: dict[str, float]) -> dict[str, Any] | None:
    """The coloring once it has these values and none other."""
    now = coloring(http, workspace)
    return now if {run["run_id"]: run["value"] for run in now["runs"]} == values else None


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def _placed(event: dict[str, Any], run: str) -> list[int]:
    """Buckets into which the event puts the run; none while it has no value yet."""
    return [
        changed["bucket"] for changed in event["changed"] if changed["run_id"] == run and changed["bucket"]
    ]
