"""Chart presets that teams made with the wandb client's `create_custom_chart`."""

from runhue_shared.db import Transaction


def put(tx: Transaction, team_id: int, name: str, display_name: str, access: str, spec: str) -> None:
    """Keep the preset, in the place of the one of that name. `spec` is JSON."""
    tx.execute(
        "INSERT INTO custom_chart (team_id, name, display_name, access, spec) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (team_id, name) DO UPDATE SET display_name = excluded.display_name,"
        " access = excluded.access, spec = excluded.spec",
        (team_id, name, display_name, access, spec),
    )


def spec_of(tx: Transaction, team_id: int, name: str) -> str | None:
    """The preset's JSON; None when the team has none of that name."""
    row = tx.execute(
        "SELECT spec FROM custom_chart WHERE team_id = %s AND name = %s", (team_id, name)
    ).fetchone()
    return None if row is None else str(row[0])
