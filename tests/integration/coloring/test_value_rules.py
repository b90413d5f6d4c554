"""The rules S1 to S14 through real tables: what SQL finds is what the reference finds."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import Transaction
from runhue_shared.db.colorings import read_coloring
from tests.integration.coloring.logged_project import LoggedProject, all_runs, check_colors

NAN, INF = math.nan, math.inf
METRIC = {"source": "metric", "name": "acc"}
CONFIG = {"source": "config", "name": "lr"}

HISTORIES: Mapping[str, Mapping[int, Any]] = {
    "plain": {0: 0.1, 1: 0.3, 2: 0.2},
    "negative zero": {0: -0.0},
    "integers": {0: 1, 5: 3},
    "huge integer": {0: 10**400},
    "diverged": {0: 0.5, 1: NAN},
    "recovered": {0: INF, 1: 0.7, 2: 0.6},
    "only infinite": {0: INF, 1: -INF},
    "named nan": {0: "NaN", 1: 0.4},
    "nulls": {0: None},
    "null then number": {0: None, 1: 0.25},
    "words": {0: "b", 1: "a"},
    "words and numbers": {0: "b", 1: 0.9},
    "flags": {0: True, 1: False},
    "flag": {3: True},
    "lists": {0: [1, 2]},
    "list and word": {0: [1], 1: "z"},
    "empty word": {0: ""},
    "subnormal": {0: 5e-324},
}


@pytest.fixture
def project(tx: Transaction) -> LoggedProject:
    return LoggedProject(tx)


def log_histories(project: LoggedProject) -> None:
    project.add_run("silent")
    for name, points in HISTORIES.items():
        project.add_run(name)
        project.log(name, "Acc", points)


@pytest.mark.parametrize("y", ["latest", "max", "min"])
@pytest.mark.parametrize("key_type", [None, "number", "string", "bool"])
@pytest.mark.parametrize("is_early", [True, False])
def test_metric_values_follow_the_rules(
    project: LoggedProject, y: str, key_type: str | None, is_early: bool
) -> None:
    """Types, non-finite numbers, nulls and missing keys give the reference's answer (S5 to S11)."""
    settings = {"key": {**METRIC, "type": key_type}, "y": y}
    early = project.workspace(settings) if is_early else 0

    log_histories(project)
    project.flush()

    workspace = early or project.workspace(settings)
    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))


@pytest.mark.parametrize("scale", ["linear", "log", "quantile"])
@pytest.mark.parametrize("stability", ["live", "stable"])
def test_scales_follow_the_rules(project: LoggedProject, scale: str, stability: str) -> None:
    """Log and quantile scales have the reference's buckets, and zero and below are non_positive."""
    settings = {"key": METRIC, "scale": scale, "buckets": 4}
    for index in range(-3, 30):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "acc", {0: index / 7})

    workspace = project.workspace({**settings, "stability": stability})
    for name in project.runs:
        project.finish(name)
    project.flush()

    check_colors(
        project.tx, workspace, project.reference(parse_settings({**settings, "stability": stability}))
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": "custom", "boundaries": [0.1, 0.2], "buckets": 3},
        {"range": {"min": 0.15, "max": 0.4}},
        {"midpoint": 0.3},
        {"reverse": True, "palette": "cvd-other"},
        {"overrides": {"plain": "#123456"}},
        {"buckets": 2},
    ],
)
def test_every_setting_follows_the_reference(project: LoggedProject, settings: Mapping[str, Any]) -> None:
    """Boundaries, range, midpoint, reverse, overrides and n change the legend as the reference says."""
    workspace = project.workspace({"key": METRIC})
    log_histories(project)
    project.flush()

    project.set_colors(workspace, {"key": METRIC, **settings})

    check_colors(project.tx, workspace, project.reference(parse_settings({"key": METRIC, **settings})))


def test_summary_only_key_serves_every_y(project: LoggedProject) -> None:
    """A key with no point but a summary value uses that value; one with points ignores the summary (S5)."""
    settings = {"key": METRIC, "y": "max"}
    workspace = project.workspace(settings)
    values = {"s": 0.8, "t": "0.8", "n": None, "nan": NAN, "list": [1], "yes": True}
    for name, value in values.items():
        project.add_run(name)
        project.summarize(name, "acc", value)
    project.add_run("both")
    project.log("both", "acc", {0: 0.2})
    project.summarize("both", "acc", 7.0)
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))
    assert all_runs(project.tx, workspace)[1]["both"][0] == 0.2


@pytest.mark.parametrize("key_type", [None, "number", "string", "bool"])
@pytest.mark.parametrize("coerce", [True, False])
def test_config_values_follow_the_rules(project: LoggedProject, key_type: str | None, coerce: bool) -> None:
    """A config value is what it is, and a JSON number in a string only becomes one when asked (S10)."""
    values = [
        0.1,
        3,
        True,
        "adam",
        "1e-3",
        "+1",
        ".5",
        " 1 ",
        "0x10",
        "-0",
        "1e400",
        "1e-400",
        NAN,
        None,
        [1],
    ]
    settings = {"key": {**CONFIG, "type": key_type}, "coerce_numeric_strings": coerce, "y": "max"}
    workspace = project.workspace(settings)
    project.add_run("without")
    for index, value in enumerate(values):
        project.add_run(f"r{index}")
        project.configure(f"r{index}", "lr", value)
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))


@pytest.mark.parametrize("name", ["step", "wall_time", "relative_time_process", "relative_time_wall"])
@pytest.mark.parametrize("y", ["latest", "max", "min"])
def test_default_metrics_come_from_every_row(project: LoggedProject, name: str, y: str) -> None:
    """Steps, clock and running time of the history rows color runs without being logged (S7)."""
    settings = {"key": {"source": "default", "name": name}, "y": y}
    workspace = project.workspace(settings)
    project.add_run("silent")
    for index in range(1, 4):
        run = f"r{index}"
        project.add_run(run)
        project.log(run, "_timestamp", {step: 1_700_000_000.5 + step * index for step in range(5, 9)})
        project.log(run, "_runtime", {step: step * 0.1 for step in range(5, 9)})
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))


def test_categories_beyond_n_share_other(project: LoggedProject) -> None:
    """The n - 1 most frequent strings keep a bucket, ties by code point; the rest are Other (S13)."""
    settings = {"key": CONFIG, "buckets": 3}
    workspace = project.workspace(settings)
    for index, word in enumerate(["a", "b", "b", "é", "é", "Z", "𝄞", "\uffff", ""]):
        project.add_run(f"r{index}")
        project.configure(f"r{index}", "lr", word)
        project.flush()
        check_colors(project.tx, workspace, project.reference(parse_settings(settings)))
    for index in range(5):
        project.delete(f"r{index}")
        project.flush()
        check_colors(project.tx, workspace, project.reference(parse_settings(settings)))


def test_strings_postgres_cannot_hold_do_not_stop_a_scale(project: LoggedProject) -> None:
    """NUL, half a surrogate pair and a novel are categories like any other, the last one cut."""
    workspace = project.workspace({"key": METRIC})
    for index, text in enumerate(["a\0b", "\ud800", "x" * 10_000, "x" * 10_001]):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "acc", {0: text})
    project.flush()

    page, runs = all_runs(project.tx, workspace)

    assert page.legend.kind == "categorical"
    assert len({value for value, *_ in runs.values()}) == 4
    assert max(len(value) for value, *_ in runs.values()) < 500


@pytest.mark.parametrize("population", ["workspace", "visible"])
@pytest.mark.parametrize("key", [METRIC, CONFIG])
def test_hidden_runs_leave_the_range_only_when_asked(
    project: LoggedProject, population: str, key: Mapping[str, Any]
) -> None:
    """Hidden runs define the range unless the population is the visible ones; all are colored (S1)."""
    settings = {"key": key, "population": population}
    for index in range(6):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "acc", {0: index / 3})
        project.configure(f"r{index}", "lr", f"v{index % 4}")

    workspace = project.workspace(settings, hidden_runs=["r0", "r3", "absent"])

    check_colors(
        project.tx, workspace, project.reference(parse_settings(settings), hidden=["r0", "r3", "absent"])
    )


def test_group_has_the_exact_mean_of_its_members(project: LoggedProject) -> None:
    """Every member takes the mean of its group, also one without a number; moving one changes two groups."""
    settings = {"key": METRIC, "per_group": True, "buckets": 4}
    workspace = project.workspace(settings)
    for index, group in enumerate(["a", "a", "a", "b", "b", None, "c"]):
        project.add_run(f"r{index}", group)
        if index not in (2, 6):
            project.log(f"r{index}", "acc", {0: index * 0.1})
    project.flush()
    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))

    project.move_to_group("r0", "b")
    project.move_to_group("r5", "c")
    project.delete("r4")
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))
    fresh = project.workspace({**settings, "palette": "cvd-other", "y": "max"})
    assert all_runs(project.tx, fresh)[1].keys() == all_runs(project.tx, workspace)[1].keys()


def test_type_follows_the_majority(project: LoggedProject) -> None:
    """Without a type, the key's type is the one most runs have now, and all runs are judged by it (S8)."""
    settings = {"key": METRIC}
    workspace = project.workspace(settings)
    kinds = []
    for index, value in enumerate(["x", 1.0, 2.0, "y", "z", True, True, True, True]):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "acc", {0: value})
        project.flush()
        check_colors(project.tx, workspace, project.reference(parse_settings(settings)))
        kinds.append(read_coloring(project.tx, workspace).legend.type)

    assert kinds == ["string", "number", "number", "number", "string", "string", "string", "string", "bool"]


def test_default_coloring_gives_each_run_its_own_color(project: LoggedProject) -> None:
    """Without a key there are no buckets, and a run's color depends on its id alone."""
    workspace = project.workspace()
    for name in ("a", "b"):
        project.add_run(name)
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings({})))


def test_filtered_workspace_follows_what_its_filter_reads(project: LoggedProject) -> None:
    """Runs enter and leave with the config, summary and attributes that the filter looks at."""
    filter_ = {"$or": [{"summary.loss": {"$lt": 1}}, {"config.keep": True}], "state": "running"}
    settings = {"key": METRIC}
    workspace = project.workspace(
        settings, filter_='{"$or":[{"summary.loss":{"$lt":1}},{"config.keep":true}],"state":"running"}'
    )
    for index in range(4):
        project.add_run(f"r{index}")
        project.log(f"r{index}", "acc", {0: index})
        project.log(f"r{index}", "loss", {0: index * 0.6})
    project.flush()
    check_colors(project.tx, workspace, project.reference(parse_settings(settings), filter_=filter_))

    project.configure("r3", "keep", True)
    project.log("r0", "loss", {1: 5.0})
    project.finish("r1")
    project.flush()

    check_colors(project.tx, workspace, project.reference(parse_settings(settings), filter_=filter_))
    chosen = read_coloring(project.tx, workspace, run_ids=["r0", "r3", "unknown"])
    assert {run.run_id: run.reason for run in chosen.runs} == {"r0": "not_in_population", "r3": None}
