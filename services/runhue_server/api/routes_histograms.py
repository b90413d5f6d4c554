"""Histograms over steps, as a matrix on one grid of values for all runs."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import Responses, errors
from runhue_server.api.histogram_answers import BINARY, Shape, as_bytes, as_json, histograms_of
from runhue_server.api.media_pages import EVER
from runhue_server.api.media_runs import FirstStep, Key, LastStep, RunNames, runs_named
from runhue_server.api.models_histograms import Histograms
from runhue_server.api.resources import ProjectName, Reader, TeamName, project_of
from runhue_shared import db

router = APIRouter(prefix="/api/v1/projects/{team}/{project}", tags=["media"])

FORMATS: Responses = {200: {"description": "a matrix for each run", "content": {BINARY: {}}}, **errors(404)}


@router.get(
    "/histograms", response_model=Histograms, responses=FORMATS, summary="Histograms over steps, as a matrix"
)
def read_histograms(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    key: Key,
    run_names: RunNames,
    from_step: FirstStep = 0,
    to_step: LastStep = EVER,
    columns: Annotated[int, Query(ge=1, le=2_000, description="columns a run at most")] = 200,
    rows: Annotated[int, Query(ge=1, le=512, description="cells between the lowest and highest edge")] = 64,
    format: Annotated[Literal["json", "binary"], Query(description="binary: counts as float32")] = "json",  # noqa: A002
) -> Response:
    with db.snapshot() as tx:
        ids = runs_named(tx, project_of(tx, principal, team, project), run_names)
        found = histograms_of(tx, ids, key, (from_step, to_step), Shape(columns, rows))
    if format == "binary":
        return Response(as_bytes(found), media_type=BINARY)
    return answer(as_json(found))
