"""Uploads that go straight to the object store, from when they were signed until they are adopted."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction


class DirectUpload(NamedTuple):
    """An address given away. `owner` and `name` say whose file it is; `target` and `expected` are JSON."""

    key: str
    team_id: int
    owner: str
    name: str
    target: str
    expected: str


class WaitingUpload(NamedTuple):
    """An upload that was not adopted yet."""

    key: str
    team_id: int
    owner: str
    name: str
    target: str
    expected: str
    created_at: datetime


_COLUMNS = "SELECT key, team_id, owner, name, target, expected, created_at FROM direct_upload"


def insert(tx: Transaction, uploads: Sequence[DirectUpload]) -> None:
    """Note addresses before they are given away."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO direct_upload (key, team_id, owner, name, target, expected)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            uploads,
        )


def of_owner(
    tx: Transaction, team_id: int, owner: str, names: Collection[str] | None = None
) -> list[WaitingUpload]:
    """An owner's uploads, the oldest first; of those names only, when given."""
    with tx.cursor(row_factory=class_row(WaitingUpload)) as cursor:
        cursor.execute(
            f"{_COLUMNS} WHERE team_id = %s AND owner = %s AND coalesce(name = ANY(%s), true)"
            " ORDER BY created_at, key",
            (team_id, owner, None if names is None else list(names)),
        )
        return cursor.fetchall()


def of_keys(tx: Transaction, keys: Sequence[str]) -> list[WaitingUpload]:
    """The uploads of these keys that wait, the oldest first."""
    with tx.cursor(row_factory=class_row(WaitingUpload)) as cursor:
        cursor.execute(f"{_COLUMNS} WHERE key = ANY(%s) ORDER BY created_at, key", (list(keys),))
        return cursor.fetchall()


def forget_older_than(tx: Transaction, seconds: float) -> int:
    """Uploads that have waited for that long will not come; returns how many they were."""
    done = tx.execute(
        "DELETE FROM direct_upload WHERE created_at < now() - make_interval(secs => %s)", (seconds,)
    )
    return done.rowcount


def remove(tx: Transaction, key: str) -> bool:
    """The upload was adopted or given up; False when someone else did that before."""
    return tx.execute("DELETE FROM direct_upload WHERE key = %s", (key,)).rowcount == 1
