"""What was refused of a run, counted by reason, for the run's page."""

from dataclasses import dataclass
from datetime import datetime

from runhue_shared.db import Transaction

LONGEST_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Rejection:
    """`count` refusals for one reason. `field` is empty when it is not about one; `message` is the latest."""

    code: str
    field: str
    message: str
    count: int
    last_at: datetime


def add(
    tx: Transaction, team_id: int, run_id: int, code: str, field: str, message: str, count: int = 1
) -> None:
    """Count refusals of a run."""
    tx.execute(
        "INSERT INTO run_rejection AS r (team_id, run_id, code, field, message, count)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, code, field) DO UPDATE"
        " SET count = r.count + excluded.count, message = excluded.message, last_at = now()",
        (team_id, run_id, code, field, message[:LONGEST_MESSAGE], count),
    )


def run_of_writer(tx: Transaction, team_id: int, writer_id: int) -> int | None:
    """The run that the team's writer writes to; None when the team has no such writer."""
    row = tx.execute(
        "SELECT run_id FROM run_writer WHERE id = %s AND team_id = %s", (writer_id, team_id)
    ).fetchone()
    return None if row is None else int(row[0])


def of_run(tx: Transaction, run_id: int) -> list[Rejection]:
    """All reasons, the latest first."""
    rows = tx.execute(
        "SELECT code, field, message, count, last_at FROM run_rejection WHERE run_id = %s"
        " ORDER BY last_at DESC, code, field",
        (run_id,),
    )
    return [Rejection(*row) for row in rows]
