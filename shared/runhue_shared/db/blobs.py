"""Which bytes a team has stored. A row is written only after its bytes are in the store."""

from collections.abc import Collection
from typing import NamedTuple

from runhue_shared.db import Transaction


class Blob(NamedTuple):
    """Stored bytes; `sha256` has 32 bytes, `md5` 16."""

    sha256: bytes
    md5: bytes
    size: int


def insert(tx: Transaction, team_id: int, blob: Blob) -> None:
    """Note that the bytes are stored; also when it was noted before."""
    tx.execute(
        "INSERT INTO blob (team_id, sha256, md5, size) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (team_id, sha256) DO NOTHING",
        (team_id, blob.sha256, blob.md5, blob.size),
    )


def find(tx: Transaction, team_id: int, sha256: bytes) -> Blob | None:
    """The team's blob of that hash."""
    row = tx.execute(
        "SELECT sha256, md5, size FROM blob WHERE team_id = %s AND sha256 = %s", (team_id, sha256)
    ).fetchone()
    return None if row is None else Blob(*row)


def find_by_md5(tx: Transaction, team_id: int, md5s: Collection[bytes]) -> dict[bytes, Blob]:
    """The team's blobs by MD5, of those that it has; of several with one MD5 the first stored."""
    rows = tx.execute(
        "SELECT DISTINCT ON (md5) sha256, md5, size FROM blob WHERE team_id = %s AND md5 = ANY(%s)"
        " ORDER BY md5, created_at, sha256",
        (team_id, list(md5s)),
    )
    return {row[1]: Blob(*row) for row in rows}
