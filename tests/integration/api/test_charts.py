"""Custom charts: the preset filled in, with the rows of one run or of several."""

import json
from typing import Any

import httpx
import pytest
import vl_convert

from runhue_server.api import routes_charts
from runhue_server.api.models_charts import RunChart, RunsChart
from runhue_shared import db
from runhue_shared.db import custom_charts
from runhue_shared.events import MediaSetting
from tests.integration.api.media_logs import RunMedia
from tests.integration.api.stored import Stored

PRESET: dict[str, Any] = {
    "data": {"name": "runhue"},
    "mark": "bar",
    "encoding": {
        "x": {"field": "${field:a}", "type": "quantitative"},
        "color": {"field": "name", "type": "nominal"},
    },
}


def panel(preset: str, fields: dict[str, Any], table: str | None = None, **strings: str) -> dict[str, Any]:
    """A chart as clients send it."""
    config: dict[str, Any] = {"panelDefId": preset, "fieldSettings": fields, "stringSettings": strings}
    if table is not None:
        arguments = [{"name": "tableKey", "value": table}]
        config["userQuery"] = {"queryFields": [{"fields": [{"name": "summaryTable", "args": arguments}]}]}
    return {"panel_type": "Vega2", "panel_config": config}


class Logged:
    """Runs with charts and tables, as clients log them and the media worker looks at them."""

    def __init__(self, api: httpx.Client, project: Stored) -> None:
        self._api = api
        self.project = project

    def run(self, run: str, tables: list[dict[str, Any]], **charts: dict[str, Any]) -> None:
        """A run whose rows are tables by key, and its charts by key."""
        media = [MediaSetting(50 + at, "chart", key, value) for at, (key, value) in enumerate(charts.items())]
        rows = [{key: {"_type": "table-file", "path": self.path(run, key, at)} for key in row} for at, row in enumerate(tables)]  # fmt: skip  # noqa: E501
        self.project.log(run, rows, media=media)

    def path(self, run: str, key: str, step: int) -> str:
        return f"media/table/{key}_{step}_{run}.table.json"

    def table(
        self, run: str, key: str, rows: list[dict[str, Any]], step: int = 0, total: int | None = None
    ) -> None:
        """The bytes of a table, and what the worker makes of them."""
        media = RunMedia(self._api, self.project, run)
        content = json.dumps([run, key, step]).encode()
        media.put(self.path(run, key, step), content)
        made = {"vega": ("application/json", json.dumps(rows).encode()), "columns": ("x/y", content + b" ")}
        media.found(content, "table", {"rows": total or len(rows), "columns": []}, **made)

    def stored(self, run: str, key: str, step: int = 0) -> None:
        """The bytes of a table, which nobody looked at."""
        RunMedia(self._api, self.project, run).put(self.path(run, key, step), run.encode())


@pytest.fixture
def logged(api: httpx.Client, project: Stored) -> Logged:
    return Logged(api, project)


def read(api: httpx.Client, project: Stored, run: str, key: str, **asked: Any) -> RunChart:
    """A chart of one run."""
    answer = api.get(f"{project.url}/runs/{run}/charts/{key}", params=asked)
    assert answer.status_code == 200, answer.text
    return RunChart.model_validate(answer.json())


def compiled(chart: RunChart | RunsChart) -> str:
    """The chart as SVG: spec and data are all that is needed."""
    assert chart.spec is not None
    shown = {**chart.spec, "width": 200, "datasets": {chart.data.name: chart.data.values}}
    return vl_convert.vegalite_to_svg(shown, vl_version="6.4")


def test_a_chart_is_its_preset_filled_in(api: httpx.Client, logged: Logged) -> None:
    """The spec names the table's columns and texts, the rows are the table's, and both draw."""
    fields = {"x": "recall", "y": "prec.at", "stroke": None}
    logged.run(
        "r1",
        [{"Tables/pr_table": 1}],
        **{"eval/pr": panel("wandb/line/v0", fields, "Tables/pr_table", title="PR!")},
    )
    logged.table("r1", "Tables/pr_table", [{"recall": at / 3, "prec.at": 1 - at} for at in range(4)])

    chart = read(api, logged.project, "r1", "eval/pr")

    assert (chart.key, chart.kind, chart.preset, chart.library) == (
        "eval/pr", "chart", "wandb/line/v0", "vega-lite",
    )  # fmt: skip
    assert chart.spec is not None
    assert chart.spec["title"] == "PR!"
    assert chart.spec["encoding"]["y"] == {
        "field": "prec\\.at", "type": "quantitative", "title": "prec.at", "scale": {"zero": False},
    }  # fmt: skip
    assert "color" not in chart.spec["encoding"]
    assert (chart.data.name, chart.rows, chart.truncated, chart.step) == ("wandb", 4, False, 0)
    assert chart.data.values[1] == {"recall": 1 / 3, "prec.at": 0, "id": "r1", "name": "r1"}
    assert ">PR!<" in compiled(chart)


def test_a_table_at_a_step(api: httpx.Client, logged: Logged) -> None:
    """Without a step the last table is drawn; with one, that one; a thinned table says so."""
    logged.run("r1", [{"b_table": 1}, {"b_table": 1}], b=panel("wandb/bar/v0", {"label": "l", "value": "v"}))
    logged.table("r1", "b_table", [{"l": "old", "v": 1}])
    logged.table("r1", "b_table", [{"l": "new", "v": 2}], step=1, total=20_000)

    last, first = read(api, logged.project, "r1", "b"), read(api, logged.project, "r1", "b", step=0)

    assert (last.data.values[0]["l"], last.step, last.rows, last.truncated) == ("new", 1, 20_000, True)
    assert (first.data.values[0]["l"], first.step, first.truncated) == ("old", 0, False)
    none = api.get(f"{logged.project.url}/runs/r1/charts/b", params={"step": 7})
    assert (none.status_code, none.json()["code"]) == (404, "table_not_found")


def test_a_chart_of_many_increments_has_so_many_rows(
    api: httpx.Client, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table in increments no more rows come than of any other, some of each increment."""
    paths = [logged.path("r1", "b_table", step) for step in range(3)]
    value = {"_type": "incremental-table-file", "path": paths[-1], "previous_increments_paths": paths[:-1]}
    setting = MediaSetting(50, "chart", "b", panel("wandb/bar/v0", {"label": "l", "value": "v"}))
    logged.project.log("r1", [{"b_table": value}], media=[setting])
    for step in range(3):
        logged.table("r1", "b_table", [{"l": f"{step}.{at}", "v": at} for at in range(10)], step)
    whole = read(api, logged.project, "r1", "b")
    monkeypatch.setattr(routes_charts, "MAX_ROWS", 6)

    short = read(api, logged.project, "r1", "b")

    assert (len(whole.data.values), whole.rows, whole.truncated) == (30, 30, False)
    assert [row["l"] for row in short.data.values] == ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]
    assert (short.rows, short.truncated) == (30, True)


def test_legacy_charts_draw_columns_by_their_names(
    api: httpx.Client, project: Stored, logged: Logged
) -> None:
    """A chart of 2020 has its table under its own key, and no word of columns."""
    shown = {"id": "wandb/heatmap/v1", "historyFieldSettings": {"x-axis": "_step", "key": "heat"}}
    table = {"_type": "table-file", "path": logged.path("r1", "heat", 0)}
    project.log("r1", [{"heat": table}], media=[MediaSetting(5, "legacy_chart", "heat", shown)])
    logged.table("r1", "heat", [{"x_axis": x, "y_axis": "q", "values": at} for at, x in enumerate("abc")])

    chart = read(api, project, "r1", "heat")

    assert (chart.kind, chart.preset) == ("legacy_chart", "wandb/heatmap/v1")
    assert chart.spec is not None
    assert chart.spec["encoding"]["x"]["field"] == "x_axis"
    assert compiled(chart).count('aria-roledescription="rect mark"') == 3


def test_a_team_preset_draws(api: httpx.Client, logged: Logged) -> None:
    """A chart may name a preset of its team; one that is unknown or refused says so and has its rows."""
    url = "/api/v1/teams/ours/chart-presets"
    assert api.post(url, json={"name": "mine", "spec": PRESET}).status_code == 201
    with db.transaction() as tx:
        custom_charts.put(tx, logged.project.team.id, "odd", "Odd", "private", '{"mark": "lin"}')
    fields = {"a": "score"}
    presets = {"own": "ours/mine", "odd": "ours/odd", "gone": "carey/new_chart"}
    tables = dict.fromkeys([f"{key}_table" for key in presets], 1)
    logged.run("r1", [tables], **{key: panel(preset, fields) for key, preset in presets.items()})
    for key in tables:
        logged.table("r1", key, [{"score": 1}, {"score": 2}])

    own, odd, gone = (read(api, logged.project, "r1", key) for key in presets)

    assert own.spec is not None
    assert own.spec["encoding"]["x"]["field"] == "score"
    assert own.spec["$schema"].endswith("vega-lite/v6.json")
    assert own.data.name == "runhue"
    assert compiled(own)
    assert (odd.spec, odd.code) == (None, "invalid_preset")
    assert (gone.spec, gone.code, gone.rows) == (None, "preset_unknown", 2)
    assert "carey/new_chart" in (gone.reason or "")


def test_states_of_the_table(api: httpx.Client, logged: Logged) -> None:
    """A chart whose table is not ready says why, and when asking again helps."""
    bar = panel("wandb/bar/v0", {"label": "l", "value": "v"})
    keys = ("waiting", "awaited", "refused", "bare")
    logged.run("r1", [{f"{key}_table": 1 for key in keys[:3]}], **dict.fromkeys(keys, bar))
    for key in ("waiting_table", "refused_table"):
        logged.stored("r1", key)
    content = b"r1"
    answers = {
        key: api.get(f"{logged.project.url}/runs/r1/charts/{key}") for key in ("waiting", "awaited", "bare")
    }
    RunMedia(api, logged.project, "r1").refused(content, "table", "no_table", "it has no columns")
    answers["refused"] = api.get(f"{logged.project.url}/runs/r1/charts/refused")
    answers["none"] = api.get(f"{logged.project.url}/runs/r1/charts/none")

    found = {key: (answer.status_code, answer.json()["code"]) for key, answer in answers.items()}
    assert found == {
        "waiting": (503, "chart_not_ready"),
        "awaited": (404, "table_awaited"),
        "bare": (404, "table_not_found"),
        "refused": (404, "no_table"),
        "none": (404, "chart_not_found"),
    }
    assert answers["waiting"].headers["retry-after"] == "1"


def test_several_runs_in_one_chart(
    api: httpx.Client, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows say which run they are of, runs are told apart by color, and no column of a table is hidden."""
    bar = panel("wandb/bar/v0", {"label": "name", "value": "run_id"}, title="Side by side")
    for run in ("r1", "r2", "r3"):
        logged.run(run, [{"b_table": 1}], b=bar)
    with db.transaction() as tx:
        tx.execute("UPDATE run SET name = 'same' WHERE public_id IN ('r1', 'r2')")
    logged.table("r1", "b_table", [{"name": "cat", "run_id": 1}, {"name": "dog", "run_id": 2}])
    logged.table("r2", "b_table", [{"name": "cat", "run_id": 3}])
    logged.stored("r3", "b_table")
    logged.project.add_run("r4")
    url = f"{logged.project.url}/charts"

    chart = RunsChart.model_validate(api.get(url, params={"key": "b", "runs": "r4,r2,r1,r3"}).json())

    assert [(run.run_id, run.name, run.state, run.rows) for run in chart.runs] == [
        ("r4", "r4", "missing", 0), ("r2", "same (r2)", "ready", 1), ("r1", "same (r1)", "ready", 2),
        ("r3", "r3", "waiting", 0),
    ]  # fmt: skip
    assert (chart.run_columns.id, chart.run_columns.name) == ("_run_id", "run_name")
    assert chart.data.values[0] == {
        "name": "cat", "run_id": 3, "id": "r2", "run_name": "same (r2)", "_run_id": "r2",
    }  # fmt: skip
    assert (chart.rows, chart.truncated, len(chart.data.values)) == (3, False, 3)
    assert chart.spec is not None
    assert chart.spec["encoding"]["color"]["field"] == "run_name"
    svg = compiled(chart)
    assert ">same (r1)<" in svg
    assert ">same (r2)<" in svg

    monkeypatch.setattr(routes_charts, "MAX_ROWS", 4)
    short = RunsChart.model_validate(api.get(url, params={"key": "b", "runs": "r1,r2,r3,r4"}).json())
    assert (short.rows, short.truncated, len(short.data.values)) == (3, True, 2)
    assert api.get(url, params={"key": "x", "runs": "r1"}).json()["code"] == "chart_not_found"


def test_other_teams_see_nothing(them: httpx.Client, api: httpx.Client, project: Stored) -> None:
    """Charts of another team are not there."""
    project.add_run("r1")

    assert them.get(f"{project.url}/runs/r1/charts/b").status_code == 404
    assert them.get(f"{project.url}/charts", params={"key": "b", "runs": "r1"}).status_code == 404
    assert (
        api.get(f"{project.url}/charts", params={"key": "b", "runs": "none"}).json()["code"]
        == "run_not_found"
    )
