"""P1: cost of one log() of 10 scalars, and until all is durable, beside peers and a bare file write."""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from benchmarks.harness import (
    ROOT,
    Figures,
    Report,
    Subject,
    alternate,
    own_python,
    peer_python,
    peer_versions,
    ratio,
    run_json,
)
from runhue import __version__
from runhue_server.stack import Stack

CALLS = 100_000
SECONDS = 4.0
PEERS = ["wandb", "trackio", "mlflow", "swanlab", "tensorboardX"]
PEER_SETUP = (
    "Peers: wandb and swanlab offline, trackio local, mlflow on SQLite, tensorboardX to a file; runhue online"
    " sends to its stack on the same two cores meanwhile."
)
DURABLE = (
    "durable_us: until finish() returned. For runhue online every call is then committed in Postgres, and each"
    " round ends with a count of the points there; for the others it is in their own file or database."
)
UNITS = {
    "median_us": "us",
    "p99_us": "us",
    "cpu_us": "us a call, all threads and children",
    "durable_us": "us a call until finish() returned",
}
CALLER = ROOT / "benchmarks" / "peers" / "call_log.py"


def caller(python: Path | str, tool: str, environment: Mapping[str, str] | None = None) -> Subject:
    """A subject: a fresh process that calls the tool's log() until CALLS or SECONDS are reached."""

    def measure() -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            command = [python, CALLER, tool, str(CALLS), str(SECONDS), folder]
            told = run_json(command, timeout=600, environment=environment)
        return {name: float(told[name]) for name in UNITS}

    return measure


def online_caller(stack: Stack) -> Subject:
    """A subject that sends to the stack; fails unless every call has become a point there."""
    rounds = itertools.count()

    def measure() -> Figures:
        run = f"round-{next(rounds)}"
        environment = {
            "RUNHUE_BASE_URL": stack.api_url,
            "RUNHUE_API_KEY": stack.api_key,
            "RUNHUE_RUN_ID": run,
        }
        with tempfile.TemporaryDirectory() as folder:
            command = [own_python(), str(CALLER), "runhue", str(CALLS), str(SECONDS), folder]
            told = run_json(command, timeout=600, environment=environment)
        wait_for_points(stack, f"/api/v1/projects/main/p1/runs/{run}/metrics", int(told["calls"]))
        return {name: float(told[name]) for name in UNITS}

    return measure


def wait_for_points(stack: Stack, path: str, points: int) -> None:
    """Until metric_0 has so many points; folding may go on after finish(), losing may not."""
    deadline = time.monotonic() + 60
    with httpx.Client(base_url=stack.api_url, headers={"Authorization": f"Bearer {stack.api_key}"}) as http:
        while True:
            found = {metric["name"]: metric["n"] for metric in http.get(path).json()["metrics"]}
            if found.get("metric_0") == points:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{found.get('metric_0')} of {points} calls are on the server")
            time.sleep(0.1)


def kept_after_kill(url: str, key: str) -> str:
    """Kill -9 a process that has made 5,000 calls and sync what it left: how many rows arrive."""
    with tempfile.TemporaryDirectory() as folder:
        command = [own_python(), str(CALLER), "runhue-killed", "5000", "60", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != -9:
            raise RuntimeError(
                f"the caller should have killed itself, exited {done.returncode}: {done.stderr}"
            )
        environment = {"RUNHUE_BASE_URL": url, "RUNHUE_API_KEY": key}
        command = [own_python(), str(CALLER), "runhue-recover", "5000", "60", folder]
        rows = run_json(command, environment=environment)["rows"]
    return f"{rows:,} of 5,000 returned calls are on the server after kill -9 and `runhue sync`"


def measure(rounds: int) -> Report:
    """Ours online and offline, peers, and the bound, in turn."""
    with Stack.temporary() as stack:
        subjects = {
            "bare write + flush": caller(own_python(), "bare"),
            "runhue online": online_caller(stack),
            "runhue offline": caller(own_python(), "runhue", {"RUNHUE_MODE": "offline"}),
            **{peer: caller(peer_python(peer), peer) for peer in PEERS},
        }
        results = alternate(subjects, rounds)
        kept = kept_after_kill(stack.api_url, stack.api_key)
    report = Report(
        id="p1",
        title="One log() of 10 scalars",
        command=f"make bench NAME=p1 (up to {CALLS:,} calls or {SECONDS:.0f} s a subject and round)",
        ours="runhue online",
        bound="bare write + flush",
        better=dict.fromkeys(UNITS, "lower"),
        units=UNITS,
        rounds=results,
        versions={"runhue": __version__, **peer_versions(PEERS)},
        notes=[PEER_SETUP, kept + ".", DURABLE],
    )
    report.goals = [
        f"median at most 1/10 of wandb's: 1/{ratio(report, 'median_us', 'wandb'):.1f}",
        "lower than every peer: " + json.dumps({p: f"x{ratio(report, 'median_us', p):.1f}" for p in PEERS}),
        f"distance to the bound: x{1 / ratio(report, 'median_us', 'bare write + flush'):.1f}",
    ]
    offline = statistics.median(figures["median_us"] for figures in results["runhue offline"])
    report.where = where(offline)
    return report


def where(call_us: float) -> str:
    """The parts of one call, each timed alone in a loop."""
    command = [sys.executable, str(CALLER), "parts", "20000", "60", tempfile.gettempdir()]
    parts = run_json(command)
    told = ", ".join(f"{name} {value:.2f} us" for name, value in parts.items())
    return (
        f"of the {call_us:.2f} us of a call offline, each part timed alone: {told}; the other"
        f" {call_us - sum(parts.values()):.2f} us are the interpreter's: checks, locks and function calls."
    )
