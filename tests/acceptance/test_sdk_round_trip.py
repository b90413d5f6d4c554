"""What a training script says through the SDK is what `Api()` reads back, through the real services."""

import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import runhue
from runhue import errors
from runhue_server.stack import Stack
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

TRAINING = """
    import sys, time
    import runhue

    often = runhue.Settings(system_metrics_interval=0.1)
    with runhue.init(config={"lr": 0.1, "net": {"depth": 3}}, settings=often) as run:
        print("epoch 1 begins")
        print("no GPU", file=sys.stderr)
        run.alert("loss is low", "0.25 at step 2", level="warn", wait_duration=0)
        for name in ("min", "max", "mean", "best", "last", "none", "copy", "first"):
            run.define_metric(f"loss_{name}", summary=name, goal="maximize" if name == "best" else None)
        run.define_metric("val/*", step_metric="epoch", summary="min,max")
        for step, loss in enumerate((0.5, 1.0, 0.25)):
            names = ("min", "max", "mean", "best", "last", "none", "copy", "first")
            run.log({f"loss_{name}": loss for name in names} | {"epoch": step + 1, "val/acc": loss})
        run.history.row["by hand"] = 7
        run.history.add({"also": 8})
        run.summary["loss_last"] = "set by hand"
        run.log({"loss_last": 9.0})
        deadline = time.monotonic() + 60
        stored = runhue.Api().run(run.project + "/" + run.id)
        while not stored.system_metrics() and time.monotonic() < deadline:
            time.sleep(0.05)
"""
RUN = "wandb-names/all"
"""Project and id of the run that `trained` logs."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack.temporary() as running:
        yield running


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(stack, tmp_path)
    yield made
    made.api.close()


@pytest.fixture(scope="module")
def trained(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[runhue.Api]:
    """The API after one script logged all it can, in a git repository and an environment made for wandb."""
    folder = tmp_path_factory.mktemp("training")
    git(folder, "init", "--initial-branch=main")
    git(folder, "commit", "--allow-empty", "--message=first")
    git(folder, "remote", "add", "origin", "https://me:secret@example.org/lab/images.git")
    run_script(TRAINING, folder, wandb_environment(stack))
    with runhue.Api(stack.api_url, stack.api_key) as api:
        until(lambda: is_folded(api, RUN))
        yield api


def wandb_environment(stack: Stack) -> dict[str, str]:
    return {
        "WANDB_BASE_URL": stack.api_url,
        "WANDB_API_KEY": stack.api_key,
        "WANDB_ENTITY": "main",
        "WANDB_PROJECT": "wandb-names",
        "WANDB_RUN_ID": "all",
        "WANDB_NAME": "everything at once",
        "WANDB_NOTES": "a note",
        "WANDB_TAGS": "baseline, small",
        "WANDB_RUN_GROUP": "sweep 1",
        "WANDB_JOB_TYPE": "train",
    }


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def run_script(script: str, folder: Path, environment: Mapping[str, str]) -> None:
    """A training script in a process of its own, with none of this process's settings."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("RUNHUE_", "WANDB_"))
    }
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, **environment},
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def is_folded(api: runhue.Api, run: str) -> bool:
    stored = api.run(run)
    return stored.state != "running" and stored.health().pending_batches == 0


def test_an_environment_made_for_wandb_works(trained: runhue.Api) -> None:
    """`WANDB_*` variables name server, key, team, project, id, name, notes, tags, group and job type."""
    run = trained.run(f"main/{RUN}")

    assert (run.name, run.notes, run.tags) == ("everything at once", "a note", ("baseline", "small"))
    assert (run.group, run.job_type, run.state, run.exit_code) == ("sweep 1", "train", "finished", 0)
    assert dict(run.config) == {"lr": 0.1, "net": {"depth": 3}}


@pytest.mark.parametrize(
    ("option", "value"),
    [("min", 0.25), ("max", 1.0), ("mean", 1.75 / 3), ("best", 1.0), ("copy", 0.25), ("first", 0.5)],
)
def test_a_defined_summary_is_beside_the_last_value(trained: runhue.Api, option: str, value: float) -> None:
    """`define_metric(summary=...)` adds `<metric>.<option>`, exact over every point."""
    summary = trained.run(RUN).summary

    assert summary[f"loss_{option}.{option}"] == value
    assert summary[f"loss_{option}"] == 0.25


def test_none_keeps_a_metric_out_of_the_summary(trained: runhue.Api) -> None:
    """`define_metric(summary="none")` hides the last value; the history has every point."""
    run = trained.run(RUN)

    assert not [key for key in run.summary if key.startswith("loss_none")]
    assert [row["loss_none"] for row in run.scan_history(["loss_none"])] == [0.5, 1.0, 0.25]


def test_a_value_set_by_hand_wins_over_one_logged_later(trained: runhue.Api) -> None:
    """`run.summary[key] = x` stays, whatever is logged afterwards; `last` goes on beside it."""
    summary = trained.run(RUN).summary

    assert (summary["loss_last"], summary["loss_last.last"]) == ("set by hand", 9.0)


def test_a_definition_covers_all_metrics_of_a_prefix(trained: runhue.Api) -> None:
    """`define_metric("val/*", ...)` gives `val/acc` its summary and its x-axis."""
    run = trained.run(RUN)
    definition = next(metric.definition for metric in run.metrics() if metric.name == "val/acc")

    assert (run.summary["val/acc.min"], run.summary["val/acc.max"]) == (0.25, 1.0)
    assert definition is not None
    assert definition["step_metric"] == "epoch"


def test_the_open_row_is_stored_when_it_is_added(trained: runhue.Api) -> None:
    """What was put in `run.history.row` and given to `run.history.add` is one row."""
    rows = list(trained.run(RUN).scan_history(["by hand", "also"]))

    assert rows == [{"_step": 3, "by hand": 7, "also": 8}]


def test_an_alert_is_read_back(trained: runhue.Api) -> None:
    """Title, text and level of `run.alert`."""
    alerts = trained.run(RUN).alerts()

    assert [(alert.title, alert.text, alert.level) for alert in alerts] == [
        ("loss is low", "0.25 at step 2", "warn")
    ]


def test_what_was_printed_is_read_back(trained: runhue.Api) -> None:
    """Lines of stdout and stderr, each by the stream it went to."""
    lines = [(line.stream, line.text) for line in trained.run(RUN).console()]

    assert ("stdout", "epoch 1 begins") in lines
    assert ("stderr", "no GPU") in lines


def test_the_machine_is_read_back(trained: runhue.Api) -> None:
    """System metrics are there by name, and kept out of the run's own metrics."""
    run = trained.run(RUN)
    of_the_machine = {metric.name: metric for metric in run.system_metrics()}

    assert of_the_machine["process.memory_bytes"].n >= 1
    assert "cpu.percent" in of_the_machine
    assert {metric.name for metric in run.metrics()} & set(of_the_machine) <= {"_step"}


def test_git_and_host_are_read_back(trained: runhue.Api) -> None:
    """Commit, branch and remote without its password, and where the script ran."""
    metadata = trained.run(RUN).metadata

    assert (metadata["git"]["branch"], metadata["git"]["dirty"]) == ("main", False)
    assert len(metadata["git"]["commit"]) == 40
    assert metadata["git"]["remote"] == "https://example.org/lab/images.git"
    assert metadata["host"]
    assert metadata["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")


def test_allow_goes_on_behind_the_last_step(lab: Lab) -> None:
    """`resume="allow"` makes a run, and goes on with it: steps, summary, config, running time."""
    config = {"lr": 0.1, "clip": math.inf}
    lab.log(
        "resuming", "allowed", [{"acc": 0.5}, {"acc": 0.75, "x": math.nan}], resume="allow", config=config
    )

    with start(lab, "allowed", "allow", config={"depth": 3}) as run:
        assert (run.resumed, run.step, run.summary["acc"], run.config["lr"]) == (True, 2, 0.75, 0.1)
        assert run.config["clip"] == math.inf
        assert math.isnan(run.summary["x"])
        run.log({"acc": 0.25})
    until(lambda: lab.is_folded("resuming", "allowed"))

    stored = lab.api.run("resuming/allowed")
    rows = list(stored.scan_history(["acc", "_runtime"]))
    assert [(row["_step"], row["acc"]) for row in rows] == [(0, 0.5), (1, 0.75), (2, 0.25)]
    assert rows[0]["_runtime"] <= rows[1]["_runtime"] <= rows[2]["_runtime"]
    assert dict(stored.config) == {**config, "depth": 3}


def test_must_insists_on_the_run(lab: Lab) -> None:
    """`resume="must"` raises without the run and leaves no trace; with it, it goes on."""
    with pytest.raises(errors.ServerRefused) as refused:
        start(lab, "required", "must")
    assert refused.value.code == "run_not_found"
    assert not list((lab.settings().folder / "spool").iterdir())

    lab.log("resuming", "required", [{"acc": 0.5}])
    with start(lab, "required", "must") as run:
        assert (run.resumed, run.step) == (True, 1)


def test_never_insists_on_a_new_run(lab: Lab) -> None:
    """`resume="never"` begins a run, and raises when it is there."""
    lab.log("resuming", "new", [{"acc": 0.5}], resume="never")

    with pytest.raises(errors.ServerRefused) as refused:
        start(lab, "new", "never")

    assert refused.value.code == "run_exists"
    assert lab.api.run("resuming/new").last_step == 0


@pytest.mark.parametrize("end", ["raise SystemExit(1)", "raise ValueError", "os._exit(1)"])
def test_auto_goes_on_with_what_this_folder_did_not_finish(lab: Lab, tmp_path: Path, end: str) -> None:
    """`resume="auto"` goes on after a process that failed or vanished, and begins anew after success."""
    script = """
        import os, runhue
        with runhue.init("resuming", resume="auto") as run:
            run.log({"acc": 0.5})
            with open("ids", "a") as ids:
                print(run.id, run.step - 1, file=ids)
            if os.path.exists("again"):
                raise SystemExit(0)
            open("again", "w").close()
            END
    """
    environment = {"RUNHUE_BASE_URL": lab.stack.api_url, "RUNHUE_API_KEY": lab.stack.api_key}
    with pytest.raises(AssertionError):
        run_script(script.replace("END", end), tmp_path, environment)
    run_script(script, tmp_path, environment)
    run_script(script, tmp_path, environment)

    first, second, third = (line.split() for line in (tmp_path / "ids").read_text().splitlines())
    assert first[0] == second[0]
    assert (first[1], second[1], third[1]) == ("0", "1", "0")
    assert third[0] != first[0]


def start(lab: Lab, run: str, resume: str, **options: Any) -> runhue.Run:  # of runhue.init
    return runhue.init(
        "resuming", id=run, resume=resume, settings=lab.settings(), reinit="create_new", **options
    )


def test_several_writers_fill_the_rows_of_one_run(lab: Lab) -> None:
    """Processes that log other keys of the same steps make one row of each step, and one run."""
    script = """
        import sys, runhue
        with runhue.init("shared-run", id="both") as run:
            for step in range(50):
                run.log({"KEY": step * 2}, step=step)
    """
    environment = {"RUNHUE_BASE_URL": lab.stack.api_url, "RUNHUE_API_KEY": lab.stack.api_key}
    folders = {key: lab.settings().dir / key for key in ("left", "right", "both")}
    for folder in folders.values():
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        processes = [
            pool.submit(run_script, script.replace("KEY", key), folder, environment)
            for key, folder in folders.items()
        ]
    for process in processes:
        process.result()
    until(lambda: is_folded(lab.api, "shared-run/both"))

    run = lab.api.run("shared-run/both")
    assert len(run.health().writers) == 3
    assert list(run.scan_history(["left", "right", "both"])) == [
        {"_step": step, "left": step * 2, "right": step * 2, "both": step * 2} for step in range(50)
    ]
    assert len(lab.api.runs("shared-run")) == 1


def test_sync_sends_all_offline_runs_and_says_how_far_it_is(lab: Lab) -> None:
    """Runs that were logged offline arrive whole, several at a time; sending again changes nothing."""
    settings = lab.settings()
    for number in range(6):
        with runhue.init(
            "offline", id=f"r{number}", mode="offline", settings=settings, reinit="create_new"
        ) as run:
            for step in range(20):
                run.log({"acc": step / 20 + number})
    reported: dict[str, list[int]] = {}

    results = runhue.sync(
        settings.dir,
        parallel=3,
        progress=lambda state: reported.setdefault(state.run, []).append(state.sent),
        settings=settings,
    )
    again = runhue.sync(settings.dir, settings=settings)

    assert sorted((result.run, result.done) for result in results) == [(f"r{n}", True) for n in range(6)]
    assert again == []
    assert sorted(reported) == [f"r{n}" for n in range(6)]
    assert all(sent == sorted(sent) and sent[-1] > 20 for sent in reported.values())
    for number in range(6):
        until(partial(is_folded, lab.api, f"offline/r{number}"))
        rows = list(lab.api.run(f"offline/r{number}").scan_history(["acc"]))
        assert [row["acc"] for row in rows] == [step / 20 + number for step in range(20)]


def test_runs_are_filtered_ordered_and_paged(lab: Lab) -> None:
    """`Api().runs` gives the same runs in the same order however small its pages are."""
    for number in range(7):
        lab.log(
            "many", f"r{number}", [{"acc": number / 10}], config={"optimizer": ("adam", "sgd")[number % 2]}
        )

    chosen = {"config.optimizer": "adam", "summary.acc": {"$gt": 0.1}}
    pages = [lab.api.runs("many", chosen, "-summary.acc", per_page=size) for size in (1, 2, 50)]

    assert [[run.id for run in runs] for runs in pages] == [["r6", "r4", "r2"]] * 3
    assert [len(runs) for runs in pages] == [3, 3, 3]
    assert [run.id for run in lab.api.runs("many", {"summary.acc": {"$lte": 0.1}}, "name")] == ["r0", "r1"]


def test_history_is_reduced_and_a_scan_is_exact(lab: Lab) -> None:
    """A scan has every point, bit for bit; a reduced history has few, with every extreme and NaN counted."""
    values = [math.sin(step) * 10 ** (step % 5) for step in range(3000)]
    values[1234], values[2345] = 1e9, math.nan
    lab.log("long", "r", ({"loss": value} for value in values))
    run = lab.api.run("long/r")

    scanned = [row["loss"] for row in run.scan_history(["loss"], page_size=700)]
    (reduced,) = run.series(samples=100, keys=["loss"])

    assert [value.hex() for value in scanned] == [value.hex() for value in values]
    assert (reduced.reduced, reduced.n, len(reduced.points) <= 100) == (True, 3000, True)
    assert max(point.max for point in reduced.points if isinstance(point.max, float)) == 1e9
    assert sum(point.count for point in reduced.points) == 3000
    assert sum(point.non_finite for point in reduced.points) == 1
    assert len(run.history(samples=100, keys=["loss"])) == len(reduced.points)


def test_edits_of_a_finished_run_are_read_by_others(lab: Lab) -> None:
    """Config and summary edits through `Api()` stay; those of a run resumed afterwards come on top."""
    lab.log("edited", "r", [{"acc": 0.5}], config={"lr": 0.1, "old": 1})
    run = lab.api.run("edited/r")
    run.config["lr"] = 0.2
    del run.config["old"]
    run.update()
    run.summary["verdict"] = "good"
    run.summary.update({"acc": 1.0})

    lab.log("edited", "r", [{"acc": 0.25}], resume="must", config={"depth": 3})

    read = lab.api.run("edited/r")
    assert dict(read.config) == {"lr": 0.2, "depth": 3}
    assert (read.summary["verdict"], read.summary["acc"]) == ("good", 1.0)
