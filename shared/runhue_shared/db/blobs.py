"""Which bytes a team has stored. A row is written only after its bytes are in the store.

Whoever is about to name a blob that it found here must hold its row until then, as `find` and `find_by_md5`
do: rows that nothing names are taken away (`blob_upkeep`), but never one that somebody holds.
"""

from collections.abc import Collection
from typing import NamedTuple

from runhue_shared.db import Transaction


class Blob(NamedTuple):
    """Stored bytes; `sha256` has 32 bytes, `md5` 16."""

    sha256: bytes
    md5: bytes
    size: int


def insert(tx: Transaction, team_id: int, blob: Blob) -> bool:
    """Note that the bytes are stored, also when it was noted before, and hold the row.

    Returns:
        True when the same bytes were being removed a moment ago: commit only if the store still holds them.
        Until the transaction ends nobody removes them.
    """
    tx.execute(
        "INSERT INTO blob (team_id, sha256, md5, size) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (team_id, sha256) DO UPDATE SET touched_at = now()",
        (team_id, blob.sha256, blob.md5, blob.size),
    )
    # Waits for whoever removes the bytes right now. If the transaction fails the row is there again.
    done = tx.execute("DELETE FROM blob_removed WHERE team_id = %s AND sha256 = %s", (team_id, blob.sha256))
    return done.rowcount == 1


def find(tx: Transaction, team_id: int, sha256: bytes) -> Blob | None:
    """The team's blob of that hash; it stays until the transaction ends."""
    row = tx.execute(
        "SELECT sha256, md5, size FROM blob WHERE team_id = %s AND sha256 = %s FOR KEY SHARE",
        (team_id, sha256),
    ).fetchone()
    return None if row is None else Blob(*row)


def find_by_md5(tx: Transaction, team_id: int, md5s: Collection[bytes]) -> dict[bytes, Blob]:
    """The team's blobs by MD5, of those that it has; of several with one MD5 the first stored.

    They stay until the transaction ends.
    """
    rows = tx.execute(
        "WITH held AS (SELECT sha256, md5, size, created_at FROM blob WHERE team_id = %s AND md5 = ANY(%s)"
        " ORDER BY sha256 FOR KEY SHARE)"
        " SELECT DISTINCT ON (md5) sha256, md5, size FROM held ORDER BY md5, created_at, sha256",
        (team_id, list(md5s)),
    )
    return {row[1]: Blob(*row) for row in rows}


def touch(tx: Transaction, team_id: int, hashes: Collection[bytes]) -> None:
    """Somebody is about to name these blobs: let them stay for a while beyond the transaction."""
    tx.execute(
        "UPDATE blob SET touched_at = now() WHERE (team_id, sha256) IN"
        " (SELECT team_id, sha256 FROM blob WHERE team_id = %s AND sha256 = ANY(%s)"
        "  ORDER BY sha256 FOR NO KEY UPDATE)",
        (team_id, list(hashes)),
    )
