"""Bytes that nothing names: their rows go first, the bytes themselves in a later transaction.

The rule that loses nothing: a committed row of `blob` means that its bytes are in the store. A row goes only
while nothing refers to it (the foreign keys would refuse) and leaves a row in `blob_removed`. Bytes go only
under a lock on that row, which whoever notes the same bytes again must take away before it commits
(`blobs.insert`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg import sql

from runhue_shared.db import Transaction

NO_MD5 = bytes(16)


class Place(NamedTuple):
    """Where looking through the blobs has come to, the longest untouched first."""

    touched_at: datetime
    team_id: int
    sha256: bytes


class Bytes(NamedTuple):
    """Bytes of a team: SHA-256 (32 bytes) and size."""

    team_id: int
    sha256: bytes
    size: int


NAMES = {
    "run_file": "sha256",
    "artifact_file": "sha256",
    "artifact_manifest": "body",
    "artifact": "manifest",
    "rendition": "made",
    "part_upload_part": "sha256",
}
"""Tables whose rows name blobs, and by which column."""

_NAMED = sql.SQL(" OR ").join(
    sql.SQL("EXISTS (SELECT FROM {} n WHERE n.team_id = b.team_id AND n.{} = b.sha256)").format(
        sql.Identifier(table), sql.Identifier(column)
    )
    for table, column in NAMES.items()
)
_LOOK = sql.SQL(
    "WITH seen AS MATERIALIZED (SELECT b.team_id, b.sha256, b.size, b.touched_at FROM blob b"
    " WHERE b.touched_at < now() - make_interval(secs => %(grace)s)"
    " AND (b.touched_at, b.team_id, b.sha256) > (%(touched_at)s, %(team_id)s, %(sha256)s)"
    " ORDER BY b.touched_at, b.team_id, b.sha256 LIMIT %(limit)s)"
    " SELECT b.team_id, b.sha256, b.size, b.touched_at, {} FROM seen b"
    " ORDER BY b.touched_at, b.team_id, b.sha256"
).format(_NAMED)
_FORGET = sql.SQL(
    "DELETE FROM blob b USING unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
    " WHERE (b.team_id, b.sha256) = (l.team_id, l.sha256)"
    " AND b.touched_at < now() - make_interval(secs => %(grace)s) AND NOT ({})"
    " RETURNING b.team_id, b.sha256, b.size"
).format(_NAMED)
START = Place(datetime(2000, 1, 1, tzinfo=UTC), 0, b"")


def look(
    tx: Transaction, grace: float, limit: int, after: Place | None = None
) -> tuple[list[Bytes], Place | None]:
    """(those of the next `limit` blobs untouched for `grace` seconds that nothing names, where that ended).

    The place is None when there are no more.
    """
    rows = tx.execute(_LOOK, {"grace": grace, "limit": limit, **(after or START)._asdict()}).fetchall()
    unnamed = [Bytes(team_id, sha256, size) for team_id, sha256, size, _, named in rows if not named]
    if len(rows) < limit:
        return unnamed, None
    team_id, sha256, _, touched_at, _ = rows[-1]
    return unnamed, Place(touched_at, team_id, sha256)


def forget(tx: Transaction, found: Sequence[Bytes], grace: float) -> list[Bytes]:
    """Take the rows of these blobs away, of those that nobody holds, names or touched; returns which went."""
    held = tx.execute(
        "SELECT b.team_id, b.sha256"
        " FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " JOIN blob b USING (team_id, sha256)"
        " ORDER BY b.team_id, b.sha256 FOR UPDATE OF b SKIP LOCKED",
        _columns(found),
    ).fetchall()
    # A statement of its own: it sees what was named just before the lock was ours.
    gone = tx.execute(_FORGET, {**_columns(held), "grace": grace}).fetchall()
    _note(tx, gone)
    return [Bytes(*row) for row in gone]


def forget_nameless(tx: Transaction, found: Sequence[Bytes]) -> list[Bytes]:
    """Have bytes that the store holds and no row knows removed; returns which those are.

    Noting them first waits for whoever is about to note them, and makes whoever comes later wait.
    """
    inserted = tx.execute(
        "INSERT INTO blob (team_id, sha256, md5, size)"
        " SELECT l.team_id, l.sha256, %(md5)s, 0"
        " FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256) ORDER BY 1, 2"
        " ON CONFLICT (team_id, sha256) DO NOTHING RETURNING team_id, sha256",
        {**_columns(found), "md5": NO_MD5},
    ).fetchall()
    tx.execute(
        "DELETE FROM blob b"
        " USING unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " WHERE (b.team_id, b.sha256) = (l.team_id, l.sha256)",
        _columns(inserted),
    )
    _note(tx, inserted)
    new = set(inserted)
    return [one for one in found if one[:2] in new]


def unknown(tx: Transaction, found: Sequence[Bytes]) -> list[Bytes]:
    """Those that no row knows, and that are not about to be removed."""
    rows = tx.execute(
        "SELECT l.team_id, l.sha256 FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " WHERE NOT EXISTS (SELECT FROM blob b WHERE (b.team_id, b.sha256) = (l.team_id, l.sha256))"
        " AND NOT EXISTS (SELECT FROM blob_removed r WHERE (r.team_id, r.sha256) = (l.team_id, l.sha256)"
        "  AND r.removed_at IS NULL)",
        _columns(found),
    )
    nameless = set(rows.fetchall())
    return [one for one in found if one[:2] in nameless]


def take_removable(tx: Transaction, limit: int) -> list[tuple[int, bytes]]:
    """(team, SHA-256) of up to `limit` to remove; until the transaction ends nobody notes them again."""
    locked = tx.execute(
        "SELECT team_id, sha256 FROM blob_removed WHERE removed_at IS NULL ORDER BY forgotten_at LIMIT %s"
        " FOR UPDATE SKIP LOCKED",
        (limit,),
    ).fetchall()
    known = tx.execute(
        "SELECT b.team_id, b.sha256"
        " FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " JOIN blob b USING (team_id, sha256)",
        _columns(locked),
    ).fetchall()
    return sorted(set(locked) - set(known))


def note_removed(tx: Transaction, removed: Sequence[tuple[int, bytes]]) -> None:
    """The bytes are gone from the store."""
    tx.execute(
        "UPDATE blob_removed r SET removed_at = clock_timestamp()"
        " FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " WHERE (r.team_id, r.sha256) = (l.team_id, l.sha256)",
        _columns(removed),
    )


def forget_removed(tx: Transaction, seconds: float) -> None:
    """What was removed so long ago is of no interest to anybody who stores bytes now."""
    tx.execute("DELETE FROM blob_removed WHERE removed_at < now() - make_interval(secs => %s)", (seconds,))


def remove_files_of_deleted_runs(tx: Transaction, grace: float, limit: int) -> int:
    """Take up to `limit` files from runs that were deleted `grace` seconds ago; returns how many."""
    done = tx.execute(
        "DELETE FROM run_file d USING ("
        "  SELECT f.run_id, f.path FROM run r JOIN run_file f ON f.run_id = r.id"
        "  WHERE r.deleted_at < now() - make_interval(secs => %s)"
        "  LIMIT %s FOR UPDATE OF f SKIP LOCKED) AS old"
        " WHERE (d.run_id, d.path) = (old.run_id, old.path)",
        (grace, limit),
    )
    return done.rowcount


def _note(tx: Transaction, gone: Sequence[tuple[object, ...]]) -> None:
    tx.execute(
        "INSERT INTO blob_removed (team_id, sha256) SELECT l.team_id, l.sha256"
        " FROM unnest(%(teams)s::int[], %(hashes)s::bytea[]) AS l (team_id, sha256)"
        " ON CONFLICT (team_id, sha256) DO UPDATE SET forgotten_at = now(), removed_at = NULL",
        _columns(gone),
    )


def _columns(found: Sequence[tuple[object, ...]]) -> dict[str, object]:
    return {"teams": [one[0] for one in found], "hashes": [one[1] for one in found]}
