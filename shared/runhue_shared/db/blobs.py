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


def find(tx: Transaction, team_id: int, sha256: bytes, project_id: int | None = None) -> Blob | None:
    """The team's blob of that hash; it stays until the transaction ends.

    With `project_id` only when a file of that project has these bytes, for a key that knows no other: whoever
    heard of a hash would be given what another project keeps.
    """
    row = tx.execute(
        "SELECT b.sha256, b.md5, b.size FROM blob b"
        " WHERE b.team_id = %(team)s AND b.sha256 = %(sha256)s AND (%(project)s::int IS NULL"
        " OR EXISTS (SELECT FROM run_file f JOIN run r ON r.id = f.run_id WHERE f.team_id = b.team_id"
        "  AND f.sha256 = b.sha256 AND r.project_id = %(project)s)"
        " OR EXISTS (SELECT FROM artifact_file f JOIN artifact a ON a.id = f.artifact_id"
        "  WHERE f.team_id = b.team_id AND f.sha256 = b.sha256 AND a.project_id = %(project)s))"
        " FOR KEY SHARE OF b",
        {"team": team_id, "sha256": sha256, "project": project_id},
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
