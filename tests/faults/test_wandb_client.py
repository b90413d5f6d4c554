"""Real wandb clients while the server under them fails: every row is there, states are right."""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runhue_server.stack import Stack
from tests.faults.lossy_proxy import LossyProxy
from tests.waiting import eventually
from tests.wandb_clients import NEWEST, OLDEST, WandbClient, client_python

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600), pytest.mark.usefixtures("client_python")]

PROJECT = "faults"
OUTAGE_SECONDS = 15.0

STEADY = """
import sys, time, wandb
run_id, seconds, exit_code = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
run = wandb.init(project="faults", id=run_id, config={"id": run_id})
end = time.monotonic() + seconds
step = 0
while time.monotonic() < end:
    run.log({"step_again": step, "third": step / 3, "text": f"row {step}"})
    step += 1
    time.sleep(0.02)
run.summary["rows"] = step
run.finish(exit_code=exit_code)
print(step)
sys.exit(exit_code)
"""

MANY = """
import sys, threading, wandb
first, runs, rows = (int(argument) for argument in sys.argv[1:])

def log(number):
    run = wandb.init(project="faults", id=f"many-{number}", reinit="create_new", config={"number": number})
    for step in range(rows):
        run.log({"value": number + step / 7, "step_again": step})
    run.finish()

threads = [threading.Thread(target=log, args=(first + number,)) for number in range(runs)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.temporary() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "wandb", ignore_errors=True)


def client_of(stack: Stack, version: str, home: Path, url: str = "") -> WandbClient:
    # Posting each second, so that faults meet posts.
    environ = {"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_SILENT": "true"}
    return WandbClient(version, client_python(version), url or stack.api_url, stack.api_key, home, environ)


def stored(stack: Stack, run: str) -> dict[str, Any]:  # JSON
    """The run with all its rows, once nothing of it waits to be folded."""
    address = f"/api/v1/projects/main/{PROJECT}/runs/{run}"
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60) as http:

        def folded() -> bool:
            health = http.get(f"{address}/health")
            return health.status_code == 200 and health.json()["pending_batches"] == 0

        assert eventually(folded, seconds=60)
        found: dict[str, Any] = http.get(address).raise_for_status().json()
        health = http.get(f"{address}/health").json()
        assert (health["rejections"], health["dead_letters"]) == ([], [])
        rows: list[dict[str, Any]] = []
        after = -1
        while True:
            parameters = {"after": after, "limit": 10_000}
            page = http.get(f"{address}/rows", params=parameters).raise_for_status().json()["rows"]
            if not page:
                return {**found, "rows": rows}
            rows += page
            after = page[-1]["_step"]


def assert_steady(stack: Stack, run: str, count: int) -> dict[str, Any]:  # JSON
    """Each of `count` rows is there once, with its values."""
    found = stored(stack, run)
    seen = [(row["_step"], row["step_again"], row["third"], row["text"]) for row in found["rows"]]
    assert seen == [(step, step, step / 3, f"row {step}") for step in range(count)]
    assert found["summary"]["rows"] == count
    return found


def fail_for(seconds: float, fault: Callable[[], object]) -> threading.Thread:
    """Cause `fault` again and again from now on, in a thread."""

    def run() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fault()
            time.sleep(1.0)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def killing(stack: Stack, name: str) -> Callable[[], object]:
    def kill() -> None:
        if name in stack.processes:
            stack.kill(name, signal.SIGKILL)

    return kill


def test_gateway_and_database_are_killed_for_a_while(stack: Stack, home: Path) -> None:
    """Both are down for 15 s in the middle of two runs: no row is lost, states and exit codes are right."""
    runs = {f"outage-{version.replace('.', '-')}": version for version in (NEWEST, OLDEST)}
    processes = {
        run: client_of(stack, version, home).start(STEADY, run, str(OUTAGE_SECONDS + 8), "3")
        for run, version in runs.items()
    }
    assert eventually(lambda: all(has_rows(stack, run) for run in runs), seconds=60)

    outages = [fail_for(OUTAGE_SECONDS, killing(stack, victim)) for victim in ("gateway", "postgres")]
    ended = {run: process.communicate(timeout=300) for run, process in processes.items()}
    for outage in outages:
        outage.join()
    stack.wait_ready()

    for run, (stdout, stderr) in ended.items():
        assert processes[run].returncode == 3, stderr[-3000:]
        found = assert_steady(stack, run, int(stdout.split()[-1]))
        assert (found["state"], found["exit_code"]) == ("failed", 3)


def has_rows(stack: Stack, run: str) -> bool:
    answer = httpx.get(
        f"{stack.api_url}/api/v1/projects/main/{PROJECT}/runs/{run}",
        headers={"Authorization": f"Bearer {stack.api_key}"},
        timeout=30,
    )
    return answer.status_code == 200 and (answer.json()["last_step"] or 0) > 0


def test_replies_are_lost(stack: Stack, home: Path) -> None:
    """Every third reply to file_stream never arrives, so its lines are sent again: each is stored once."""
    runs = {f"lossy-{version.replace('.', '-')}": version for version in (NEWEST, OLDEST)}
    with LossyProxy(stack.api_url, b"/file_stream", 0.34, seed=5) as proxy:
        processes = {
            run: client_of(stack, version, home, proxy.url).start(STEADY, run, "12", "0")
            for run, version in runs.items()
        }
        ended = {run: process.communicate(timeout=300) for run, process in processes.items()}
        lost = proxy.lost

    assert lost > 1
    for run, (stdout, stderr) in ended.items():
        assert processes[run].returncode == 0, stderr[-3000:]
        found = assert_steady(stack, run, int(stdout.split()[-1]))
        assert (found["state"], found["exit_code"]) == ("finished", 0)


def test_trainer_is_killed_and_resumed(stack: Stack, home: Path) -> None:
    """kill -9 of the script loses at most what its client had not posted; resuming goes on behind it."""
    client = client_of(stack, NEWEST, home)
    process = client.start(STEADY, "killed", "60", "0")
    assert eventually(lambda: has_rows(stack, "killed"), seconds=60)
    process.kill()
    process.communicate()
    resumed = """
import wandb
run = wandb.init(project="faults", id="killed", resume="must")
first = run.starting_step
run.log({"step_again": first, "third": first / 3, "text": f"row {first}"})
run.summary["rows"] = first + 1
run.finish()
print(first)
"""

    done = client.run(resumed)

    assert_steady(stack, "killed", int(done.stdout.split()[-1]) + 1)


def test_fifty_runs_at_once(stack: Stack, home: Path) -> None:
    """Five processes of ten runs each log while the gateway and a worker are killed again and again."""
    rows = 200
    client = client_of(stack, NEWEST, home)
    processes: list[subprocess.Popen[str]] = [
        client.start(MANY, str(first), "10", str(rows)) for first in range(0, 50, 10)
    ]
    faults = [fail_for(6.0, killing(stack, name)) for name in ("gateway", "aggregation")]
    for process in processes:
        _, stderr = process.communicate(timeout=400)
        assert process.returncode == 0, stderr[-3000:]
    for fault in faults:
        fault.join()
    stack.wait_ready()

    for number in range(50):
        found = stored(stack, f"many-{number}")
        seen = [(row["_step"], row["value"], row["step_again"]) for row in found["rows"]]
        assert seen == [(step, number + step / 7, step) for step in range(rows)], number
        assert (found["state"], found["config"]["number"]) == ("finished", number)
