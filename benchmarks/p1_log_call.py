"""P1: cost of one log() of 10 scalars, and until all is durable, beside peers and a bare file write."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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
SECONDS = 12.0
PEERS = ["wandb", "trackio", "mlflow", "swanlab", "tensorboardX"]
PEER_SETUP = (
    "Peers: wandb and swanlab offline, trackio local, mlflow on SQLite, tensorboardX to a file; runhue online"
    " sends to its stack on the same two cores meanwhile."
)
DURABLE = "durable_us: for runhue online all is committed in Postgres; for the others in their own file."
CALLER = ROOT / "benchmarks" / "peers" / "call_log.py"


def caller(python: Path | str, tool: str, **environment: str) -> Subject:
    """A subject: a fresh process that calls the tool's log() until CALLS or SECONDS are reached."""

    def measure() -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            told = run_json(
                [python, CALLER, tool, str(CALLS), str(SECONDS), folder], timeout=600, **environment
            )
        return {name: float(value) for name, value in told.items()}

    return measure


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
        rows = run_json([own_python(), str(CALLER), "runhue-recover", "0", "0", folder], **environment)[
            "rows"
        ]
    return f"{rows:,} of 5,000 returned calls are on the server after kill -9 and `runhue sync`"


def measure(rounds: int) -> Report:
    """Ours online and offline, peers, and the bound, in turn."""
    with Stack.temporary() as stack:
        online = {"RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key}
        subjects = {
            "bare write + flush": caller(own_python(), "bare"),
            "runhue online": caller(own_python(), "runhue", **online),
            "runhue offline": caller(own_python(), "runhue", RUNHUE_MODE="offline"),
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
        better=dict.fromkeys(("median_us", "p99_us", "cpu_us", "durable_us"), "lower"),
        units={
            "median_us": "us",
            "p99_us": "us",
            "cpu_us": "us of all threads",
            "durable_us": "us a call until finish() returned",
        },
        rounds=results,
        versions={"runhue": __version__, **peer_versions(PEERS)},
        notes=[PEER_SETUP, kept + ".", DURABLE],
    )
    report.goals = [
        f"median at most 1/10 of wandb's: 1/{ratio(report, 'median_us', 'wandb'):.1f}",
        "lower than every peer: " + json.dumps({p: f"x{ratio(report, 'median_us', p):.1f}" for p in PEERS}),
        f"distance to the bound: x{1 / ratio(report, 'median_us', 'bare write + flush'):.1f}",
    ]
    report.where = where()
    return report


def where() -> str:
    """Shares of one call, each part timed alone in a loop."""
    parts = run_json([sys.executable, CALLER, "parts", "20000", "60", tempfile.gettempdir()])
    return ", ".join(f"{name} {value:.2f} us" for name, value in parts.items()) + " (each part timed alone)."
