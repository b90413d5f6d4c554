"""How a run's media are shown: custom charts and class labels."""

import math
from typing import Any

import httpx

from runhue_server.api.models_media_settings import Charts, RunClassLabels
from runhue_shared.events import MediaSetting
from tests.integration.api.stored import Stored


def panel(**changes: Any) -> dict[str, Any]:
    """A chart as the client sends it."""
    table = {"name": "summaryTable", "args": [{"name": "tableKey", "value": "Tables/pr_table"}], "fields": []}
    config = {
        "panelDefId": "wandb/line/v0",
        "fieldSettings": {"x": "recall", "y": "precision"},
        "stringSettings": {"title": "PR"},
        "userQuery": {"queryFields": [{"name": "runSets", "args": [], "fields": [{"name": "id"}, table]}]},
    }
    return {"panel_type": "Vega2", "panel_config": config | changes}


def test_charts_say_what_draws_which_table(api: httpx.Client, project: Stored) -> None:
    """A chart names its preset, its table and what is drawn; whatever a client sent is shown."""
    media = [
        MediaSetting(0, "chart", "pr", panel()),
        MediaSetting(1, "chart", "odd", {"panel_config": [math.nan]}),
        MediaSetting(
            2, "legacy_chart", "old", {"id": "wandb/bar/v0", "historyFieldSettings": {"key": "old"}}
        ),
        MediaSetting(3, "mask_classes", "img_wandb_delimeter_gt", {"value": {"0": "bg"}}),
    ]
    project.log("r1", [], media=media)

    answer = api.get(f"{project.url}/runs/r1/charts")

    charts = {chart.key: chart for chart in Charts.model_validate(answer.json()).charts}
    assert sorted(charts) == ["odd", "old", "pr"]
    pr, odd, old = charts["pr"], charts["odd"], charts["old"]
    assert (pr.kind, pr.table_key, pr.panel_def_id) == ("chart", "Tables/pr_table", "wandb/line/v0")
    assert (pr.fields, pr.strings) == ({"x": "recall", "y": "precision"}, {"title": "PR"})
    assert pr.value == panel()
    assert (odd.table_key, odd.panel_def_id, odd.fields, odd.strings) == ("odd_table", "", {}, {})
    assert odd.value == {"panel_config": ["NaN"]}
    assert (old.table_key, old.panel_def_id, old.fields) == ("old", "wandb/bar/v0", {"key": "old"})


def test_class_labels_are_split_by_media_key_and_name(api: httpx.Client, project: Stored) -> None:
    """Masks and boxes name their media key, their own name, and the classes."""
    media = [
        MediaSetting(0, "mask_classes", "my img_wandb_delimeter_gt", {"value": {"0": "bg", "1": "car"}}),
        MediaSetting(1, "box_classes", "plain", {"value": "odd"}),
        MediaSetting(2, "chart", "pr", panel()),
    ]
    project.log("r1", [], media=media)

    answer = api.get(f"{project.url}/runs/r1/class-labels")

    found = RunClassLabels.model_validate(answer.json()).class_labels
    assert [(one.kind, one.key, one.name, one.labels) for one in found] == [
        ("box", "plain", "", {}),
        ("mask", "my img", "gt", {"0": "bg", "1": "car"}),
    ]


def test_other_teams_see_nothing(them: httpx.Client, api: httpx.Client, project: Stored) -> None:
    """A run of another team is not there, and a run without settings has none."""
    project.add_run("r1")

    assert api.get(f"{project.url}/runs/r1/charts").json() == {"charts": []}
    assert api.get(f"{project.url}/runs/r1/class-labels").json() == {"class_labels": []}
    assert them.get(f"{project.url}/runs/r1/charts").status_code == 404
    assert them.get(f"{project.url}/runs/r1/class-labels").status_code == 404
