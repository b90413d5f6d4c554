"""`runhue projects | runs | run | metrics | colors | login | sync` against a real server."""

import json
import subprocess
import sys
from typing import Any

import pytest

from runhue_server.stack import Stack
from tests.integration.cli.conftest import CommandLine
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

KILLED = """
import os, signal, runhue
run = runhue.init(project="{project}", id="killed", settings=runhue.Settings(silent=True, console="off"))
for step in range(20):
    run.log({{"acc": step / 20}})
os.kill(os.getpid(), signal.SIGKILL)
"""


def answer(command_line: CommandLine, *arguments: str) -> Any:
    """What a command prints as JSON."""
    done = command_line(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_listings(lab: Lab, command_line: CommandLine, project: str) -> None:
    """Projects, runs, one run and metrics are printed for people and for programs."""
    for number in range(3):
        lab.log(
            project, f"r{number}", [{"acc": number / 10}, {"acc": float("nan")}], config={"lr": 10.0**-number}
        )

    projects = {one["name"]: one for one in answer(command_line, "projects")}
    runs = answer(
        command_line, "runs", project, "--filter", '{"config.lr": {"$lt": 0.5}}', "--order", "+created_at"
    )
    run = answer(command_line, "run", f"{project}/r1")
    table = command_line("runs", project, "--limit", "2", "--columns", "config.lr")

    assert (projects[project]["runs"], projects[project]["running"]) == (3, 0)
    assert ([one["id"] for one in runs["runs"]], runs["total"]) == (["r1", "r2"], 2)
    assert (run["config"], run["summary"]["acc"], run["health"]["pending_batches"]) == ({"lr": 0.1}, "NaN", 0)
    assert [(one["max"], one["nan_count"]) for one in run["metrics"] if one["name"] == "acc"] == [(0.1, 1)]
    assert "acc" in [one["name"] for one in answer(command_line, "metrics", project)]
    assert "config.lr" in table.stdout
    assert "2 of 3 runs" in table.stdout


def test_a_run_with_media_and_lists_is_shown(lab: Lab, command_line: CommandLine, project: str) -> None:
    """Media show their type and size, long lists their beginning; numbers come before both in the listing."""
    media = {"_type": "image-file", "path": "media/images/a.png", "width": 4, "height": 3}
    lab.log(project, "r", [{"a_picture": media, "b_list": list(range(100)), "loss": 0.5}])

    shown = command_line("run", f"{project}/r")
    listed = command_line("runs", project)

    assert (shown.returncode, listed.returncode) == (0, 0), shown.stderr
    assert "image-file 4x3" in shown.stdout
    assert "[0, 1, 2" in shown.stdout
    assert "summary.loss" in listed.stdout
    assert "a_picture" not in listed.stdout
    assert answer(command_line, "run", f"{project}/r")["metrics"]


def test_colors_are_set_printed_and_watched(lab: Lab, command_line: CommandLine, project: str) -> None:
    """The legend has its labels and counts, each run its dot and bucket; the watch ends after a version."""
    for number in range(5):
        lab.log(project, f"r{number}", [{"acc": number / 4}], name=f"run {number}")
    lab.log(project, "nan", [{"acc": float("nan")}])

    made = answer(command_line, "colors", "set", project, "--key", "acc", "--y", "max", "--buckets", "4")
    until(lambda: answer(command_line, "colors", "get", project)["counts"] == [1, 1, 1, 2])
    coloring = answer(command_line, "colors", "get", project)
    printed = command_line("colors", "get", project)
    watched = command_line("colors", "watch", project, "--versions", "1", "--json")

    assert (made["settings"]["key"]["name"], made["settings_rev"] > 1) == ("acc", True)
    assert [bucket["label"] for bucket in coloring["legend"]["buckets"]] == [
        "Min - 0.2500",
        "0.2500 - 0.5000",
        "0.5000 - 0.7500",
        "0.7500 - Max",
    ]
    assert {run["run_id"]: run["bucket"] for run in coloring["runs"]}["r4"] == 4
    assert "0.7500 - Max" in printed.stdout
    assert "non_finite" in printed.stdout
    assert printed.stdout.count("●") == 4 + 5
    assert json.loads(watched.stdout)["counts"] == [1, 1, 1, 2]


def test_a_key_is_found_where_runs_have_it(lab: Lab, command_line: CommandLine, project: str) -> None:
    """A config key needs no --source, a metric comes first, and a name that no run has is told."""
    lab.log(project, "r", [{"acc": 1.0}], config={"lr": 0.1, "acc": 5})

    keys = [
        answer(command_line, "colors", "set", project, "--key", name)["settings"]["key"]["source"]
        for name in ("lr", "ACC", "nobody")
    ]
    told = command_line("colors", "set", project, "--key", "nobody", "--y", "min")

    assert keys == ["config", "metric", "metric"]
    assert "no run of" in told.stderr
    assert "'nobody'" in told.stderr


def test_color_options(lab: Lab, command_line: CommandLine, project: str) -> None:
    """Every option changes its field, --off and --reset go back, contradictions are usage errors."""
    lab.api.create_project(project)

    def settings(*options: str) -> dict[str, Any]:
        found: dict[str, Any] = answer(command_line, "colors", "set", project, *options)["settings"]
        return found

    custom = settings(
        "--key", "lr", "--source", "config", "--scale", "custom", "--boundaries", "1,2", "--buckets", "3"
    )
    linear = settings("--scale", "linear", "--min", "0", "--reverse", "--type", "number")
    reset = settings("--reset", "--stability", "pinned")
    wrong = command_line("colors", "set", project, "--scale", "custom")
    nothing = command_line("colors", "set", project)

    assert (custom["key"], custom["boundaries"]) == (
        {"source": "config", "name": "lr", "type": None},
        [1.0, 2.0],
    )
    assert (linear["boundaries"], linear["range"], linear["reverse"]) == (
        None,
        {"min": 0.0, "max": None},
        True,
    )
    assert linear["key"] == {"source": "config", "name": "lr", "type": "number"}
    assert (reset["key"], reset["range"], reset["stability"]) == (None, None, "pinned")
    assert settings("--key", "acc")["key"]["name"] == "acc"
    assert settings("--off")["key"] is None
    assert (wrong.returncode, "boundaries" in wrong.stderr) == (2, True)
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)


def test_login_checks_and_stores_the_key(stack: Stack, command_line: CommandLine) -> None:
    """A key from a pipe is checked, stored, and used from then on; a wrong one is not stored."""
    key = command_line.environ.pop("RUNHUE_API_KEY")

    wrong = command_line("login", "--key-stdin", stdin="w" * 40)
    before = command_line("projects")
    right = command_line("login", "--key-stdin", stdin=f"{key}\n")
    after = command_line("projects")

    assert (wrong.returncode, before.returncode, right.returncode, after.returncode) == (1, 1, 0, 0)
    assert "does not take this key" in wrong.stderr
    assert "run `runhue login`, or set RUNHUE_API_KEY" in before.stderr
    assert right.stdout.startswith(f"logged in to {stack.api_url}: team main")
    assert key not in right.stdout + right.stderr


def test_a_killed_run_is_sent_by_sync(lab: Lab, command_line: CommandLine, project: str) -> None:
    """What a killed process left is sent once; again there is nothing to send."""
    code = KILLED.format(project=project)
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=command_line.folder,
        env=command_line.environ,
        check=False,
        timeout=60,
    )

    results = answer(command_line, "sync")
    again = command_line("sync")

    assert [(one["run"], one["done"], one["error"]) for one in results] == [("killed", True, None)]
    assert (again.returncode, again.stdout.startswith("nothing to send")) == (0, True)
    until(lambda: lab.is_folded(project, "killed"))
    rows = [row["acc"] for row in lab.api.run(f"{project}/killed").scan_history(keys=["acc"])]
    assert rows == [step / 20 for step in range(20)]


def test_what_cannot_be_sent_is_kept(command_line: CommandLine, project: str) -> None:
    """Without a key sync fails, says where the data is, and loses nothing."""
    code = KILLED.format(project=project)
    offline = {**command_line.environ, "RUNHUE_MODE": "offline"}
    subprocess.run(
        [sys.executable, "-c", code], cwd=command_line.folder, env=offline, check=False, timeout=60
    )
    command_line.environ["RUNHUE_API_KEY"] = "w" * 40

    failed = command_line("sync")

    assert failed.returncode == 1
    assert "kept in" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert list(command_line.folder.glob(".runhue/*/*/*.segment"))


def test_a_run_that_is_not_there(command_line: CommandLine, project: str) -> None:
    """The server's refusal is one line, with what to do."""
    done = command_line("run", f"{project}/nope")

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: no project")
    assert done.stderr.endswith("(`runhue projects` lists them)\n")
