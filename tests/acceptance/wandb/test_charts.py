"""Custom charts of either client, as the API gives them to be drawn: the same specs and the same rows."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from runhue._public_api.chart_records import Chart
from tests.acceptance.wandb.conftest import Doors
from tests.waiting import eventually
from tests.wandb_clients import WandbClient

pytestmark = pytest.mark.stack

SPEC: dict[str, Any] = {
    "data": {"name": "wandb"},
    "mark": "point",
    "encoding": {
        "x": {"field": "${field:across}", "type": "quantitative", "title": "${string:title}"},
        "y": {"field": "${field:up}", "type": "quantitative"},
    },
}
SCRIPT = """
import importlib, os, sys
client = importlib.import_module(os.environ.get("CLIENT", "wandb"))
project, team = sys.argv[1:3]
if client.__name__ == "wandb":
    api = client.Api()
    for _ in range(2):
        preset = api.create_custom_chart(
            entity=team, name="dots", display_name="Dots", spec_type="vega2", access="private",
            spec=sys.argv[3],
        )
else:
    preset = team + "/dots"
run = client.init(project=project, id="r1")
ROWS = [[0, 0.1, "a"], [1, -2.5, "b"], [2, 1e300, "c"]]
table = lambda: client.Table(columns=["step", "height", "name"], data=ROWS)
plot = client.plot
run.log({
    "line": plot.line(table(), "step", "height", title="L"),
    "scatter": plot.scatter(table(), "step", "height", title="S"),
    "bar": plot.bar(table(), "name", "height", title="B"),
    "histogram": plot.histogram(table(), "height", title="H"),
    "series": plot.line_series([0, 1], [[1, 2], [3.5, -4]], keys=["u", "v"], title="T", xname="x"),
    "matrix": plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"]),
    "own": client.plot_table(preset, table(), {"across": "step", "up": "height"}, {"title": "Mine"}),
})
run.finish()
"""
KEYS = ("line", "scatter", "bar", "histogram", "series", "matrix", "own")


def run_ours(client: WandbClient, *arguments: str) -> None:
    """The script by our own SDK."""
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(client.home), "TMPDIR": tempfile.gettempdir(),
        "CLIENT": "runhue", "RUNHUE_BASE_URL": client.base_url, "RUNHUE_API_KEY": client.api_key,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=client.home, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def charts_of(doors: Doors, project: str) -> dict[str, Chart]:
    """The run's charts, once the server has looked at their tables."""
    run = doors.api.run(f"{doors.team}/{project}/r1")
    assert eventually(lambda: {chart.key for chart in run.charts()} >= set(KEYS), 60)
    return {key: run.chart(key) for key in KEYS if len(run.table(f"{key}_table"))}


def test_charts_of_both_clients_are_drawn_alike(newest: WandbClient, doors: Doors, project: str) -> None:
    """Built-in plots, and a preset that the wandb client kept, have a spec and the rows that were logged."""
    newest.run(SCRIPT, f"{project}-wandb", doors.team, json.dumps(SPEC))
    run_ours(newest, f"{project}-runhue", doors.team, "")

    theirs, ours = (charts_of(doors, f"{project}-{client}") for client in ("wandb", "runhue"))

    assert list(theirs) == list(ours) == list(KEYS)
    for key in KEYS:
        assert theirs[key].spec is not None, (key, theirs[key].reason)
        assert theirs[key].spec == ours[key].spec, key
        assert theirs[key].data == ours[key].data, key
    own = ours["own"]
    assert (own.preset, own.library) == (f"{doors.team}/dots", "vega-lite")
    assert own.spec is not None
    assert own.spec["encoding"]["x"] == {"field": "step", "type": "quantitative", "title": "Mine"}
    assert [row["height"] for row in own.data.values] == [0.1, -2.5, 1e300]
