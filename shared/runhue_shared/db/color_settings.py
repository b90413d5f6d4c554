"""Color settings of a workspace: their revisions, and putting new ones in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from runhue_shared.coloring.settings import ColorSettings, settings_as_json
from runhue_shared.db import Transaction
from runhue_shared.db.coloring_versions import (
    Cause,
    HeldColoring,
    NewVersion,
    hold_coloring,
    publish_versions,
    settings_of_text,
)
from runhue_shared.db.legends import Previous, build_legend, read_ends
from runhue_shared.db.recolor import open_scale
from runhue_shared.db.scales import Scale, question_of

_COLORS_ONLY = ("palette", "reverse", "overrides", "stability")


class WorkspaceUnknown(LookupError):
    """There is no workspace with this id."""

    def __init__(self, workspace_id: int) -> None:
        super().__init__(f"no workspace {workspace_id}")
        self.workspace_id = workspace_id


class ProjectUnknown(LookupError):
    """There is no project with this id."""

    def __init__(self, project_id: int) -> None:
        super().__init__(f"no project {project_id}")
        self.project_id = project_id


class SettingsChanged(Exception):
    """The settings are not those the caller has seen; fetch `settings_rev` and decide anew."""

    def __init__(self, expected_rev: int, settings_rev: int) -> None:
        super().__init__(
            f"color settings are at revision {settings_rev}, not {expected_rev}: fetch them again"
        )
        self.expected_rev = expected_rev
        self.settings_rev = settings_rev


class LockedWorkspace(NamedTuple):
    """What of a workspace decides its population; `filter` is JSON, `hidden_runs` are public ids."""

    id: int
    team_id: int
    project_id: int
    filter: str
    search: str
    hidden_runs: Sequence[str]


class SettingsInForce(NamedTuple):
    """Color settings and the version at which they took effect, or a later one."""

    settings: ColorSettings
    settings_rev: int
    version: int


class Revision(NamedTuple):
    """One revision of a workspace's color settings."""

    settings_rev: int
    settings: ColorSettings
    set_by: str
    set_at: datetime


def read_settings(tx: Transaction, workspace_id: int) -> SettingsInForce:
    """The color settings in force.

    Raises:
        WorkspaceUnknown: there is no such workspace.
    """
    row = tx.execute(
        "SELECT s.settings, s.settings_rev, c.version FROM workspace_coloring c JOIN color_settings s"
        " ON s.workspace_id = c.workspace_id AND s.settings_rev = c.settings_rev WHERE c.workspace_id = %s",
        (workspace_id,),
    ).fetchone()
    if row is None:
        raise WorkspaceUnknown(workspace_id)
    return SettingsInForce(settings_of_text(row[0]), row[1], row[2])


def settings_history(tx: Transaction, workspace_id: int, limit: int = 1_000) -> list[Revision]:
    """Up to `limit` revisions, the newest first."""
    rows = tx.execute(
        "SELECT settings_rev, settings, set_by, set_at FROM color_settings WHERE workspace_id = %s"
        " ORDER BY settings_rev DESC LIMIT %s",
        (workspace_id, limit),
    )
    return [Revision(rev, settings_of_text(text), set_by, set_at) for rev, text, set_by, set_at in rows]


def set_color_settings(
    tx: Transaction, workspace_id: int, settings: ColorSettings, expected_rev: int | None, set_by: str
) -> tuple[int, int]:
    """Put settings in force: their revision, and the version at which they took effect.

    The settings in force put again change nothing. A key asked for the first time is looked up in every run
    of the project, which takes seconds for a million.

    Args:
        expected_rev: the revision the caller has seen; None to overwrite whatever is there.
    Raises:
        WorkspaceUnknown: there is no such workspace.
        SettingsChanged: another revision is in force.
    """
    workspace = lock_workspace(tx, workspace_id)
    current, settings_rev, _ = read_settings(tx, workspace_id)
    if current == settings:
        return settings_rev, _took_effect(tx, workspace_id, settings_rev)
    if expected_rev is not None and expected_rev != settings_rev:
        raise SettingsChanged(expected_rev, settings_rev)
    add_revision(tx, workspace, settings_rev + 1, settings, set_by)
    return settings_rev + 1, put_in_force(tx, workspace, settings, settings_rev + 1, "settings")


def _took_effect(tx: Transaction, workspace_id: int, settings_rev: int) -> int:
    """The first version with these settings that is still stored."""
    rows = tx.execute(
        "SELECT min(version) FROM workspace_coloring_version WHERE workspace_id = %s AND settings_rev = %s",
        (workspace_id, settings_rev),
    )
    return int(rows.fetchall()[0][0])


def lock_workspace(tx: Transaction, workspace_id: int) -> LockedWorkspace:
    """A workspace whose settings and filter nobody else changes until this transaction ends.

    Raises:
        WorkspaceUnknown: there is no such workspace.
    """
    row = tx.execute(
        "SELECT id, team_id, project_id, filter, search, hidden_runs FROM workspace WHERE id = %s"
        " FOR NO KEY UPDATE",
        (workspace_id,),
    ).fetchone()
    if row is None:
        raise WorkspaceUnknown(workspace_id)
    return LockedWorkspace(*row)


def add_revision(
    tx: Transaction, workspace: LockedWorkspace, settings_rev: int, settings: ColorSettings, set_by: str
) -> None:
    """Remember settings as the next revision."""
    text = msgspec.json.encode(settings_as_json(settings), order="sorted").decode()
    tx.execute(
        "INSERT INTO color_settings (workspace_id, settings_rev, team_id, settings, set_by)"
        " VALUES (%s, %s, %s, %s, %s)",
        (workspace.id, settings_rev, workspace.team_id, text, set_by),
    )


def put_in_force(
    tx: Transaction, workspace: LockedWorkspace, settings: ColorSettings, settings_rev: int, cause: Cause
) -> int:
    """Color a locked workspace by stored settings, filter and hidden runs; returns the new version."""
    question = question_of(settings, workspace.filter, workspace.search, workspace.hidden_runs)
    scale = open_scale(tx, workspace.team_id, workspace.project_id, question)
    held = hold_coloring(tx, workspace.id)
    previous = None if held is None else _carried_over(held, scale, settings)
    built = build_legend(tx, scale, read_ends(tx, [scale])[scale.id], settings, previous)
    version = 1 if held is None else held.version + 1
    has_new_legend = held is None or built.legend.legend_id != held.legend.legend_id
    changes = () if held is not None and _can_follow(held, scale, settings) else None
    new = NewVersion(workspace.id, version, settings_rev, scale, built, cause, changes, has_new_legend)
    publish_versions(tx, [new])
    return version


def _carried_over(held: HeldColoring, scale: Scale, settings: ColorSettings) -> Previous | None:
    """What the stable and the pinned mode keep when nothing but colors and stability changes."""
    upright = ColorSettings()
    neutral = {name: getattr(upright, name) for name in _COLORS_ONLY}
    if msgspec.structs.replace(held.settings, **neutral) != msgspec.structs.replace(settings, **neutral):
        return None
    domain = held.domain if held.scale_id == scale.id else None
    return Previous(held.legend, domain, is_repainted=True)


def _can_follow(held: HeldColoring, scale: Scale, settings: ColorSettings) -> bool:
    """Whether a client that holds the runs needs no more than the new legend."""
    before = held.settings
    logs = (before.scale == "log", settings.scale == "log")
    return held.scale_id == scale.id and before.overrides == settings.overrides and logs[0] == logs[1]
