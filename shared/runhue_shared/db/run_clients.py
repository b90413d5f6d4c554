"""What only the wandb client tells of a run, beside our own attributes."""

import json
from typing import Any, NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.db.dead_letters import storable

MAX_TEXT = 100_000


class RunClient(NamedTuple):
    """Texts of the client; None is one it never told."""

    username: str | None = None
    host: str | None = None
    program: str | None = None
    repo: str | None = None
    commit: str | None = None
    sweep: str | None = None
    description: str | None = None


def tell(tx: Transaction, team_id: int, run_id: int, told: RunClient) -> None:
    """Keep what was told; None leaves a text as it is."""
    texts = [None if text is None else storable(text, MAX_TEXT) for text in told]
    tx.execute(
        "INSERT INTO run_client AS c (run_id, team_id, username, host, program, repo, commit, sweep,"
        " description) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id) DO UPDATE SET"
        " username = coalesce(excluded.username, c.username), host = coalesce(excluded.host, c.host),"
        " program = coalesce(excluded.program, c.program), repo = coalesce(excluded.repo, c.repo),"
        " commit = coalesce(excluded.commit, c.commit), sweep = coalesce(excluded.sweep, c.sweep),"
        " description = coalesce(excluded.description, c.description)",
        (run_id, team_id, *texts),
    )


def told(tx: Transaction, run_id: int) -> RunClient:
    """What the client told; all None for a run of our own SDK."""
    row = tx.execute(
        "SELECT username, host, program, repo, commit, sweep, description FROM run_client WHERE run_id = %s",
        (run_id,),
    ).fetchone()
    return RunClient() if row is None else RunClient(*row)


def wandb_config(tx: Transaction, run_id: int) -> dict[str, Any]:
    """The value of the config key `_wandb`; {} for none."""
    row = tx.execute("SELECT wandb_config FROM run_client WHERE run_id = %s", (run_id,)).fetchone()
    config: dict[str, Any] = {} if row is None else json.loads(row[0])
    return config


def set_wandb_config(tx: Transaction, team_id: int, run_id: int, config: dict[str, Any]) -> None:
    """Keep the value of the config key `_wandb`; the run is locked by the caller."""
    tx.execute(
        "INSERT INTO run_client (run_id, team_id, wandb_config) VALUES (%s, %s, %s)"
        " ON CONFLICT (run_id) DO UPDATE SET wandb_config = excluded.wandb_config",
        (run_id, team_id, storable(json.dumps(config, ensure_ascii=False), 16_000_000)),
    )
