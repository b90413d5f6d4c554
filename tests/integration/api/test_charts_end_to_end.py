"""Every chart of `runhue.plot`, logged by the SDK and looked at by the media worker, draws."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import vl_convert

import runhue
from runhue_server.api.models_charts import RunChart, RunsChart
from runhue_server.api.models_histograms import Histograms
from runhue_server.api.models_media import Media, MediaKeys
from runhue_server.stack import Stack
from tests.integration.api.stored import bearer
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

SCORES = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
TRUE = [0, 1, 1, 0]


def charts() -> dict[str, Any]:
    """One of each chart that clients make."""
    table = runhue.Table(columns=["x", "y", "kind"], data=[[at, at * 2, "ab"[at % 2]] for at in range(6)])
    return {
        "line": runhue.plot.line(table, "x", "y", stroke="kind", title="Line"),
        "plain": runhue.plot.line(table, "x", "y"),
        "scatter": runhue.plot.scatter(table, "x", "y", title="Scatter"),
        "bar": runhue.plot.bar(table, "kind", "y", title="Bar"),
        "histogram": runhue.plot.histogram(table, "y", title="Histogram"),
        "series": runhue.plot.line_series(
            [0, 1], [[1, 2], [3, 4]], ["a", "b"], title="Series", xname="epoch"
        ),
        "eval/roc": runhue.plot.roc_curve(TRUE, SCORES, labels=["cat", "dog"]),
        "pr": runhue.plot.pr_curve(TRUE, SCORES, labels=["cat", "dog"], split_table=True),
        "matrix": runhue.plot.confusion_matrix(SCORES, TRUE, class_names=["cat", "dog"]),
        "heat": runhue.plots.HeatMap(["a", "b"], ["c"], [[1], [2]], show_text=True),
    }


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(stack, tmp_path)
    yield made
    made.api.close()


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, headers=bearer(stack.api_key), timeout=30) as client:
        yield client


def test_every_chart_draws(lab: Lab, http: httpx.Client) -> None:
    """Each chart of a run, and of two runs side by side, compiles with the spec and rows of one answer."""
    for run in ("r1", "r2"):
        lab.log("charts-end-to-end", run, [charts()])
    url = "/api/v1/projects/main/charts-end-to-end"

    for key in charts():
        chart, _ = (ready_chart(http, f"{url}/runs/{run}/charts/{key}") for run in ("r1", "r2"))
        both = RunsChart.model_validate(
            http.get(f"{url}/charts", params={"key": key, "runs": "r1,r2"}).json()
        )
        assert (chart.rows > 0, chart.truncated, both.rows) == (True, False, 2 * chart.rows)
        for one in (chart, both):
            assert one.spec is not None, (one.code, one.reason)
            shown = {**one.spec, "width": 200, "datasets": {one.data.name: one.data.values}}
            svg = vl_convert.vegalite_to_svg(shown, vl_version="6.4")
            assert svg.count('role="graphics-symbol"') > 1


def ready_chart(http: httpx.Client, url: str) -> RunChart:
    """The chart, once the media worker has looked at its table."""

    def is_ready() -> bool:
        answer = http.get(url)
        ready = answer.status_code == 200
        assert ready or answer.json()["code"] in ("chart_not_ready", "table_awaited"), answer.text
        return ready

    until(is_ready)
    return RunChart.model_validate(http.get(url).json())


def test_logged_histograms_and_media(lab: Lab, http: httpx.Client) -> None:
    """Histograms logged over steps come as a matrix that keeps their counts; keys say what a run holds."""
    values = [np.random.default_rng(at).normal(at, 1, 1_000) for at in range(20)]
    rows: list[dict[str, Any]] = [{"weights": runhue.Histogram(one), "nested": {"page": runhue.Html("hi")}} for one in values]  # fmt: skip  # noqa: E501
    lab.log("histograms-end-to-end", "r1", rows)
    url = "/api/v1/projects/main/histograms-end-to-end"

    asked = {"key": "weights", "runs": "r1", "columns": "8", "rows": "30"}
    found = Histograms.model_validate(http.get(f"{url}/histograms", params=asked).json())
    keys = MediaKeys.model_validate(http.get(f"{url}/runs/r1/media/keys").json()).keys
    pages = Media.model_validate(
        http.get(f"{url}/media", params={"key": "nested.page", "runs": "r1", "from_step": 18}).json()
    )

    (run,) = found.runs
    assert (run.bucket, run.n, [column.n for column in run.columns]) == (4, 20, [4] * 5)
    assert np.array(run.counts, float).sum(axis=0) == pytest.approx([4_000] * 5, rel=1e-9)
    assert (found.edges[0], found.edges[-1]) == (min(map(np.min, values)), max(map(np.max, values)))
    assert [(key.key, key.kind, key.count) for key in keys] == [
        ("nested.page", "html", 20),
        ("weights", "histogram", 20),
    ]
    assert [(page.step, page.kind) for page in pages.media] == [(18, "html"), (19, "html")]
