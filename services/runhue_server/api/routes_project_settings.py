"""A project's settings: how long media are kept, and what logged HTML may do."""

from fastapi import APIRouter
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.documents import errors
from runhue_server.api.models_project_settings import ProjectSettings, ProjectSettingsChange
from runhue_server.api.resources import Admin, ProjectName, Reader, TeamName, project_of
from runhue_shared import db
from runhue_shared.db import project_settings

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/settings", tags=["projects"])


@router.get("", response_model=ProjectSettings, responses=errors(404), summary="The project's settings")
def read_project_settings(principal: Reader, team: TeamName, project: ProjectName) -> Response:
    with db.transaction() as tx:
        found = project_settings.read(tx, project_of(tx, principal, team, project))
    return answer(found._asdict())


@router.patch(
    "",
    response_model=ProjectSettings,
    responses=errors(404),
    summary="Change the project's settings; shorter retention removes media for good",
)
def change_project_settings(
    principal: Admin, team: TeamName, project: ProjectName, body: ProjectSettingsChange
) -> Response:
    with db.transaction() as tx:
        project_id = project_of(tx, principal, team, project)
        project_settings.lock(tx, project_id)
        wanted = project_settings.read(tx, project_id)._replace(**body.model_dump(exclude_unset=True))
        project_settings.write(tx, project_id, wanted)
    return answer(wanted._asdict())
