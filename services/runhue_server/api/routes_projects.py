"""Who asks, and the projects there are."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer
from runhue_server.api.cursors import cursor_of, place_of
from runhue_server.api.documents import errors
from runhue_server.api.models_runs import NewProject, ProjectDetail, Projects, Viewer
from runhue_server.api.resources import (
    ProjectName,
    ProjectNotFound,
    Reader,
    TeamName,
    Writer,
    for_whole_team,
    project_of,
)
from runhue_server.web.problems import Problem
from runhue_shared import db
from runhue_shared.db import projects, workspaces

router = APIRouter(prefix="/api/v1", tags=["projects"])

LISTING = "projects"


class ProjectExists(Problem):
    """The team has a project of that name."""

    status = 409
    code = "project_exists"


def project_answer(project: projects.Project) -> dict[str, Any]:  # JSON
    """A project as lists show it."""
    fields: Mapping[str, Any] = project._asdict()
    return {name: value for name, value in fields.items() if name != "id"}


@router.get("/viewer", response_model=Viewer, responses=errors(), summary="Who the key speaks for")
def viewer(principal: Reader) -> Response:
    return answer(
        {"team": principal.team_name, "scopes": sorted(principal.scopes), "key_name": principal.key_name}
    )


@router.get("/projects", response_model=Projects, responses=errors(), summary="List the team's projects")
def list_projects(
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=1_000, description="projects a page")] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Response:
    place = place_of(cursor, LISTING, 1)
    with db.transaction() as tx:
        after = place[0] if place else ""
        found = projects.projects_of_team(tx, principal.team_id, limit + 1, after, principal.project_id)
    page = found[:limit]
    following = cursor_of(LISTING, [page[-1].name]) if len(found) > limit else None
    return answer({"projects": [project_answer(project) for project in page], "next": following})


@router.post(
    "/projects",
    response_model=ProjectDetail,
    status_code=201,
    responses=errors(409),
    summary="Make a project",
)
def create_project(principal: Writer, body: NewProject) -> Response:
    for_whole_team(principal)
    with db.transaction() as tx:
        if not projects.create_project(tx, principal.team_id, body.name):
            raise ProjectExists(
                f"team {principal.team_name!r} has a project {body.name!r}",
                field="name",
                fix="choose another name, or use the project that is there",
            )
        return answer(_detail(tx, principal.team_id, body.name), 201)


@router.get(
    "/projects/{team}/{project}",
    response_model=ProjectDetail,
    responses=errors(404),
    summary="One project, with its default workspace",
)
def read_project(principal: Reader, team: TeamName, project: ProjectName) -> Response:
    with db.transaction() as tx:
        project_of(tx, principal, team, project)
        return answer(_detail(tx, principal.team_id, project))


def _detail(tx: db.Transaction, team_id: int, name: str) -> dict[str, Any]:  # JSON
    found = projects.project_named(tx, team_id, name)
    if found is None:
        raise ProjectNotFound(f"project {name!r} was deleted meanwhile", field="project")
    return {**project_answer(found), "default_workspace": workspaces.ensure_default_workspace(tx, found.id)}
