"""Workspaces: named views of a project's runs, each with a filter, hidden runs and colors of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.coloring.settings import ColorSettings
from runhue_shared.db import Transaction
from runhue_shared.db.color_settings import (
    LockedWorkspace,
    ProjectUnknown,
    WorkspaceUnknown,
    add_revision,
    lock_workspace,
    put_in_force,
    read_settings,
)
from runhue_shared.db.filtering import check_patterns
from runhue_shared.db.scales import question_of
from runhue_shared.filters import parse_json

DEFAULT_WORKSPACE = "default"


class WorkspaceExists(Exception):
    """The project has a workspace of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the project has a workspace {name!r}: choose another name")
        self.name = name


class DefaultWorkspaceKept(Exception):
    """Every project keeps its default workspace."""

    def __init__(self, workspace_id: int) -> None:
        super().__init__(f"workspace {workspace_id} is its project's default and cannot be deleted")
        self.workspace_id = workspace_id


@dataclass(frozen=True, slots=True)
class Workspace:
    """`filter` is JSON text (docs/api.md), `search` a regular expression, `hidden_runs` are public ids."""

    id: int
    team_id: int
    project_id: int
    team: str
    project: str
    name: str
    filter: str
    search: str
    hidden_runs: list[str]
    is_default: bool


_READ = sql.SQL(
    "SELECT w.id, w.team_id, w.project_id, t.name AS team, p.name AS project, w.name, w.filter, w.search,"
    " w.hidden_runs, w.is_default FROM workspace w JOIN project p ON p.id = w.project_id"
    " JOIN team t ON t.id = w.team_id WHERE {} = %s ORDER BY w.is_default DESC, w.name, w.id"
)


def workspaces_of_project(tx: Transaction, project_id: int) -> list[Workspace]:
    """The project's workspaces, the default first, then by name."""
    ensure_default_workspace(tx, project_id)
    with tx.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute(_READ.format(sql.SQL("w.project_id")), (project_id,))
        return cursor.fetchall()


def read_workspace(tx: Transaction, workspace_id: int) -> Workspace:
    """One workspace.

    Raises:
        WorkspaceUnknown: there is none with this id.
    """
    with tx.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute(_READ.format(sql.SQL("w.id")), (workspace_id,))
        workspace = cursor.fetchone()
    if workspace is None:
        raise WorkspaceUnknown(workspace_id)
    return workspace


def ensure_default_workspace(tx: Transaction, project_id: int) -> int:
    """The id of the project's default workspace, which is made when it is not there yet.

    Safe to call from several transactions at once.

    Raises:
        ProjectUnknown: there is no such project.
    """
    found = _default_workspace(tx, project_id)
    if found is None:
        made = _insert(tx, project_id, DEFAULT_WORKSPACE, "{}", "", (), is_default=True)
        if made is not None:
            _color(tx, made, ColorSettings(), "")
            return made.id
        found = _default_workspace(tx, project_id)
    if found is None:
        raise ProjectUnknown(project_id)
    return found


def _default_workspace(tx: Transaction, project_id: int) -> int | None:
    row = tx.execute(
        "SELECT id FROM workspace WHERE project_id = %s AND is_default", (project_id,)
    ).fetchone()
    return None if row is None else int(row[0])


def create_workspace(
    tx: Transaction,
    project_id: int,
    name: str,
    *,
    filter_: str = "{}",
    search: str = "",
    hidden_runs: Sequence[str] = (),
    settings: ColorSettings | None = None,
    set_by: str = "",
) -> int:
    """The id of a new workspace.

    Raises:
        ProjectUnknown: there is no such project.
        WorkspaceExists: the name is taken.
        InvalidFilter: the filter or the search makes no sense.
    """
    ensure_default_workspace(tx, project_id)
    _check(tx, filter_, search)
    made = _insert(tx, project_id, name, filter_, search, hidden_runs, is_default=False)
    if made is None:
        raise WorkspaceExists(name)
    _color(tx, made, settings or ColorSettings(), set_by)
    return made.id


def update_workspace(
    tx: Transaction,
    workspace_id: int,
    *,
    name: str | None = None,
    filter_: str | None = None,
    search: str | None = None,
    hidden_runs: Sequence[str] | None = None,
) -> int:
    """Change what is not None; returns the version of the coloring after it.

    Raises:
        WorkspaceUnknown: there is no such workspace.
        WorkspaceExists: the name is taken.
        InvalidFilter: the filter or the search makes no sense.
    """
    before = lock_workspace(tx, workspace_id)
    after = LockedWorkspace(
        before.id,
        before.team_id,
        before.project_id,
        before.filter if filter_ is None else filter_,
        before.search if search is None else search,
        before.hidden_runs if hidden_runs is None else sorted(set(hidden_runs)),
    )
    if (after.filter, after.search) != (before.filter, before.search):
        _check(tx, after.filter, after.search)
    _update(tx, after, name)
    settings, settings_rev, version = read_settings(tx, workspace_id)
    if _question(settings, after) == _question(settings, before):
        return version
    return put_in_force(tx, after, settings, settings_rev, "membership")


def delete_workspace(tx: Transaction, workspace_id: int) -> None:
    """Delete a workspace with its settings; idempotent.

    Raises:
        DefaultWorkspaceKept: it is its project's default.
    """
    row = tx.execute("SELECT is_default FROM workspace WHERE id = %s FOR UPDATE", (workspace_id,)).fetchone()
    if row is not None and row[0]:
        raise DefaultWorkspaceKept(workspace_id)
    tx.execute("DELETE FROM workspace WHERE id = %s", (workspace_id,))


def note_read(tx: Transaction, workspace_id: int) -> None:
    """Remember, at most once a minute, that someone reads the colors: they are then kept fresh."""
    tx.execute(
        "INSERT INTO workspace_read AS r (workspace_id, team_id) SELECT id, team_id FROM workspace"
        " WHERE id = %s ON CONFLICT (workspace_id) DO UPDATE SET read_at = now()"
        " WHERE r.read_at < now() - interval '1 minute'",
        (workspace_id,),
    )


def _question(settings: ColorSettings, workspace: LockedWorkspace) -> Any:  # only compared
    return question_of(settings, workspace.filter, workspace.search, workspace.hidden_runs)


def _check(tx: Transaction, filter_: str, search: str) -> None:
    parsed = parse_json(filter_)
    if search or filter_ != "{}":
        check_patterns(tx, parsed, search)


def _insert(
    tx: Transaction,
    project_id: int,
    name: str,
    filter_: str,
    search: str,
    hidden_runs: Sequence[str],
    *,
    is_default: bool,
) -> LockedWorkspace | None:
    row = tx.execute(
        "INSERT INTO workspace (team_id, project_id, name, filter, search, hidden_runs, is_default)"
        " SELECT team_id, id, %s, %s, %s, %s, %s FROM project WHERE id = %s ON CONFLICT DO NOTHING"
        " RETURNING id, team_id, project_id, filter, search, hidden_runs",
        (name, filter_, search, sorted(set(hidden_runs)), is_default, project_id),
    ).fetchone()
    return None if row is None else LockedWorkspace(*row)


def _color(tx: Transaction, workspace: LockedWorkspace, settings: ColorSettings, set_by: str) -> None:
    add_revision(tx, workspace, 1, settings, set_by)
    put_in_force(tx, workspace, settings, 1, "settings")


def _update(tx: Transaction, workspace: LockedWorkspace, name: str | None) -> None:
    try:
        with tx.transaction():
            tx.execute(
                "UPDATE workspace SET name = coalesce(%s, name), filter = %s, search = %s, hidden_runs = %s"
                " WHERE id = %s",
                (name, workspace.filter, workspace.search, list(workspace.hidden_runs), workspace.id),
            )
    except psycopg.errors.UniqueViolation as error:
        raise WorkspaceExists(name or "") from error


def filter_text(document: object) -> str:
    """A decoded filter as it is stored; None is every run."""
    return json.dumps({} if document is None else document, sort_keys=True, separators=(",", ":"))
