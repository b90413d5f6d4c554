"""Real clients read runs by `wandb.Api()` and change them, runs that they logged and runs of our own SDK."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runhue_server.stack import Stack
from tests.acceptance.wandb.conftest import AtOnce, Doors
from tests.wandb_clients import NEWEST, RECENT, Finished, WandbClient

pytestmark = pytest.mark.stack

LOG = """
import math, sys
import numpy, wandb
run = wandb.init(project=sys.argv[1], id="r1", name="first", group="g", job_type="train", tags=["a"],
    notes="n",
    config={"lr": 0.1, "opt": {"name": "adam", "value": 3}, "a.b": True, "list": [1, 2], "none": None})
print("line one")
print("line two", file=sys.stderr)
for step in range(10):
    row = {"loss": 1 / (step + 1), "deep": {"x": {"y": step}}, "weird key!": step, "g.h": -step,
        "nan": math.nan, "inf": -math.inf, "big": 2**53 + 1, "text": f"s{step}", "flag": step % 2 == 0,
        "list": [1, step]}
    run.log({**row, "odd": step} if step % 2 else row)
run.log({"loss": 0.05, "late": 1}, step=50)
run.summary["best"] = 0.99
run.finish()
wandb.init(project=sys.argv[1], id="r2", name="second", config={"lr": 0.2}, tags=["b"]).finish()
"""

HEAD = """
import json, sys
import numpy, wandb
project = sys.argv[1]
api = wandb.Api(timeout=60)
place = f"{api.default_entity}/{project}"
out = {}

def run_now(name="r1"):
    return wandb.Api(timeout=60).run(f"{place}/{name}")

def summary(run):
    values = run.summary_metrics if hasattr(run, "summary_metrics") else run.summary._json_dict
    return {key: value for key, value in values.items() if key not in ("_runtime", "_timestamp", "_wandb")}

def refused(call):
    try:
        call()
    except Exception as error:
        return str(error)

def steps(rows):
    return [row["_step"] for row in rows]
"""

TAIL = """
print("\\nANSWER" + json.dumps(out))
"""

READ = """
run = run_now()
out["run"] = [run.name, run.id, run.state, run.group, run.job_type, run.tags, run.notes, run.entity,
    run.user.username, run.read_only, run.sweep, run.created_at[-1], run.url.endswith(f"{place}/runs/r1")]
out["config"] = run.config
out["summary"] = summary(run)
out["history"] = [{k: v for k, v in row.items() if k not in ("_runtime", "_timestamp")}
    for row in run.history(pandas=False)]
out["samples"] = steps(run.history(pandas=False, samples=5))
out["keys"] = run.history(keys=["loss", "odd"], pandas=False)
out["nested"] = run.history(keys=["deep.x.y"], pandas=False)[:2]
out["strange"] = run.history(keys=["nan", "inf", "big"], pandas=False)[0]
out["x_axis"] = run.history(keys=["loss"], x_axis="g.h", pandas=False)[1]
out["scan"] = list(run.scan_history())[3]["deep"]
out["scans"] = [steps(run.scan_history(**how)) for how in (
    {}, {"page_size": 3}, {"min_step": 2, "max_step": 6}, {"keys": ["_step", "loss"], "page_size": 3},
    {"keys": ["_step", "loss"], "min_step": 2, "max_step": 6},
    {"keys": ["_step", "odd"], "min_step": 2, "max_step": 7, "page_size": 2})]
out["scanned"] = [row["loss"] for row in run.scan_history(keys=["loss"])]
out["files"] = sorted(file.name for file in run.files())
if hasattr(run, "console_logs"):
    out["console"] = [[line.number, line.level, line.content] for line in run.console_logs(per_page=1)]
    out["tail"] = [line.content for line in run.console_logs(last=1)]
"""

LISTS = """
def names(**how):
    return [run.name for run in api.runs(place, **how)]

runs = api.runs(place, per_page=1)
out["list"] = [len(runs), [run.name for run in runs], [run.name for run in runs[0:1]], runs[1].name]
out["filters"] = [names(filters=filters) for filters in (
    {"config.lr": 0.2}, {"config.lr.value": {"$lt": 0.2}}, {"$and": [{"tags": "a"}, {"state": "finished"}]},
    {"display_name": {"$regex": "^SEC"}}, {"display_name": {"$regex": "(?i)^SEC"}}, {"username": "nobody"},
    {"$or": [{"name": "r1"}, {"jobType": {"$exists": False}}]}, {"summary_metrics.loss": {"$lte": 0.05}},
    {"created_at": {"$gte": run_now("r1").created_at}}, {"state": {"$ne": "running"}})]
out["orders"] = [names(order=order) for order in ("-created_at", "+summary_metrics.loss", "-config.lr.value")]
out["bad"] = [refused(lambda: names(filters={"color": 1})), refused(lambda: names(order="-color"))]
out["absent"] = [refused(lambda: run_now("nobody")), refused(lambda: len(api.runs(place + "-not"))),
    refused(lambda: api.sweep(f"{place}/abc"))]
"""

CHANGE = """
run = run_now()
run.tags.append("new")
run.config["lr"] = 0.5
run.config["added"] = {"k": [1]}
run.notes = "changed"
run.display_name = "renamed"
run.update()
run = run_now()
out["updated"] = [run.name, sorted(run.tags), run.config, run.notes, run.state, run.group, run.job_type]
out["internal"] = "t" in run.rawconfig["_wandb"]
run.summary.update({"post": 1.5, "nested": {"q": 2}})
run.summary["one"] = 1
run.summary["np"] = numpy.arange(3)
run.summary["np32"] = numpy.float32(0.5)
run.summary.update()
out["summary"] = summary(run_now())
run = run_now()
del run.summary["post"]
run.summary.update()
out["deleted"] = summary(run_now())
made = api.create_run(run_id="made", project=project)
out["made"] = [made.id, run_now("made").state]
if hasattr(made, "update_state"):
    out["states"] = [made.update_state("pending"), run_now("made").state, made.update_state("failed"),
        run_now("made").state, refused(lambda: run_now("r1").update_state("pending"))]
if hasattr(made, "stop"):
    made.stop()
    made.stop()
"""

DELETE = """
maker = wandb.init(project=project, id="maker")
artifact = wandb.Artifact("data", "dataset")
with artifact.new_file("x.txt") as file:
    file.write("x")
maker.log_artifact(artifact).wait()
maker.finish()
named = lambda: wandb.Api().artifact(f"{place}/data:latest").name
out["named"] = [named()]
run_now("maker").delete(delete_artifacts=True)
out["named"].append(refused(named))
run = run_now()
run.delete()
run.delete(delete_artifacts=True)
out["gone"] = [refused(run_now), [run.id for run in wandb.Api().runs(place)]]
"""

LOG_OWN = """
import sys
import runhue
run = runhue.init(project=sys.argv[1], id="own", name="ours", config={"lr": 1, "o": {"p": "q"}}, tags=["t"],
    group="g", job_type="j", notes="n")
for step in range(10):
    run.log({"loss": 9 - step, "big": 2**53 + 1, "deep": {"x": step}})
run.summary["manual"] = "m"
run.finish()
"""

OWN = """
run = run_now("own")
out["run"] = [run.name, run.state, dict(run.config), run.tags, run.group, run.job_type, run.notes,
    summary(run)]
out["scan"] = steps(run.scan_history(page_size=4))
out["history"] = [row for row in run.history(keys=["_step", "loss", "big"], pandas=False)]
out["sampled"] = len(run.history(pandas=False, samples=4))
out["listed"] = [[run.name, run.config] for run in api.runs(place, {"summary_metrics.loss": 0})]
run.config["lr"] = 2
run.tags = ["changed"]
run.update()
run.summary["later"] = 7
run.summary.update()
"""


@pytest.fixture
def logged(at_once: AtOnce, version: str) -> str:
    """The project with two runs that this version of the client logged, which no test changes."""
    at_once(version, LOG, "public-api")
    return f"public-api-{version}"


def answer(client: WandbClient, script: str, project: str) -> Any:
    """What a script put into `out`."""
    return answer_in(client.run(HEAD + script + TAIL, project))


def answer_in(finished: Finished) -> Any:
    """What the script that ended so put into `out`."""
    return json.loads(finished.stdout.rpartition("ANSWER")[2])


FIRST = {"loss": 1, "deep": {"x": {"y": 0}}, "weird key!": 0, "g.h": 0, "inf": -math.inf, "big": 2**53 + 1}


def test_a_run_is_read_as_it_was_logged(at_once: AtOnce, version: str, logged: str, doors: Doors) -> None:
    """Attributes, config, summary, history in all its forms, files and console, with every version."""
    out = answer_in(at_once(version, HEAD + READ + TAIL, "public-api"))

    team = doors.team
    assert out["run"] == [
        "first",
        "r1",
        "finished",
        "g",
        "train",
        ["a"],
        "n",
        team,
        team,
        False,
        None,
        "Z",
        True,
    ]
    assert out["config"] == {
        "lr": 0.1, "opt": {"name": "adam", "value": 3}, "a.b": True, "list": [1, 2], "none": None,
    }  # fmt: skip
    last = {
        "loss": 0.05,
        "best": 0.99,
        "late": 1,
        "_step": 50,
        "odd": 9,
        "deep": {"x": {"y": 9}},
        "text": "s9",
    }
    assert {key: out["summary"][key] for key in last} == last
    assert math.isnan(out["summary"]["nan"])
    assert [row["_step"] for row in out["history"]] == [*range(10), 50]
    first = out["history"][0]
    assert math.isnan(first.pop("nan"))
    assert first == {**FIRST, "text": "s0", "flag": True, "list": [1, 0], "_step": 0}
    assert out["samples"][0] == 0
    assert (out["samples"][-1], len(out["samples"])) == (50, 5)
    assert out["keys"] == [{"_step": step, "loss": 1 / (step + 1), "odd": step} for step in range(1, 10, 2)]
    assert out["nested"] == [{"_step": 0, "deep.x.y": 0}, {"_step": 1, "deep.x.y": 1}]
    assert out["strange"] == {"_step": 0, "nan": "NaN", "inf": "-Infinity", "big": 2**53 + 1}
    assert out["x_axis"] == {"g.h": -1, "loss": 0.5}
    assert out["scan"] == {"x": {"y": 3}}
    every = [*range(10), 50]
    assert out["scans"] == [every, every, [2, 3, 4, 5], every, [2, 3, 4, 5], [3, 5]]
    assert out["scanned"] == [*(1 / (step + 1) for step in range(10)), 0.05]
    assert {"config.yaml", "output.log", "wandb-metadata.json", "wandb-summary.json"} <= set(out["files"])
    if version == NEWEST:
        assert out["console"] == [[0, "", "line one"], [1, "error", "line two"]]
        assert out["tail"] == ["line two"]


def test_runs_are_listed_filtered_and_sorted(at_once: AtOnce, version: str, logged: str) -> None:
    """Lengths, slices, pages, filters and orders, and refusals that say what is wrong."""
    out = answer_in(at_once(version, HEAD + LISTS + TAIL, "public-api"))

    assert out["list"] == [2, ["first", "second"], ["first"], "second"]
    assert out["filters"] == [
        ["second"], ["first"], ["first"], [], ["second"], [], ["first", "second"], ["first"],
        ["first", "second"], ["first", "second"],
    ]  # fmt: skip
    assert out["orders"] == [["second", "first"], ["first", "second"], ["second", "first"]]
    assert ["unknown field 'color'" in told for told in out["bad"]] == [True, True]
    assert ["Could not find" in told for told in out["absent"]] == [True, True, True]


def test_a_run_is_changed_and_deleted(client: WandbClient, project: str, doors: Doors) -> None:
    """Tags, notes, name, config and summary of a finished run, runs made by hand, states, and the end."""
    client.run(LOG, project)

    out = answer(client, CHANGE, project)

    config = {
        "lr": 0.5, "opt": {"name": "adam", "value": 3}, "a.b": True, "list": [1, 2], "none": None,
        "added": {"k": [1]},
    }  # fmt: skip
    assert out["updated"] == ["renamed", ["a", "new"], config, "changed", "finished", "g", "train"]
    assert out["internal"] is True
    changed = {
        "post": 1.5,
        "nested": {"q": 2},
        "one": 1,
        "np": [0, 1, 2],
        "np32": 0.5,
        "loss": 0.05,
        "best": 0.99,
    }
    assert {key: out["summary"].get(key) for key in changed} == changed
    assert "post" not in out["deleted"]
    assert {key: out["deleted"].get(key) for key in changed if key != "post"} == {
        key: value for key, value in changed.items() if key != "post"
    }
    assert out["made"] == ["made", "running"]
    if client.version in (RECENT, NEWEST):
        assert out["states"][:4] == [True, "pending", True, "failed"]
        assert "cannot become pending" in out["states"][4]
    ours = doors.api.run(f"{doors.team}/{project}/r1")
    assert (ours.name, ours.config["lr"], ours.summary["one"], ours.summary["loss"]) == (
        "renamed",
        0.5,
        1,
        0.05,
    )

    out = answer(client, DELETE, project)

    assert "Could not find run" in out["gone"][0]
    assert sorted(out["gone"][1]) == ["made", "r2"]
    assert out["named"][0] == "data:latest"
    assert out["named"][1] is not None


def test_what_the_wandb_client_logs_our_own_api_reads(logged: str, doors: Doors) -> None:
    """The run is one like any other to us: exact values under dotted keys."""
    run = doors.api.run(f"{doors.team}/{logged}/r1")

    assert (run.name, str(run.state), list(run.tags), run.config["opt"]) == (
        "first",
        "finished",
        ["a"],
        {"name": "adam", "value": 3},
    )
    rows = list(run.scan_history())
    assert [row["_step"] for row in rows] == [*range(10), 50]
    assert [row["loss"] for row in rows[:10]] == [1 / (step + 1) for step in range(10)]
    assert (rows[3]["deep.x.y"], rows[3]["big"], rows[3]["weird key!"], rows[3]["inf"]) == (
        3,
        2**53 + 1,
        3,
        -math.inf,
    )
    assert math.isnan(rows[3]["nan"])
    assert (run.summary["loss"], run.summary["best"], run.summary["deep.x.y"]) == (0.05, 0.99, 9)


def test_what_our_own_sdk_logs_the_wandb_client_reads_and_changes(
    client: WandbClient,
    project: str,
    stack: Stack,
    doors: Doors,
    tmp_path: Path,
) -> None:
    """A run that no wandb client saw is one to it, to read, to find and to edit."""
    environ = {**os.environ, "RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key}
    subprocess.run(
        [sys.executable, "-c", LOG_OWN, project], cwd=tmp_path, env=environ, check=True, capture_output=True
    )

    out = answer(client, OWN, project)

    name, state, config, tags, group, job_type, notes, summary = out["run"]
    assert (name, state, config, tags) == ("ours", "finished", {"lr": 1, "o": {"p": "q"}}, ["t"])
    assert (group, job_type, notes) == ("g", "j", "n")
    assert (summary["loss"], summary["manual"], summary["big"], summary["_step"]) == (0, "m", 2**53 + 1, 9)
    assert out["scan"] == list(range(10))
    assert out["history"] == [{"_step": step, "loss": 9 - step, "big": 2**53 + 1} for step in range(10)]
    assert out["sampled"] == 4
    assert out["listed"] == [["ours", {"lr": 1, "o": {"p": "q"}}]]
    changed = doors.api.run(f"{doors.team}/{project}/own")
    assert (dict(changed.config), list(changed.tags), changed.summary["later"], changed.summary["loss"]) == (
        {"lr": 2, "o": {"p": "q"}}, ["changed"], 7, 0,
    )  # fmt: skip
