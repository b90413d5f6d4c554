"""Putting color settings in force: revisions, idempotence, stable and pinned legends."""

from typing import Any

import pytest

from runhue_shared.coloring.assign import Continuity
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import Transaction, colors
from runhue_shared.db.color_keys import color_keys
from runhue_shared.db.color_settings import (
    SettingsChanged,
    WorkspaceUnknown,
    read_settings,
    set_color_settings,
    settings_history,
)
from runhue_shared.db.colorings import read_coloring
from runhue_shared.db.legends import read_legend
from runhue_shared.db.workspaces import (
    DefaultWorkspaceKept,
    WorkspaceExists,
    create_workspace,
    delete_workspace,
    ensure_default_workspace,
    read_workspace,
    update_workspace,
    workspaces_of_project,
)
from runhue_shared.filters import InvalidFilter
from tests.integration.coloring.logged_project import LoggedProject, check_colors

ACC: dict[str, Any] = {"key": {"source": "metric", "name": "acc"}}


@pytest.fixture
def project(tx: Transaction) -> LoggedProject:
    return LoggedProject(tx)


def log_values(project: LoggedProject, *values: float) -> None:
    for index, value in enumerate(values):
        project.log(f"r{index}", "acc", {0: value})
    project.flush()


def test_settings_answer_the_version_they_took_effect_at(project: LoggedProject) -> None:
    """Each change is the next revision and the next version; the same settings again are neither."""
    workspace = project.workspace()
    log_values(project, 1.0, 2.0)

    first = project.set_colors(workspace, ACC)
    log_values(project, 5.0, 2.0)
    again = project.set_colors(workspace, ACC)

    assert first == again
    assert [entry.settings_rev for entry in settings_history(project.tx, workspace)] == [2, 1]
    assert read_settings(project.tx, workspace).version == first[1] + 1


def test_settings_seen_too_long_ago_are_refused(project: LoggedProject) -> None:
    """A caller that has not seen the last revision gets it named, and nothing changes."""
    workspace = project.workspace()
    set_color_settings(project.tx, workspace, parse_settings(ACC), 1, "a")

    with pytest.raises(SettingsChanged) as refused:
        set_color_settings(project.tx, workspace, parse_settings({}), 1, "b")

    assert refused.value.settings_rev == 2
    assert read_settings(project.tx, workspace).settings == parse_settings(ACC)
    assert settings_history(project.tx, workspace)[0].set_by == "a"


def test_unknown_workspace_is_named(project: LoggedProject) -> None:
    """A workspace that is not there cannot be read or changed."""
    with pytest.raises(WorkspaceUnknown):
        project.set_colors(99, ACC)
    with pytest.raises(WorkspaceUnknown):
        read_coloring(project.tx, 99)


def test_key_nobody_has_logged_yet_colors_runs_once_they_do(project: LoggedProject) -> None:
    """A workspace may ask for a metric that is only logged later."""
    workspace = project.workspace(ACC)
    assert read_coloring(project.tx, workspace).legend.kind == "empty"

    log_values(project, 1.0, 2.0)

    check_colors(project.tx, workspace, project.reference(parse_settings(ACC)))


def test_legend_can_be_read_by_its_id(project: LoggedProject) -> None:
    """A legend an event names can be fetched by the team it belongs to, and by no other."""
    workspace = project.workspace(ACC)
    log_values(project, 1.0, 2.0)
    legend = read_coloring(project.tx, workspace).legend

    assert read_legend(project.tx, project.team_id, legend.legend_id) == legend
    assert read_legend(project.tx, project.team_id + 1, legend.legend_id) is None


def test_stable_legend_keeps_its_domain_while_runs_are_live(project: LoggedProject) -> None:
    """The domain has headroom while a run is live, moves when a value leaves it, and is exact at the end."""
    settings: dict[str, Any] = {**ACC, "stability": "stable"}
    workspace = project.workspace(settings)
    log_values(project, 0.0, 1.0)
    kept = read_coloring(project.tx, workspace).legend
    assert (kept.min, kept.max) == (-0.1, 1.1)

    log_values(project, 0.0, 1.05)
    assert read_coloring(project.tx, workspace).legend == kept
    settings["palette"] = "cvd-other"
    project.set_colors(workspace, settings)
    assert read_coloring(project.tx, workspace).legend.max == 1.1
    log_values(project, 0.0, 2.0)
    assert read_coloring(project.tx, workspace).legend.max == 2.2

    project.finish("r0")
    project.flush()
    assert read_coloring(project.tx, workspace).legend.max == 2.2
    project.finish("r1")
    project.flush()
    check_colors(project.tx, workspace, project.reference(parse_settings(settings)))


def test_pinned_legend_stays(project: LoggedProject) -> None:
    """A pinned legend keeps its boundaries whatever is logged, and takes new colors only."""
    workspace = project.workspace(ACC)
    log_values(project, 0.0, 1.0)
    shown = read_coloring(project.tx, workspace).legend

    project.set_colors(workspace, {**ACC, "stability": "pinned"})
    log_values(project, -3.0, 50.0)
    pinned = parse_settings({**ACC, "stability": "pinned"})
    check_colors(project.tx, workspace, project.reference(pinned, continuity=Continuity(pinned=shown)))
    project.set_colors(workspace, {**ACC, "stability": "pinned", "reverse": True})
    assert read_coloring(project.tx, workspace).legend.thresholds == shown.thresholds

    project.set_colors(workspace, {**ACC, "stability": "pinned", "range": {"max": 10}})
    assert read_coloring(project.tx, workspace).legend.max == 10.0
    project.set_colors(workspace, ACC)
    check_colors(project.tx, workspace, project.reference(parse_settings(ACC)))


def test_pinned_before_any_value_waits_for_the_first(project: LoggedProject) -> None:
    """A legend cannot be pinned before it has buckets; the first ones are kept."""
    workspace = project.workspace({**ACC, "stability": "pinned"})

    log_values(project, 0.0, 1.0)
    log_values(project, 0.0, 9.0)

    assert read_coloring(project.tx, workspace).legend.max == 1.0


def test_every_project_has_one_default_workspace(project: LoggedProject) -> None:
    """The default workspace is made once, comes first, and cannot be deleted."""
    default = ensure_default_workspace(project.tx, project.id)
    other = create_workspace(project.tx, project.id, "a")

    assert ensure_default_workspace(project.tx, project.id) == default
    assert [held.id for held in workspaces_of_project(project.tx, project.id)] == [default, other]
    with pytest.raises(DefaultWorkspaceKept):
        delete_workspace(project.tx, default)


def test_workspaces_are_named_once_and_deleted_for_good(project: LoggedProject) -> None:
    """A taken name is refused also when renaming; deleting twice is deleting once."""
    first = create_workspace(project.tx, project.id, "a", search="^x", hidden_runs=["r2", "r1"])
    second = create_workspace(project.tx, project.id, "b")

    with pytest.raises(WorkspaceExists):
        create_workspace(project.tx, project.id, "a")
    with pytest.raises(WorkspaceExists):
        update_workspace(project.tx, second, name="a")
    update_workspace(project.tx, second, name="c")
    held = read_workspace(project.tx, first)
    delete_workspace(project.tx, first)
    delete_workspace(project.tx, first)

    assert (held.search, held.hidden_runs, held.project) == ("^x", ["r1", "r2"], "digits")
    assert read_workspace(project.tx, second).name == "c"
    with pytest.raises(WorkspaceUnknown):
        read_workspace(project.tx, first)


@pytest.mark.parametrize("parts", [{"filter_": '{"nope": 1}'}, {"search": "("}, {"filter_": "["}])
def test_filter_that_makes_no_sense_is_refused(project: LoggedProject, parts: dict[str, str]) -> None:
    """A filter or search that could not be evaluated is never stored."""
    workspace = create_workspace(project.tx, project.id, "a")

    with pytest.raises(InvalidFilter):
        update_workspace(project.tx, workspace, **parts)


def test_search_bounds_the_population(project: LoggedProject) -> None:
    """The search of a workspace is part of its population."""
    workspace = project.workspace(ACC, search="^r[12]$")
    log_values(project, 0.0, 1.0, 2.0, 3.0)

    page = read_coloring(project.tx, workspace)
    assert (page.population, page.legend.min, page.legend.max) == (2, 1.0, 2.0)


def test_scales_that_nobody_uses_are_forgotten(project: LoggedProject) -> None:
    """A scale outlives its last workspace by the retention, then goes with its values."""
    workspace = project.workspace(ACC)
    log_values(project, 1.0)
    project.set_colors(workspace, {**ACC, "y": "max"})
    scales = project.scale_ids()
    colors.forget_old(project.tx)
    assert project.scale_ids() == scales

    for table in ("workspace_coloring_version", "scale", "legend"):
        column = "created_at" if table.endswith("version") else "used_at"
        project.tx.execute(f"UPDATE {table} SET {column} = {column} - interval '11 minutes'")
    colors.forget_old(project.tx)

    assert len(project.scale_ids()) == len(scales) - 1
    values = project.tx.execute(
        "SELECT count(*) FROM scale_value WHERE scale_id <> ALL (SELECT id FROM scale)"
    )
    assert values.fetchall() == [(0,)]
    check_colors(project.tx, workspace, project.reference(parse_settings({**ACC, "y": "max"})))


def test_keys_are_listed_by_name_and_type(project: LoggedProject) -> None:
    """The dropdown has the default metrics, metrics and config keys, each with its types and runs."""
    project.log("r1", "Acc", {0: 0.5, 1: "x"})
    project.log("r2", "acc", {0: 0.5})
    project.log("r2", "_timestamp", {0: 1.0})
    project.add_run("r3")
    project.summarize("r3", "best", 1.0)
    project.configure("r1", "opt.lr", 0.1)
    project.configure("r2", "opt.lr", "auto")
    project.configure("r2", "layers", [1])
    project.add_run("r4")
    project.configure("r4", "opt.lr", 0.2)
    project.delete("r4")

    keys = color_keys(project.tx, project.id)

    assert [(key.source, key.name, key.type, key.runs, key.is_selectable) for key in keys] == [
        ("default", "relative_time_process", "number", 0, True),
        ("default", "relative_time_wall", "number", 1, True),
        ("default", "wall_time", "number", 1, True),
        ("default", "step", "number", 1, True),
        ("metric", "Acc", "number", 2, True),
        ("metric", "Acc", "string", 1, True),
        ("metric", "best", "number", 1, True),
        ("config", "layers", "other", 1, False),
        ("config", "opt.lr", "number", 1, True),
        ("config", "opt.lr", "string", 1, True),
    ]
    assert [key.name for key in color_keys(project.tx, project.id, "LR")] == ["opt.lr", "opt.lr"]
