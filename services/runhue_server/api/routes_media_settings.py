"""How a run's media are shown: its custom charts, and what the classes of its masks and boxes are called."""

from fastapi import APIRouter
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.media_setting_answers import chart_answer, is_labels, labels_answer
from runhue_server.api.models_media_settings import Charts, RunClassLabels
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, run_of
from runhue_shared import db
from runhue_shared.db import media_settings

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}", tags=["media"])


@router.get("/charts", response_model=Charts, responses=errors(404), summary="The run's custom charts")
def read_charts(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        found = media_settings.of_run(tx, run_of(tx, principal, team, project, run).id)
    return answer({"charts": [chart_answer(setting) for setting in found if not is_labels(setting)]})


@router.get(
    "/class-labels",
    response_model=RunClassLabels,
    responses=errors(404),
    summary="Names of the classes in masks and boxes",
)
def read_class_labels(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.transaction() as tx:
        found = media_settings.of_run(tx, run_of(tx, principal, team, project, run).id)
    return answer({"class_labels": [labels_answer(setting) for setting in found if is_labels(setting)]})
