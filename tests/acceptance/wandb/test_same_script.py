"""One script, run by each wandb client and by our own SDK: the server holds the same."""

import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from runhue_shared.events import flatten
from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

SCRIPT = """
import os, sys
if os.environ["CLIENT"] == "runhue":
    import runhue as wandb
else:
    import wandb
run = wandb.init(
    project=sys.argv[1], id=os.environ["CLIENT"], name="same", notes="what it is for", tags=["one", "two"],
    group="g", job_type="train",
    config={"lr": 1e-4, "layers": [64, 32], "nested": {"deep": {"on": True}}, "name": "net",
            "none": None, "big": 2**40},
)
run.define_metric("val/loss", summary="min,max,mean,last")
run.define_metric("epoch_loss", step_metric="epoch")
for step in range(40):
    row = {
        "loss": 1 / (step + 3), "tiny": 5e-324 * (step + 1), "huge": 1.7976931348623157e308 / (step + 1),
        "count": step, "negative": -step / 7, "flag": step % 2 == 0, "word": f"word {step}",
        "list": [1, 2.5, "x"], "nested": {"a": {"b": step / 11}}, "dots.in.key": step, "slash/key": step,
        "weird key!": step, "ключ": step,
        "val/loss": abs(20 - step) / 3,
    }
    if step % 5 == 0:
        row["sometimes"] = float("nan") if step % 10 else float("inf")
    run.log(row)
run.log({"first": 1}, commit=False)
run.log({"second": 2})
run.log({"jumped": 1}, step=100)
run.log({"jumped_too": 2}, step=100)
run.config.update({"late": 7})
run.config["later"] = [1, 2]
run.summary["best"] = 0.75
run.summary["loss"] = 0.125
run.summary.update({"hand": {"made": 1.5}})
run.tags += ("three",)
run.alert("heads up", "something happened", level="WARN")
run.finish()
"""

CLOCKS = ("_runtime", "_timestamp")


def run_ours(client: WandbClient, project: str) -> None:
    """The script by our own SDK, with the same two things set."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(client.home),
        "TMPDIR": tempfile.gettempdir(),
        "CLIENT": "runhue",
        "RUNHUE_BASE_URL": client.base_url,
        "RUNHUE_API_KEY": client.api_key,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, project],
        cwd=client.home,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def stored(doors: Doors, project: str, run: str) -> dict[str, Any]:  # JSON
    """Everything of a run that does not name the client, the process or the time."""
    address = f"/api/v1/projects/{doors.team}/{project}/runs/{run}"

    def get(path: str, **parameters: str | int) -> Any:  # JSON
        return doors.http.get(address + path, params=parameters).raise_for_status().json()

    def settled() -> bool:
        now = get("")
        return bool(now["state"] == "finished" and now["health"]["pending_batches"] == 0)

    assert eventually(settled, seconds=60)
    whole = get("")
    return {
        "attributes": {
            name: whole[name]
            for name in (
                "name",
                "notes",
                "tags",
                "group",
                "job_type",
                "state",
                "exit_code",
                "last_step",
                "config",
            )
        },
        # The client keeps a nested value nested; its leaves have the names that ours has.
        "summary": {name: value for name, value in flatten(whole["summary"]).items() if name not in CLOCKS},
        "rows": [
            {name: value for name, value in row.items() if name not in CLOCKS}
            for row in get("/rows", limit=1000)["rows"]
        ],
        "metrics": {
            f"{metric['name']} {metric['type']}": metric
            for metric in get("/metrics")["metrics"]
            if metric["name"] not in CLOCKS
        },
        "alerts": [
            {name: alert[name] for name in ("title", "text", "level")} for alert in get("/alerts")["alerts"]
        ],
        "refused": (whole["health"]["rejections"], whole["health"]["dead_letters"]),
    }


def test_same_script_is_stored_alike(client: WandbClient, doors: Doors, project: str) -> None:
    """Rows bit for bit, statistics, config, summary, attributes and alerts; nothing of either was refused."""
    client.run(SCRIPT, project, CLIENT="wandb")
    run_ours(client, project)

    theirs, ours = (stored(doors, project, run) for run in ("wandb", "runhue"))

    assert theirs["refused"] == ours["refused"] == ([], [])
    for part in ("attributes", "rows", "metrics", "summary", "alerts"):
        assert theirs[part] == ours[part], part
