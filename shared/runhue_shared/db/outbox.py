"""Events that were committed with what they tell of and wait to be published."""

from collections.abc import Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction

RELAY_LOCK = 0x52_55_4E_4F  # one relay at a time keeps the order


class OutboxEvent(NamedTuple):
    """`payload` is JSON."""

    id: int
    project_id: int
    type: str
    payload: str


def append(tx: Transaction, team_id: int, project_id: int, type_: str, payload: str) -> None:
    """Publish an event once this transaction has committed; `payload` is JSON."""
    append_all(tx, [(team_id, project_id, type_, payload)])


def append_all(tx: Transaction, events: Sequence[tuple[int, int, str, str]]) -> None:
    """Publish (team id, project id, type, payload) in this order once this transaction has committed."""
    with tx.cursor() as cursor:  # an array would have every payload escaped
        cursor.executemany(
            "INSERT INTO outbox (team_id, project_id, type, payload) VALUES (%s, %s, %s, %s)", events
        )


def is_filled(tx: Transaction) -> bool:
    """Whether events wait."""
    return bool(tx.execute("SELECT EXISTS (SELECT 1 FROM outbox)").fetchall()[0][0])


def lock_relay(tx: Transaction) -> None:
    """Become the only relay until this transaction ends; waits for another one."""
    tx.execute("SELECT pg_advisory_xact_lock(%s)", (RELAY_LOCK,))


def oldest(tx: Transaction, limit: int) -> list[OutboxEvent]:
    """The first events in the order in which they were appended."""
    rows = tx.execute("SELECT id, project_id, type, payload FROM outbox ORDER BY id LIMIT %s", (limit,))
    return [OutboxEvent(*row) for row in rows]


def delete(tx: Transaction, event_ids: Sequence[int]) -> None:
    """Forget events that are published."""
    tx.execute("DELETE FROM outbox WHERE id = ANY(%s)", (list(event_ids),))
