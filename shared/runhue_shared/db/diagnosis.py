"""What `runhue doctor` asks the database about itself and about work that does not get done."""

from typing import NamedTuple

import psycopg

from runhue_shared.db import Transaction
from runhue_shared.db.migrate import migrations


class StoppedPartition(NamedTuple):
    """A partition whose batches are kept but not folded."""

    part: int
    reason: str


class Waiting(NamedTuple):
    """Batches in the inbox. `oldest` is the seconds that the oldest of them has waited, 0 without any."""

    batches: int
    oldest: float


def server_version(tx: Transaction) -> tuple[int, str]:
    """(number like 180001, text like "18.1")."""
    row = tx.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    ).fetchall()[0]
    return int(row[0]), str(row[1])


def missing_migrations(tx: Transaction) -> list[str]:
    """Names of this release's migrations that the database lacks; all of them in an empty one."""
    try:
        with tx.transaction():
            done = {name for (name,) in tx.execute("SELECT name FROM schema_migration")}
    except psycopg.errors.UndefinedTable:
        done = set()
    return [name for name, _ in migrations() if name not in done]


def stopped_partitions(tx: Transaction) -> list[StoppedPartition]:
    """Partitions that stopped because too many of their batches were bad."""
    rows = tx.execute(
        "SELECT part, coalesce(stop_reason, '') FROM inbox_partition"
        " WHERE stopped_at IS NOT NULL ORDER BY part"
    )
    return [StoppedPartition(*row) for row in rows]


def waiting(tx: Transaction) -> Waiting:
    """How much of what was accepted is not folded yet."""
    row = tx.execute(
        "SELECT count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 FROM inbox"
    ).fetchall()[0]
    return Waiting(int(row[0]), float(row[1]))


def dead_letters(tx: Transaction) -> int:
    """Batches that were set aside because they could not be folded."""
    return int(tx.execute("SELECT count(*) FROM dead_letter").fetchall()[0][0])
