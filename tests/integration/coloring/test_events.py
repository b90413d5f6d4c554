"""What `coloring.updated` tells is enough to follow the colors without fetching them."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from runhue_shared.coloring.legend import legend_bucket, legend_from_json
from runhue_shared.db import Transaction
from runhue_shared.db.colorings import read_coloring
from runhue_shared.db.workspaces import update_workspace
from tests.integration.coloring.logged_project import LoggedProject, all_runs

ACC = {"source": "metric", "name": "acc"}


@pytest.fixture
def project(tx: Transaction) -> LoggedProject:
    return LoggedProject(tx)


@dataclass(slots=True)
class Follower:
    """A client that fetches once, and again only when an event asks it to."""

    tx: Transaction
    workspace: int
    version: int = -1
    legend: Any = None
    runs: dict[str, tuple[Any, str | None]] = field(default_factory=dict)
    fetches: int = 0

    def fetch(self) -> None:
        page, runs = all_runs(self.tx, self.workspace)
        self.version, self.legend = page.head.version, page.legend
        self.runs = {name: (value, reason) for name, (value, _, reason, _) in runs.items()}
        self.fetches += 1

    def hear(self, event: dict[str, Any]) -> None:
        if event["version"] <= self.version:
            return
        if event["prev_version"] != self.version or event["resync"]:
            self.fetch()
            return
        self.version = event["version"]
        if event["legend"] is not None:
            self.legend = legend_from_json(event["legend"])
        for run in event["changed"]:
            self.runs[run["run_id"]] = (run["value"], run.get("reason"))
        for run_id in event["removed"]:
            del self.runs[run_id]

    def buckets(self) -> dict[str, int | None]:
        return {
            name: None if value is None else legend_bucket(self.legend, _as_value(value))
            for name, (value, _) in self.runs.items()
        }


def _as_value(value: Any) -> Any:
    return float(value) if type(value) is int else value


def agrees(follower: Follower) -> bool:
    """Whether the client has the published legend, runs, reasons and buckets."""
    page, runs = all_runs(follower.tx, follower.workspace)
    return (
        follower.legend == page.legend
        and follower.runs == {name: (value, reason) for name, (value, _, reason, _) in runs.items()}
        and follower.buckets() == {name: bucket for name, (_, bucket, *_) in runs.items()}
    )


@pytest.mark.parametrize("scale", ["linear", "log", "quantile"])
def test_deltas_reproduce_the_state(project: LoggedProject, scale: str) -> None:
    """A client that only applies events has the same colors as one that fetches, also when some repeat."""
    settings = {"key": ACC, "scale": scale, "buckets": 4}
    workspace = project.workspace(settings)
    for index in range(8):
        project.add_run(f"r{index}")
    project.flush()
    follower = Follower(project.tx, workspace)
    follower.fetch()
    heard = 0

    for turn in range(12):
        project.log(f"r{turn % 8}", "acc", {turn: (turn - 2) * 0.37})
        if turn == 5:
            project.delete("r1")
        if turn == 7:
            project.log("r3", "acc", {20: float("nan")})
        project.flush()
        events = project.events(workspace)
        for event in [*events[heard:], *events[-2:]]:
            follower.hear(event)
        heard = len(events)
        assert agrees(follower)

    assert follower.fetches == 1


def test_settings_that_only_recolor_need_no_fetch(project: LoggedProject) -> None:
    """A palette, another n, reverse: the event carries the legend, and clients recolor what they hold."""
    workspace = project.workspace({"key": ACC})
    for index in range(5):
        project.log(f"r{index}", "acc", {0: index / 9})
    project.flush()
    follower = Follower(project.tx, workspace)
    follower.fetch()

    for change in ({"buckets": 3}, {"palette": "cvd-other"}, {"reverse": True}, {"midpoint": 0.2}):
        project.set_colors(workspace, {"key": ACC, **change})
        follower.hear(project.events(workspace)[-1])
        assert agrees(follower)

    assert follower.fetches == 1


@pytest.mark.parametrize(
    "change", [{"y": "max"}, {"scale": "log"}, {"overrides": {"r1": "#000000"}}, {"per_group": True}]
)
def test_settings_that_change_values_ask_for_a_fetch(project: LoggedProject, change: dict[str, Any]) -> None:
    """Another Y value, a log scale or overrides cannot be followed by the legend alone."""
    workspace = project.workspace({"key": ACC})
    project.log("r1", "acc", {0: -1.0, 1: 0.5})

    project.set_colors(workspace, {"key": ACC, **change})

    event = project.events(workspace)[-1]
    assert (event["resync"], event["cause"], event["changed"]) == (True, "settings", [])


def test_filter_change_is_a_new_version(project: LoggedProject) -> None:
    """A workspace filter moves it to another population; putting the same filter again does nothing."""
    workspace = project.workspace({"key": ACC})
    for index in range(4):
        project.log(f"r{index}", "acc", {0: index})
    project.flush()

    version = update_workspace(project.tx, workspace, filter_='{"name":{"$in":["r1","r2"]}}')
    again = update_workspace(project.tx, workspace, filter_='{ "name" : {"$in":["r1","r2"]}}')
    hidden = update_workspace(project.tx, workspace, hidden_runs=["r1"])

    page = read_coloring(project.tx, workspace)
    assert (version, again, hidden) == (3, 3, 3)
    assert (page.population, page.legend.min, page.legend.max) == (2, 1.0, 2.0)
    assert project.events(workspace)[-1]["cause"] == "membership"


def test_event_of_many_changes_lists_none(project: LoggedProject) -> None:
    """More than 5,000 changed runs in one event make clients fetch afresh instead."""
    workspace = project.workspace({})
    project.add_run("first")
    project.flush()
    project.tx.execute(
        "INSERT INTO run (team_id, project_id, public_id, part, name, started_at)"
        " SELECT team_id, project_id, 'x' || n, part, 'x', 0 FROM run, generate_series(1, 5001) n"
    )
    project.tx.execute(
        "INSERT INTO scale_dirty (scale_id, run_id, team_id) SELECT s.id, r.id, 1 FROM scale s, run r"
    )
    project.flush()

    event = project.events(workspace)[-1]
    assert (event["resync"], event["changed"]) == (True, [])
    assert read_coloring(project.tx, workspace).population == 5002


def test_shared_scale_tells_every_workspace(project: LoggedProject) -> None:
    """One flush of a scale gives each of its workspaces its own next version and legend."""
    first = project.workspace({"key": ACC})
    second = project.workspace({"key": ACC, "buckets": 3})
    project.log("r1", "acc", {0: 0.5})
    project.log("r2", "acc", {0: 0.7})

    assert project.flush() == 3  # both, and the project's default workspace, which has new runs
    assert [len(project.events(workspace)[-1]["legend"]["buckets"]) for workspace in (first, second)] == [
        6,
        3,
    ]
    assert {project.events(workspace)[-1]["version"] for workspace in (first, second)} == {2}
