"""Runs through the reading side: what was logged, changed and deleted."""

import math
import signal

import pytest

from runhue._errors import AuthError, ServerRefused, UsageError
from runhue._public_api import Api
from runhue_server.stack import Stack
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack


def test_a_run_reads_as_it_was_logged(lab: Lab, api: Api, project: str) -> None:
    """Attributes, nested config, summary and the address of a run come back."""
    config = {"lr": 0.1, "net": {"depth": 3}, "ratio": math.inf, "seed": 2**63}
    lab.log(
        project,
        "r1",
        [{"acc": 0.5, "note": "hi"}, {"acc": 0.75}],
        name="first",
        config=config,
        tags=["a", "b"],
        notes="n",
        group="g",
        job_type="train",
    )

    run = api.run(f"main/{project}/r1")

    assert (run.name, run.state, run.exit_code, run.tags, run.notes) == (
        "first",
        "finished",
        0,
        ("a", "b"),
        "n",
    )
    assert (run.group, run.job_type, run.team, run.project, run.last_step) == (
        "g",
        "train",
        "main",
        project,
        1,
    )
    assert dict(run.config) == config
    assert (run.summary["acc"], run.summary["note"]) == (0.75, "hi")
    assert run.url.endswith(f"/main/{project}/runs/r1")
    assert run.created_at.tzinfo is not None


def test_edits_reach_the_server(lab: Lab, api: Api, project: str) -> None:
    """Summary, config and attributes that were changed here are read by others; NaN and removal too."""
    lab.log(project, "r1", [{"acc": 0.5, "loss": 1.0}], config={"lr": 0.1, "old": 1})
    run = api.run(f"{project}/r1")

    run.summary["best"] = 0.9
    run.summary["worst"] = math.nan
    del run.summary["loss"]
    run.summary.update()
    run.summary.update({"count": 3})
    run.config["lr"] = 0.2
    del run.config["old"]
    run.name, run.tags, run.notes = "renamed", ["x"], None
    run.update()

    read = api.run(f"{project}/r1")
    assert (read.name, read.tags, dict(read.config)) == ("renamed", ("x",), {"lr": 0.2})
    summary = dict(read.summary)
    assert math.isnan(summary.pop("worst"))
    assert {key: summary[key] for key in ("acc", "best", "count")} == {"acc": 0.5, "best": 0.9, "count": 3}


def test_an_update_without_edits_sends_nothing(lab: Lab, api: Api, project: str) -> None:
    """Twice the same update is one change."""
    lab.log(project, "r1", [{"acc": 0.5}])
    run = api.run(f"{project}/r1")
    run.name = "renamed"
    run.update()
    api.run(f"{project}/r1").delete()

    run.update()
    run.summary.update()

    assert run.changes() == {}


def test_runs_are_a_sequence_read_in_pages(lab: Lab, api: Api, project: str) -> None:
    """len, index, slice and iteration agree whatever the page size."""
    for number in range(7):
        lab.log(project, f"r{number}", [{"acc": number / 10}])

    runs = api.runs(project, order="+created_at", per_page=3)

    assert len(runs) == 7
    assert (runs[0].id, runs[4].id, runs[-1].id) == ("r0", "r4", "r6")
    assert [run.id for run in runs[2:4]] == ["r2", "r3"]
    assert [run.id for run in runs] == [f"r{number}" for number in range(7)]
    with pytest.raises(IndexError):
        runs[7]


def test_runs_are_filtered_searched_and_ordered(lab: Lab, api: Api, project: str) -> None:
    """The filter language, the search and the order are the server's."""
    for number, acc in enumerate((0.2, 0.9, 0.5)):
        lab.log(project, f"r{number}", [{"acc": acc}], name=f"name {number}", config={"lr": 10.0**-number})

    filtered = api.runs(project, filters={"config.lr": {"$lt": 0.5}}, order="-summary.acc")
    searched = api.runs(project, search="name [01]", order="+name")

    assert [run.id for run in filtered] == ["r1", "r2"]
    assert filtered[0].summary["acc"] == 0.9
    assert [run.id for run in searched] == ["r0", "r1"]


def test_no_runs(lab: Lab, api: Api, project: str) -> None:
    """A project without runs has none, and says so by its length."""
    api.create_project(project)

    assert list(api.runs(project)) == []
    assert not api.runs(project)


def test_projects_and_metrics(lab: Lab, api: Api, project: str) -> None:
    """A project says how many runs it has, and its metrics with their types."""
    lab.log(project, "r1", [{"acc": 0.5}, {"acc": "high"}])

    assert (api.project(project).runs, api.project(project).running) == (1, 0)
    assert project in [found.name for found in api.projects()]
    (metric,) = api.metrics(project, search="ac")
    assert {kind.type: kind.runs for kind in metric.types} == {"number": 1, "string": 1}


def test_a_deleted_run_is_gone(lab: Lab, api: Api, project: str) -> None:
    """Deleting twice is one deletion; reading it is an error that says what to do."""
    lab.log(project, "r1", [{"acc": 0.5}])
    run = api.run(f"{project}/r1")

    run.delete()
    run.delete()

    with pytest.raises(ServerRefused) as caught:
        api.run(f"{project}/r1")
    assert (caught.value.status, caught.value.code, bool(caught.value.fix)) == (404, "run_not_found", True)


def test_a_stopped_run_hears_of_it(lab: Lab, api: Api, project: str) -> None:
    """stop() is accepted for a run that logs."""
    lab.log(project, "r1", [{"acc": 0.5}])

    api.run(f"{project}/r1").stop()

    assert api.run(f"{project}/r1").state == "finished"


def test_what_the_server_refuses_names_its_field(api: Api, project: str) -> None:
    """A filter that means nothing is an error with the field."""
    api.create_project(project)

    with pytest.raises(ServerRefused) as caught:
        len(api.runs(project, filters={"config.lr": {"$near": 1}}))

    assert caught.value.status == 422
    assert caught.value.field is not None


def test_a_wrong_key_is_an_auth_error(stack: Stack) -> None:
    """A key that the server does not know is refused as such."""
    with Api(stack.api_url, "k" * 40) as api, pytest.raises(AuthError):
        api.projects()


@pytest.mark.parametrize("name", ["a/b/c/d", "lonely", "", "a//b"])
def test_names_that_mean_nothing_are_refused_here(api: Api, name: str) -> None:
    """A run needs a project and an id."""
    with pytest.raises(UsageError):
        api.run(name)


def test_health_console_and_metrics_of_a_run(lab: Lab, api: Api, project: str) -> None:
    """What a run logged is exact per metric and type, and nothing is left behind."""
    lab.log(project, "r1", [{"acc": 0.5}, {"acc": math.nan}, {"acc": 0.25}])
    run = api.run(f"{project}/r1")

    (acc,) = [metric for metric in run.metrics() if metric.name == "acc"]

    assert (acc.type, acc.n, acc.last, acc.min, acc.max, acc.max_step, acc.nan_count) == (
        "number",
        3,
        0.25,
        0.25,
        0.5,
        0,
        1,
    )
    health = until(run.health)
    assert (health.pending_batches, health.rejections, health.dead_letters) == (0, (), ())
    assert health.writers[0].applied_seq == health.writers[0].durable_seq
    assert run.console() == []
    assert run.alerts() == []


def test_a_read_outlives_a_restart_of_the_api(lab: Lab, api: Api, project: str) -> None:
    """What is asked while the API dies is asked again until it is back."""
    lab.log(project, "r1", [{"acc": step} for step in range(30)])
    scan = api.run(f"{project}/r1").scan_history(keys=["acc"], page_size=10)
    seen = [next(scan)["acc"] for _ in range(10)]

    lab.stack.kill("api", signal.SIGKILL)

    assert seen + [row["acc"] for row in scan] == list(range(30))
