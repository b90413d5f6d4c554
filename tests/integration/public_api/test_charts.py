"""Custom charts, their presets and histograms over steps, through `Api()` from a real stack."""

import asyncio
import io

import numpy as np
import pytest

import runhue
from runhue import errors
from runhue._public_api import Api, AsyncApi
from runhue._public_api.chart_records import Chart
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

SPEC = {
    "data": {"name": "wandb"},
    "title": "${string:title}",
    "mark": "point",
    "encoding": {"x": {"field": "${field:across}", "type": "quantitative"}},
}


def heights(scale: float) -> runhue.Table:
    return runhue.Table(columns=["step", "height"], data=[[at, at * scale] for at in range(5)])


def drawn(api: Api, run: str, key: str) -> Chart:
    """The chart, once the server has looked at its table."""

    def chart() -> Chart | None:
        try:
            return api.run(run).chart(key)
        except errors.ServerBusy:
            return None

    found = until(chart)
    assert found is not None
    return found


def test_charts_of_a_run(lab: Lab, api: Api, project: str) -> None:
    """What was logged is listed, nested charts by their whole key, and comes filled in with its rows."""
    line = runhue.plot.line(heights(2.0), "step", "height", title="Growth")
    split = runhue.plot.scatter(heights(1.0), "step", "height", split_table=True)
    lab.log(project, "r1", [{"growth": line, "eval": {"points": split}}])
    run = api.run(f"{project}/r1")

    charts = {chart.key: chart for chart in run.charts()}
    assert {key: chart.table_key for key, chart in charts.items()} == {
        "growth": "growth_table",
        "eval.points": "Custom Chart Tables/eval.points_table",
    }
    assert (charts["growth"].panel_def_id, charts["growth"].strings["title"]) == ("wandb/line/v0", "Growth")
    for key, scale in (("growth", 2.0), ("eval.points", 1.0)):
        chart = drawn(api, f"{project}/r1", key)
        assert chart.spec is not None
        assert [row["height"] for row in chart.data.values] == [at * scale for at in range(5)]
    with pytest.raises(errors.ServerRefused, match="no chart 'missing'"):
        run.chart("missing")


def test_a_chart_of_several_runs(lab: Lab, api: Api, project: str) -> None:
    """Rows of all runs stand behind one another and say whose they are."""
    for name, scale in (("r1", 1.0), ("r2", 3.0)):
        chart = runhue.plot.line(heights(scale), "step", "height")
        lab.log(project, name, [{"growth": chart}])
        drawn(api, f"{project}/{name}", "growth")

    both = api.chart(project, "growth", ["r2", "r1"])
    assert [one.run_id for one in both.runs] == ["r2", "r1"]
    assert [row[both.run_columns.id] for row in both.data.values] == ["r2"] * 5 + ["r1"] * 5
    assert both.rows == 10


def test_presets_of_a_team(lab: Lab, api: Api, project: str) -> None:
    """A preset is made, listed, used by its id, changed and deleted; those of every server stay."""
    name = f"preset-of-{project}"
    made = api.create_chart_preset(name, SPEC, title="Mine", description="what it shows")
    team = api.viewer().team
    assert (made.id, made.title, made.library, made.fields) == (
        f"{team}/{name}",
        "Mine",
        "vega-lite",
        ("across",),
    )
    assert {"wandb/line/v0", made.id} <= {preset.id for preset in api.chart_presets()}
    assert api.chart_preset("wandb/line/v0").built_in

    chart = runhue.plot_table(made.id, heights(1.0), {"across": "height"}, {"title": "Mine too"})
    lab.log(project, "r1", [{"mine": chart}])
    spec = drawn(api, f"{project}/r1", "mine").spec
    assert spec is not None
    assert (spec["title"], spec["encoding"]["x"]["field"]) == ("Mine too", "height")

    changed = api.update_chart_preset(made.id, SPEC | {"mark": "bar"}, description="bars")
    assert (changed.spec["mark"], changed.description) == ("bar", "bars")
    api.delete_chart_preset(made.id)
    api.delete_chart_preset(made.id)
    with pytest.raises(errors.ServerRefused, match="no preset"):
        api.chart_preset(made.id)
    assert drawn(api, f"{project}/r1", "mine").code == "preset_unknown"


def test_a_spec_that_cannot_be_a_preset_says_where(lab: Lab, api: Api) -> None:
    """The refusal names the place in the spec; a built-in preset cannot be changed."""
    with pytest.raises(errors.ServerRefused) as refused:
        api.create_chart_preset("wrong", SPEC | {"mark": "nothing such"})
    assert (refused.value.field or "").startswith("spec")
    with pytest.raises(errors.ServerRefused, match="built in"):
        api.delete_chart_preset("wandb/line/v0")


def test_histograms_over_steps(lab: Lab, api: Api, project: str) -> None:
    """All steps of all runs on one grid, with every value counted once."""
    random = np.random.default_rng(0)
    for name in ("r1", "r2"):
        lab.log(project, name, [{"w": runhue.Histogram(random.normal(at, 1, 50))} for at in range(6)])

    alone = api.run(f"{project}/r1").histograms("w", rows=32)
    assert (len(alone.edges), [column.step for column in alone.runs[0].columns]) == (33, list(range(6)))
    assert np.sum(alone.runs[0].counts, axis=0) == pytest.approx([50.0] * 6)
    both = api.histograms(project, "w", ["r2", "r1"], from_step=2, columns=2)
    assert [one.run_id for one in both.runs] == ["r2", "r1"]
    assert [np.sum(one.counts) for one in both.runs] == pytest.approx([200.0, 200.0])
    assert max(len(one.columns) for one in both.runs) <= 2


def test_it_is_the_same_with_asyncio(lab: Lab, api: Api, project: str) -> None:
    """`AsyncApi` and `AsyncRun` have the same calls."""
    chart = runhue.plot.line(heights(1.0), "step", "height")
    lab.log(project, "r1", [{"growth": chart, "w": runhue.Histogram([1.0, 2.0])}])
    drawn(api, f"{project}/r1", "growth")
    name = f"preset-of-{project}"

    async def read() -> list[object]:
        async with AsyncApi(lab.api.base_url, lab.stack.api_key) as reading:
            run = await reading.run(f"{project}/r1")
            made = await reading.create_chart_preset(name, SPEC)
            changed = await reading.update_chart_preset(made.id, SPEC, title="other")
            same = await reading.chart_preset(made.id)
            listed = made.id in {preset.id for preset in await reading.chart_presets()}
            await reading.delete_chart_preset(made.id)
            both = await reading.chart(project, "growth", ["r1"])
            grids = await run.histograms("w"), await reading.histograms(project, "w", ["r1"])
            one = await run.chart("growth")
            listing = [one.key for one in await run.charts()]
            return [changed.title, same.title, listed, both.rows, one.rows, listing, grids[0] == grids[1]]

    assert asyncio.run(read()) == ["other", "other", True, 5, 5, ["growth"], True]


def test_an_array_of_the_summary_is_read_whole(lab: Lab, api: Api, project: str) -> None:
    """Statistics stand in the summary, the array is in its file, also one that a run logged itself."""
    values = np.arange(100, dtype=np.int64) * 2**54
    with runhue.init(project, id="r1", settings=lab.settings(), reinit="create_new") as run:
        run.summary["t"] = values
    until(lambda: lab.is_folded(project, "r1"))

    (one,) = api.run(f"{project}/r1").summary_media()
    assert (one.value["max"], one.value["dtype"]) == (99 * 2**54, "int64")
    assert np.load(io.BytesIO(one.read())).tobytes() == values.tobytes()
