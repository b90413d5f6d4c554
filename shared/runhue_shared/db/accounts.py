"""People of a test server: each is a team of their own with one key. Used by the fixtures service only."""

from runhue_shared.db import Transaction

PERSON = "person"
"""Name of the key that makes a team a person."""


def let_reach(tx: Transaction, person: str, team: str) -> None:
    """Let the person's key reach the team, if there are both. Idempotent."""
    tx.execute(
        "INSERT INTO api_key_reach (key_id, team_id) SELECT k.id, t.id FROM api_key k"
        " JOIN team p ON p.id = k.team_id JOIN team t ON t.name = %s"
        " WHERE p.name = %s AND k.name = %s AND k.revoked_at IS NULL AND t.id <> p.id ON CONFLICT DO NOTHING",
        (team, person, PERSON),
    )


def remove_person(tx: Transaction, name: str) -> None:
    """Revoke the keys of the team; its runs stay, unreachable. Idempotent."""
    tx.execute(
        "UPDATE api_key SET revoked_at = now() WHERE revoked_at IS NULL AND name = %s"
        " AND team_id = (SELECT id FROM team WHERE name = %s)",
        (PERSON, name),
    )


def remove_people(tx: Transaction) -> None:
    """`remove_person` for everybody."""
    tx.execute("UPDATE api_key SET revoked_at = now() WHERE revoked_at IS NULL AND name = %s", (PERSON,))
