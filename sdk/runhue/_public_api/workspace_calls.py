"""Calls about workspaces and what a project can be colored by."""

from collections.abc import Mapping
from typing import Any

from runhue._errors import UsageError
from runhue._public_api.coloring_calls import project_url
from runhue._public_api.exchange import Call, decode, exchange, fetch, get, submit
from runhue._public_api.records import ColorKeyEntry, ColorKeyList, WorkspaceList, WorkspaceRecord


def workspaces_call(team: str, project: str) -> Call[list[WorkspaceRecord]]:
    """The workspaces of a project."""
    listed = yield from fetch(WorkspaceList, get(f"{project_url(team, project)}/workspaces"))
    return listed.workspaces


def workspace_call(team: str, project: str, name: str | None) -> Call[WorkspaceRecord]:
    """The workspace of that name; the default one when None.

    Raises:
        UsageError: the project has no workspace of that name.
    """
    workspaces = yield from workspaces_call(team, project)
    for workspace in workspaces:
        if workspace.default if name is None else workspace.name == name:
            return workspace
    known = ", ".join(repr(workspace.name) for workspace in workspaces)
    raise UsageError(f"{team}/{project} has no workspace {name!r}; it has {known}")


def create_workspace_call(
    team: str, project: str, name: str, filters: Mapping[str, Any] | None, search: str | None
) -> Call[WorkspaceRecord]:
    """Make a workspace."""
    content = {"name": name, "filter": filters, "search": search}
    given = {field: value for field, value in content.items() if value is not None}
    response = yield from exchange(submit("POST", f"{project_url(team, project)}/workspaces", given))
    return decode(response.body, WorkspaceRecord)


def color_keys_call(team: str, project: str, search: str | None) -> Call[list[ColorKeyEntry]]:
    """What the runs of a project can be colored by."""
    listed = yield from fetch(ColorKeyList, get(f"{project_url(team, project)}/color-keys", search=search))
    return listed.keys
