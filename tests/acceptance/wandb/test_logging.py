"""Real clients log a run; what is stored is what the script said."""

import json
import math
import time

import pytest

from tests.acceptance.wandb.conftest import Doors
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

LOG = """
import sys, wandb
run = wandb.init(project=sys.argv[1], id="r1", name="first", config={"lr": 0.1, "nested": {"a": {"b": 1}}},
                 tags=["t1"], notes="hello", group="g1", job_type="train")
run.define_metric("val/*", step_metric="epoch", summary="min")
values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), 2**53 + 1, -5, True, None]
values.append("text")
for step, value in enumerate(values):
    run.log({"v": value, "deep": {"x": {"y": step}}, "a.b": step, "weird key!": step,
             "val/loss": 1 / (step + 1), "epoch": step, "list": [1, 2.5]})
run.log({"open": 1}, commit=False)
run.log({"jump": 1}, step=50)
run.config.update({"late": 5})
run.summary["best"] = 0.99
print("a line on stdout")
print("a line on stderr", file=sys.stderr)
run.alert("title", "text", level="WARN")
run.finish()
"""

MANY = """
import sys, wandb
run = wandb.init(project=sys.argv[1], id="many", settings=wandb.Settings(console="off"))
for step in range(50_000):
    run.log({"loss": step / 3, "acc": 1 - step / 7})
run.finish()
"""

EXITS = """
import sys, wandb
run = wandb.init(project=sys.argv[1], id=sys.argv[2])
run.log({"v": 1})
if sys.argv[2] == "raises":
    raise RuntimeError("the training broke")
if sys.argv[2] == "exits":
    sys.exit(7)
run.finish(exit_code=int(sys.argv[3]))
"""

SHARED = """
import os, subprocess, sys, wandb
project, label = sys.argv[1:3]
primary = label == "n0"
settings = wandb.Settings(mode="shared", x_label=label, x_primary=primary, x_update_finish_state=primary)
run = wandb.init(project=project, id="shared", settings=settings)
worker = None
if primary:
    environ = {key: value for key, value in os.environ.items() if "SERVICE" not in key}
    worker = subprocess.Popen([sys.executable, "-c", os.environ["SCRIPT"], project, "n1"], env=environ)
for step in range(5):
    run.log({label: step})
if worker is not None:
    assert worker.wait(120) == 0
run.finish()
"""

STOP = """
import sys, time, wandb
run = wandb.init(project=sys.argv[1], id="stopped")
try:
    for step in range(600):
        run.log({"v": step})
        print("logged", flush=True)
        time.sleep(0.2)
except KeyboardInterrupt:
    run.finish(exit_code=1)
    sys.exit(5)
"""


def run_of(doors: Doors, project: str, run: str) -> dict[str, object]:
    """The run as our own API tells it."""
    answer = doors.http.get(f"/api/v1/projects/{doors.team}/{project}/runs/{run}").raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def rows_of(doors: Doors, project: str, run: str) -> list[dict[str, object]]:
    """All rows, without times."""
    path = f"/api/v1/projects/{doors.team}/{project}/runs/{run}/rows"
    lines = doors.http.get(path, params={"format": "ndjson"}).raise_for_status().text.splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k not in ("_timestamp", "_runtime")} for line in lines
    ]


def settled(doors: Doors, project: str, run: str, seconds: float = 60.0) -> dict[str, object]:
    """The run once it is over."""
    deadline = time.monotonic() + seconds
    while (found := run_of(doors, project, run))["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_a_script_logs_a_run(client: WandbClient, doors: Doors, project: str) -> None:
    """Rows, config, attributes, summary, console and alerts are those of the script, value for value."""
    client.run(LOG, project)

    run = settled(doors, project, "r1")
    rows = {row["_step"]: row for row in rows_of(doors, project, "r1")}
    assert (run["state"], run["exit_code"], run["name"]) == ("finished", 0, "first")
    assert (run["notes"], run["tags"], run["group"], run["job_type"]) == ("hello", ["t1"], "g1", "train")
    assert run["config"] == {"lr": 0.1, "nested": {"a": {"b": 1}}, "late": 5}
    expected = [
        0.1,
        1 / 3,
        5e-324,
        1.7976931348623157e308,
        "NaN",
        "Infinity",
        2**53 + 1,
        -5,
        True,
        None,
        "text",
    ]
    assert [rows[step].get("v") for step in range(11)] == expected
    assert rows[3] == {
        "_step": 3,
        "v": 1.7976931348623157e308,
        "deep.x.y": 3,
        "a.b": 3,
        "weird key!": 3,
        "val/loss": 0.25,
        "epoch": 3,
        "list": [1, 2.5],
    }
    assert rows[50] == {"_step": 50, "jump": 1}
    assert rows[11] == {"_step": 11, "open": 1}
    assert isinstance(run["summary"], dict)
    assert run["summary"]["best"] == 0.99
    assert math.isclose(run["summary"]["val/loss.min"], 1 / 11)
    base = f"/api/v1/projects/{doors.team}/{project}/runs/r1"
    console = doors.http.get(f"{base}/console").json()["lines"]
    told = {line["text"]: line["stream"] for line in console}
    assert told["a line on stdout"] == "stdout"
    assert told["a line on stderr"] == "stderr"
    (alert,) = doors.http.get(f"{base}/alerts").json()["alerts"]
    assert (alert["title"], alert["text"], alert["level"]) == ("title", "text", "warn")
    health = doors.http.get(f"{base}/health").json()
    assert (health["rejections"], health["dead_letters"]) == ([], [])


def test_fifty_thousand_rows_arrive(newest: WandbClient, doors: Doors, project: str) -> None:
    """A script that logs as fast as it can loses no row and no bit."""
    newest.run(MANY, project)

    assert settled(doors, project, "many")["state"] == "finished"
    rows = rows_of(doors, project, "many")
    assert [row["_step"] for row in rows] == list(range(50_000))
    assert all(row["loss"] == step / 3 and row["acc"] == 1 - step / 7 for step, row in enumerate(rows))


@pytest.mark.parametrize(
    ("how", "code", "state"),
    [("finishes", 0, "finished"), ("fails", 3, "failed"), ("raises", 1, "failed"), ("exits", 7, "failed")],
)
def test_how_a_script_ends_is_how_its_run_ends(
    newest: WandbClient, doors: Doors, project: str, how: str, code: int, state: str
) -> None:
    """Exit codes, exceptions and `finish(exit_code=)` are told as the client tells them."""
    newest.run(EXITS, project, how, str(code), check=False)

    run = settled(doors, project, how)
    assert (run["state"], run["exit_code"]) == (state, code)


def test_processes_share_a_run(newest: WandbClient, doors: Doors, project: str) -> None:
    """Two processes in shared mode log to one run; the one that ends it decides how."""
    newest.run(SHARED, project, "n0", SCRIPT=SHARED)

    run = settled(doors, project, "shared")
    assert (run["state"], run["exit_code"]) == ("finished", 0)
    assert rows_of(doors, project, "shared") == [{"_step": step, "n0": step, "n1": step} for step in range(5)]


def test_a_run_that_is_told_to_stop_stops(client: WandbClient, doors: Doors, project: str) -> None:
    """Stopping a run on its page interrupts the script."""
    process = client.start(STOP, project)
    assert process.stdout is not None
    while "logged" not in process.stdout.readline():
        assert process.poll() is None

    doors.http.post(f"/api/v1/projects/{doors.team}/{project}/runs/stopped/stop").raise_for_status()

    process.communicate(timeout=120)
    assert process.returncode == 5
    assert settled(doors, project, "stopped")["state"] == "failed"
