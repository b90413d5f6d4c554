"""Custom charts of runs, drawn with presets: one run's, or several runs' in one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.chart_answers import (
    Chart,
    RunRows,
    chart_named,
    design_of,
    run_chart,
    runs_chart,
    told_apart,
)
from runhue_server.api.chart_rows import ChartTable, table_of_chart
from runhue_server.api.documents import errors
from runhue_server.api.media_runs import Key, RunNames, runs_named
from runhue_server.api.models_charts import RunChart, RunsChart
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, project_of, run_of
from runhue_server.web.problems import RETRY_SECONDS, NotFound, Problem
from runhue_shared import db
from runhue_shared.db import media_index, media_settings
from runhue_shared.db.history import MAX_STEP

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["charts"])

MAX_ROWS = 50_000
"""No more rows are sent, evenly of all."""

ChartKey = Annotated[
    str, Path(description="What the chart was logged under; it may hold slashes", examples=["pr"])
]
Step = Annotated[
    int | None,
    Query(ge=-MAX_STEP, le=MAX_STEP, description="of the table; without one the summary's or the last"),
]


class ChartNotFound(NotFound):
    """The run has no chart of that key, or nothing to draw in it."""

    code = "chart_not_found"


class ChartNotReady(Problem):
    """The media worker has not looked at the chart's table yet."""

    status = 503
    code = "chart_not_ready"


class ChartTableGone(Problem):
    """The chart's table is not there, or cannot be shown."""

    status = 404


@router.get(
    "/runs/{run}/charts/{key:path}",
    response_model=RunChart,
    responses=errors(404),
    summary="A custom chart: its Vega spec filled in, and its rows",
)
def read_chart(
    principal: Reader, team: TeamName, project: ProjectName, run: RunId, key: ChartKey, step: Step = None
) -> Response:
    with db.transaction() as tx:
        found = run_of(tx, principal, team, project, run)
        chart = chart_named(media_settings.of_run(tx, found.id), key)
        if chart is None:
            raise _not_found(key)
        design = design_of(tx, principal, chart.preset)
    table = table_of_chart(principal, (team, project, run), chart.table_key, step, MAX_ROWS)
    _check_ready(chart, table)
    return answer(run_chart(chart, design, RunRows(run, found.name, table)))


@router.get(
    "/charts",
    response_model=RunsChart,
    responses=errors(404),
    summary="A custom chart of several runs; their rows carry the runs' ids and names",
)
def read_charts_of_runs(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    key: Key,
    run_names: RunNames,
    step: Step = None,
) -> Response:
    with db.transaction() as tx:
        ids = runs_named(tx, project_of(tx, principal, team, project), run_names)
        names = told_apart(media_index.names_of_runs(tx, ids))
        charts = (chart_named(media_settings.of_run(tx, run_id), key) for run_id in ids.values())
        chart = next((chart for chart in charts if chart is not None), None)
        if chart is None:
            raise _not_found(key)
        design = design_of(tx, principal, chart.preset)
    share = max(1, MAX_ROWS // len(ids))
    found = [
        RunRows(
            run, names[run], table_of_chart(principal, (team, project, run), chart.table_key, step, share)
        )
        for run in ids
    ]
    return answer(runs_chart(chart, design, found))


def _check_ready(chart: Chart, table: ChartTable) -> None:
    """Pass a table whose rows are there.

    Raises:
        ChartNotReady: nobody looked at it yet.
        ChartTableGone: it is in another state; `code` says in which.
    """
    if table.state == "ready":
        return
    where = f"the table {chart.table_key[:200]!r} of this chart"
    if table.state == "waiting":
        fix = "send the same request again"
        raise ChartNotReady(f"nobody looked at {where} yet", fix=fix, retry_after=RETRY_SECONDS)
    reasons = {
        "awaited": (f"the bytes of {where} have not come yet", "ask again when the run has sent its files"),
        "expired": (f"{where} was kept as long as its project keeps media", "log it again"),
    }
    why, fix = reasons.get(table.state, (f"{where}: {table.reason}", "log the chart again"))
    raise _gone(f"table_{table.state}", table, why, fix)


def _gone(code: str, table: ChartTable, why: str, fix: str) -> ChartTableGone:
    gone = ChartTableGone(why, field="key", fix=fix)
    gone.code = table.code or code
    return gone


def _not_found(key: str) -> ChartNotFound:
    return ChartNotFound(
        f"no chart {key[:200]!r}", field="key", fix="list them with GET .../runs/{run}/charts"
    )
