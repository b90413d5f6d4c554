"""History reduced for a screen: buckets of a power of two steps, aligned at step 0."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from starlette.responses import Response

from runhue_server.api.answers import answer, non_finite_as_text
from runhue_server.api.documents import errors
from runhue_server.api.models_history import History, ProjectHistory
from runhue_server.api.parameters import BucketCount, FromStep, Names, ToStep, names_in
from runhue_server.api.resources import (
    ProjectName,
    Reader,
    RunId,
    RunNotFound,
    TeamName,
    project_of,
    run_of,
)
from runhue_server.api.run_answers import JsonObject
from runhue_shared import db
from runhue_shared.db import history, runs
from runhue_shared.db.history import MAX_STEP, ReducedSeries, Stream
from runhue_shared.series.columns import STEP_KEY

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["history"])

NEWEST_RUNS = 100
MAX_RUNS = 1_000
NUMBER = "number"


@router.get("/runs/{run}/history", response_model=History, responses=errors(404), summary="Metrics, reduced")
def read_history(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    keys: Names = None,
    from_step: FromStep = 0,
    to_step: ToStep = None,
    points: BucketCount = 1_000,
    x: Annotated[str | None, Query(description="a key whose value each bucket gets as `x`")] = None,
    stream: Annotated[Stream, Query(description="system: the machine's own samples")] = "history",
) -> Response:
    wanted = names_in(keys, "keys")
    with db.snapshot() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        names = wanted if wanted is not None else _number_names(tx, run_id, stream)
        found = [
            series
            for name in names
            for series in history.read_reduced(tx, [run_id], name, from_step, to_step, points, stream)
        ]
        xs = None if x is None else _points_of(tx, run_id, x, to_step, stream)
    return answer({"series": [_series(series, xs) for series in found]})


@router.get(
    "/history", response_model=ProjectHistory, responses=errors(404), summary="One metric of many runs"
)
def read_project_history(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    key: Annotated[str, Query(description="a metric", max_length=1_000, examples=["loss"])],
    run_names: Annotated[Names, Query(alias="runs")] = None,
    from_step: FromStep = 0,
    to_step: ToStep = None,
    points: BucketCount = 1_000,
) -> Response:
    wanted = names_in(run_names, "runs", MAX_RUNS)
    with db.snapshot() as tx:
        ids = _run_ids(tx, project_of(tx, principal, team, project), wanted)
        found = history.read_reduced(tx, list(ids.values()), key, from_step, to_step, points)
    names = {run_id: name for name, run_id in ids.items()}
    by_run = {series.run_id: series for series in found}
    ordered = [by_run[run_id] for run_id in names if run_id in by_run]
    return answer({"series": [{"run_id": names[s.run_id], **_series(s, None)} for s in ordered]})


def _run_ids(tx: db.Transaction, project_id: int, wanted: Sequence[str] | None) -> dict[str, int]:
    if wanted is None:
        return runs.newest_run_ids(tx, project_id, NEWEST_RUNS)
    found = runs.run_ids_named(tx, project_id, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise RunNotFound(f"no run {missing[0]!r} in the project", field="runs", fix="leave it out")
    return {name: found[name] for name in wanted}


def _number_names(tx: db.Transaction, run_id: int, stream: Stream) -> list[str]:
    found = history.metrics_of_run(tx, run_id, stream)
    return [metric.name for metric in found if metric.type == NUMBER and metric.name != STEP_KEY]


class _Xs:
    """Points of the key on the x-axis, by step."""

    def __init__(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        self._steps = steps
        self._values = values

    def at(self, steps: NDArray[np.int64]) -> list[float | str | None]:
        """The value at each step, or at the last step before it."""
        places = np.searchsorted(self._steps, steps, side="right") - 1
        return [None if at < 0 else non_finite_as_text(float(self._values[at])) for at in places.tolist()]


def _points_of(tx: db.Transaction, run_id: int, name: str, to_step: int | None, stream: Stream) -> _Xs:
    last = MAX_STEP if to_step is None else to_step
    for series in history.read_series(tx, run_id, [name], to_step=last, stream=stream):
        if series.type == NUMBER:
            return _Xs(series.steps, series.numbers)
    return _Xs(np.empty(0, np.int64), np.empty(0))


def _series(series: ReducedSeries, xs: _Xs | None) -> JsonObject:
    return {
        "key": series.key,
        "type": NUMBER,
        "reduced": series.reduced,
        "bucket": series.bucket,
        "n": series.n,
        "points": _points(series, xs),
    }


def _points(series: ReducedSeries, xs: _Xs | None) -> list[JsonObject]:
    columns = zip(
        series.start.tolist(),
        series.last.tolist(),
        _or_none(series.low),
        _or_none(series.high),
        series.count.tolist(),
        series.non_finite.tolist(),
        strict=True,
    )
    names = ("step", "last", "min", "max", "count", "non_finite")
    points = [dict(zip(names, column, strict=True)) for column in columns]
    if xs is not None:
        for point, value in zip(points, xs.at(series.last_step), strict=True):
            point["x"] = value
    return points


def _or_none(values: NDArray[np.float64]) -> list[float | None]:
    """NaN says that no point of the bucket is finite."""
    return [None if value != value else value for value in values.tolist()]
