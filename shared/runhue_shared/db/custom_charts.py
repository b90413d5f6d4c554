"""Chart presets that teams made, over the API or with the wandb client's `create_custom_chart`."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction

MOST = 500
"""So many presets a team has at most."""


class Preset(NamedTuple):
    """A team's preset; `spec` is JSON, a Vega or Vega-Lite spec with placeholders."""

    name: str
    title: str
    description: str
    spec: str
    created_at: datetime
    updated_at: datetime


class NewPreset(NamedTuple):
    """A preset to keep; `spec` is JSON."""

    name: str
    title: str
    description: str
    spec: str


_PRESET = "SELECT name, display_name AS title, description, spec, created_at, updated_at FROM custom_chart"


def put(tx: Transaction, team_id: int, name: str, display_name: str, access: str, spec: str) -> None:
    """Keep the preset, in the place of the one of that name. `spec` is JSON."""
    tx.execute(
        "INSERT INTO custom_chart (team_id, name, display_name, access, spec) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (team_id, name) DO UPDATE SET display_name = excluded.display_name,"
        " access = excluded.access, spec = excluded.spec, updated_at = now()",
        (team_id, name, display_name, access, spec),
    )


def has_room(tx: Transaction, team_id: int, name: str) -> bool:
    """Whether the team may keep a preset of that name: it has one, or fewer than `MOST`."""
    row = tx.execute(
        "SELECT count(*) < %s OR bool_or(name = %s) FROM custom_chart WHERE team_id = %s",
        (MOST, name, team_id),
    ).fetchone()
    return row is not None and bool(row[0])


def create(tx: Transaction, team_id: int, preset: NewPreset) -> bool:
    """Keep a new preset; False when the team has one of that name."""
    done = tx.execute(
        "INSERT INTO custom_chart (team_id, name, display_name, description, spec)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (team_id, name) DO NOTHING",
        (team_id, *preset),
    )
    return done.rowcount == 1


def replace(tx: Transaction, team_id: int, preset: NewPreset) -> bool:
    """Change the preset of that name; False when the team has none."""
    done = tx.execute(
        "UPDATE custom_chart SET display_name = %s, description = %s, spec = %s, updated_at = now()"
        " WHERE team_id = %s AND name = %s",
        (preset.title, preset.description, preset.spec, team_id, preset.name),
    )
    return done.rowcount == 1


def remove(tx: Transaction, team_id: int, name: str) -> bool:
    """Forget the preset; False when there was none."""
    done = tx.execute("DELETE FROM custom_chart WHERE team_id = %s AND name = %s", (team_id, name))
    return done.rowcount == 1


def find(tx: Transaction, team_id: int, name: str) -> Preset | None:
    """The team's preset of that name."""
    with tx.cursor(row_factory=class_row(Preset)) as cursor:
        cursor.execute(f"{_PRESET} WHERE team_id = %s AND name = %s", (team_id, name))
        return cursor.fetchone()


def of_team(tx: Transaction, team_id: int) -> list[Preset]:
    """The team's presets, by name."""
    with tx.cursor(row_factory=class_row(Preset)) as cursor:
        cursor.execute(f'{_PRESET} WHERE team_id = %s ORDER BY name COLLATE "C"', (team_id,))
        return cursor.fetchall()


def spec_of(tx: Transaction, team_id: int, name: str) -> str | None:
    """The preset's JSON; None when the team has none of that name."""
    found = find(tx, team_id, name)
    return None if found is None else found.spec
