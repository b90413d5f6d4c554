"""From names in a path to what they name; what is not the key's team's is not there."""

from typing import Annotated

from fastapi import Depends, Path

from runhue_server.web.auth import needs
from runhue_server.web.problems import Forbidden, NotFound
from runhue_shared.db import Transaction, projects, runs, workspaces
from runhue_shared.db.color_settings import WorkspaceUnknown
from runhue_shared.db.keys import Principal
from runhue_shared.db.runs import Run
from runhue_shared.db.workspaces import Workspace

Reader = Annotated[Principal, Depends(needs("read"))]
"""A key that may read."""

Writer = Annotated[Principal, Depends(needs("ingest"))]
"""A key that may change runs, config and colors."""

Admin = Annotated[Principal, Depends(needs("admin"))]
"""A key that may change the team's keys."""

TeamName = Annotated[str, Path(description="Name of the key's team", examples=["main"])]
ProjectName = Annotated[str, Path(description="Name of a project", examples=["mnist"])]
WorkspaceId = Annotated[int, Path(ge=1, lt=2**63, description="A workspace's numeric id", examples=[1])]
RunId = Annotated[str, Path(description="A run's id, unique in its project", examples=["x7k2m9qd"])]


class ProjectNotFound(NotFound):
    code = "project_not_found"


class RunNotFound(NotFound):
    code = "run_not_found"


class WorkspaceNotFound(NotFound):
    code = "workspace_not_found"


def for_whole_team(principal: Principal) -> None:
    """Pass a key that is good for every project of its team.

    Raises:
        Forbidden: it is good for one project only.
    """
    if principal.project_id is not None:
        raise Forbidden(
            f"key {principal.key_name!r} is good for project {principal.project_name!r} only",
            field="project",
            fix="use a key of the whole team",
        )


def project_of(tx: Transaction, principal: Principal, team: str, project: str) -> int:
    """The project's internal id.

    Raises:
        ProjectNotFound: there is none, or it is another team's.
    """
    found = projects.project_id(tx, principal.team_id, project) if team == principal.team_name else None
    if found is None or not principal.reaches(found):
        raise ProjectNotFound(
            f"no project {project!r} in team {team!r} for this key",
            field="project",
            fix="list the projects with GET /api/v1/projects",
        )
    return found


def run_of(tx: Transaction, principal: Principal, team: str, project: str, run: str) -> Run:
    """The run.

    Raises:
        ProjectNotFound: as `project_of`.
        RunNotFound: the project has no such run, or it was deleted.
    """
    found = runs.run_named(tx, project_of(tx, principal, team, project), run)
    if found is None:
        raise RunNotFound(
            f"no run {run!r} in project {project!r}", field="run", fix="list the runs with GET .../runs"
        )
    return found


def workspace_of(tx: Transaction, principal: Principal, workspace: int) -> Workspace:
    """The workspace.

    Raises:
        WorkspaceNotFound: there is none, or it is another team's.
    """
    try:
        found = workspaces.read_workspace(tx, workspace)
    except WorkspaceUnknown:
        found = None
    if found is None or found.team_id != principal.team_id or not principal.reaches(found.project_id):
        raise WorkspaceNotFound(
            f"no workspace {workspace} for this key",
            field="workspace",
            fix="list the workspaces with GET .../workspaces",
        )
    return found
