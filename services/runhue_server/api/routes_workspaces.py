"""Workspaces of a project."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import answer, decode_document
from runhue_server.api.coloring_refusals import settings_of
from runhue_server.api.documents import errors
from runhue_server.api.models_coloring import ColorKeys, NewWorkspace, Workspace, WorkspaceEdit, Workspaces
from runhue_server.api.models_runs import Deleted
from runhue_server.api.resources import (
    ProjectName,
    Reader,
    TeamName,
    WorkspaceId,
    Writer,
    project_of,
    workspace_of,
)
from runhue_server.api.run_answers import JsonObject
from runhue_server.api.wake import wake_coloring
from runhue_server.web.problems import Problem
from runhue_shared import db
from runhue_shared.db import color_keys, workspaces
from runhue_shared.filters import parse

router = APIRouter(prefix="/api/v1", tags=["workspaces"])


class NameTaken(Problem):
    """The project has a workspace of that name."""

    status = 409
    code = "workspace_exists"


class DefaultStays(Problem):
    """Every project keeps its default workspace."""

    status = 409
    code = "default_workspace"


@router.get(
    "/projects/{team}/{project}/workspaces",
    response_model=Workspaces,
    responses=errors(404),
    summary="The project's workspaces, the default first",
)
def list_workspaces(principal: Reader, team: TeamName, project: ProjectName) -> Response:
    with db.transaction() as tx:
        found = workspaces.workspaces_of_project(tx, project_of(tx, principal, team, project))
    return answer({"workspaces": [_answer(workspace) for workspace in found]})


@router.post(
    "/projects/{team}/{project}/workspaces",
    response_model=Workspace,
    status_code=201,
    responses=errors(404, 409),
    summary="Make a workspace",
)
def create_workspace(principal: Writer, team: TeamName, project: ProjectName, body: NewWorkspace) -> Response:
    parse(body.filter)
    settings = None if body.color_settings is None else settings_of(body.color_settings, "color_settings.")
    try:
        with db.transaction() as tx:
            made = workspaces.create_workspace(
                tx,
                project_of(tx, principal, team, project),
                body.name,
                filter_=workspaces.filter_text(body.filter),
                search=body.search,
                hidden_runs=body.hidden_runs,
                settings=settings,
                set_by=principal.key_name,
            )
            content = _answer(workspaces.read_workspace(tx, made))
    except workspaces.WorkspaceExists as taken:
        raise _name_taken(taken) from taken
    return answer(content, 201, then=wake_coloring)


@router.get(
    "/workspaces/{workspace}", response_model=Workspace, responses=errors(404), summary="One workspace"
)
def read_workspace(principal: Reader, workspace: WorkspaceId) -> Response:
    with db.transaction() as tx:
        return answer(_answer(workspace_of(tx, principal, workspace)))


@router.patch(
    "/workspaces/{workspace}",
    response_model=Workspace,
    responses=errors(404, 409),
    summary="Change a workspace",
)
def edit_workspace(principal: Writer, workspace: WorkspaceId, body: WorkspaceEdit) -> Response:
    parse(body.filter)
    try:
        with db.transaction() as tx:
            workspace_of(tx, principal, workspace)
            workspaces.update_workspace(
                tx,
                workspace,
                name=body.name,
                filter_=None if body.filter is None else workspaces.filter_text(body.filter),
                search=body.search,
                hidden_runs=body.hidden_runs,
            )
            content = _answer(workspace_of(tx, principal, workspace))
    except workspaces.WorkspaceExists as taken:
        raise _name_taken(taken) from taken
    return answer(content, then=wake_coloring)


@router.delete(
    "/workspaces/{workspace}",
    response_model=Deleted,
    responses=errors(404, 409),
    summary="Delete a workspace",
)
def delete_workspace(principal: Writer, workspace: WorkspaceId) -> Response:
    with db.transaction() as tx:
        workspace_of(tx, principal, workspace)
        try:
            workspaces.delete_workspace(tx, workspace)
        except workspaces.DefaultWorkspaceKept as kept:
            raise DefaultStays(str(kept), field="workspace", fix="change it, or delete the project") from kept
    return answer({"deleted": True})


@router.get(
    "/projects/{team}/{project}/color-keys",
    response_model=ColorKeys,
    responses=errors(404),
    summary="What runs can be colored by",
)
def list_color_keys(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    search: Annotated[str, Query(description="a part of the name, in any case", max_length=1_000)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000, description="keys at most")] = 1_000,
) -> Response:
    with db.transaction() as tx:
        found = color_keys.color_keys(tx, project_of(tx, principal, team, project), search, limit)
    return answer(
        {
            "keys": [
                {
                    "source": key.source,
                    "name": key.name,
                    "type": key.type,
                    "runs": key.runs,
                    "selectable": key.is_selectable,
                }
                for key in found
            ]
        }
    )


def _answer(workspace: workspaces.Workspace) -> JsonObject:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "team": workspace.team,
        "project": workspace.project,
        "filter": decode_document(workspace.filter),
        "search": workspace.search,
        "hidden_runs": workspace.hidden_runs,
        "default": workspace.is_default,
    }


def _name_taken(taken: workspaces.WorkspaceExists) -> NameTaken:
    return NameTaken(str(taken), field="name", fix="choose another name")
