"""Uploads that come in parts. A part that came is a blob, named by its row here until the file is whole."""

from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.db.blobs import Blob


class PartUpload(NamedTuple):
    """An upload. `target` and `expected` are JSON, `size` is bytes; all parts but the last have `part_bytes`.

    Both are None where the client cuts the file as it likes. `stored` is the SHA-256 of the whole, once it
    is what it was to become.
    """

    id: str
    team_id: int
    target: str
    expected: str
    size: int | None
    part_bytes: int | None
    stored: bytes | None


class Part(NamedTuple):
    """A part that came; `number` counts from 1."""

    number: int
    size: int
    md5: bytes
    sha256: bytes


_UPLOAD = "SELECT id, team_id, target, expected, size, part_bytes, stored FROM part_upload"


def begin(tx: Transaction, upload: PartUpload) -> PartUpload:
    """Begin the upload, or go on with the one of that id; one that is done begins again."""
    with tx.cursor(row_factory=class_row(PartUpload)) as cursor:
        cursor.execute(
            "INSERT INTO part_upload (id, team_id, target, expected, size, part_bytes)"
            " VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET touched_at = now(), stored = NULL"
            " RETURNING id, team_id, target, expected, size, part_bytes, stored",
            upload[:-1],
        )
        return cursor.fetchall()[0]


def find(tx: Transaction, team_id: int, upload_id: str) -> PartUpload | None:
    """The team's upload of that id."""
    with tx.cursor(row_factory=class_row(PartUpload)) as cursor:
        cursor.execute(
            f"{_UPLOAD} WHERE team_id = %s AND id = %s",
            (team_id, upload_id),
        )
        return cursor.fetchone()


def keep_part(tx: Transaction, team_id: int, upload_id: str, number: int, blob: Blob) -> bool:
    """A part came, also when it did before; one that comes after the file is whole changes nothing.

    Returns:
        False when there is no such upload.
    """
    row = tx.execute(
        "UPDATE part_upload SET touched_at = now() WHERE team_id = %s AND id = %s RETURNING stored IS NULL",
        (team_id, upload_id),
    ).fetchone()
    if row is not None and row[0]:
        tx.execute(
            "INSERT INTO part_upload_part (upload_id, number, team_id, size, md5, sha256)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (upload_id, number)"
            " DO UPDATE SET size = excluded.size, md5 = excluded.md5, sha256 = excluded.sha256",
            (upload_id, number, team_id, blob.size, blob.md5, blob.sha256),
        )
    return row is not None


def parts(tx: Transaction, upload_id: str) -> list[Part]:
    """The parts that came, in order."""
    with tx.cursor(row_factory=class_row(Part)) as cursor:
        cursor.execute(
            "SELECT number, size, md5, sha256 FROM part_upload_part WHERE upload_id = %s ORDER BY number",
            (upload_id,),
        )
        return cursor.fetchall()


def take(tx: Transaction, upload_id: str, lease: float) -> bool:
    """Have the upload to oneself for some seconds, to put it together; False when somebody else has it."""
    done = tx.execute(
        "UPDATE part_upload SET taken_until = clock_timestamp() + make_interval(secs => %s),"
        " touched_at = now() WHERE id = %s AND coalesce(taken_until < clock_timestamp(), true)",
        (lease, upload_id),
    )
    return done.rowcount == 1


def keep_taken(tx: Transaction, upload_id: str, lease: float) -> None:
    """Have it for some seconds more; 0 gives it back."""
    tx.execute(
        "UPDATE part_upload SET taken_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
        (lease, upload_id),
    )


def finish(tx: Transaction, upload_id: str, sha256: bytes) -> bool:
    """The whole is stored; its parts are of no more use. False when the upload was given up."""
    # The upload first, as `keep_part`: whoever puts a part again waits then, never both for each other.
    done = tx.execute(
        "UPDATE part_upload SET stored = %s, taken_until = NULL, touched_at = now() WHERE id = %s",
        (sha256, upload_id),
    )
    tx.execute("DELETE FROM part_upload_part WHERE upload_id = %s", (upload_id,))
    return done.rowcount == 1


def drop_parts(tx: Transaction, upload_id: str) -> None:
    """The parts are not those of the file: all are to come again."""
    tx.execute("UPDATE part_upload SET taken_until = NULL WHERE id = %s", (upload_id,))
    tx.execute("DELETE FROM part_upload_part WHERE upload_id = %s", (upload_id,))


def drop_part(tx: Transaction, upload_id: str, part: Part) -> None:
    """The part's bytes are not there any more: it is to come again, unless it just did with other bytes."""
    tx.execute("UPDATE part_upload SET taken_until = NULL WHERE id = %s", (upload_id,))
    tx.execute(
        "DELETE FROM part_upload_part WHERE (upload_id, number, sha256) = (%s, %s, %s)",
        (upload_id, part.number, part.sha256),
    )


def remove(tx: Transaction, team_id: int, upload_id: str) -> bool:
    """Give the upload up, with what came; False when there was none."""
    done = tx.execute("DELETE FROM part_upload WHERE team_id = %s AND id = %s", (team_id, upload_id))
    return done.rowcount == 1


def forget_abandoned(tx: Transaction, seconds: float, limit: int) -> int:
    """Give up to `limit` uploads up that nobody touched for so long; returns how many."""
    done = tx.execute(
        "DELETE FROM part_upload WHERE id IN (SELECT id FROM part_upload"
        " WHERE touched_at < now() - make_interval(secs => %s) ORDER BY touched_at LIMIT %s"
        " FOR UPDATE SKIP LOCKED)",
        (seconds, limit),
    )
    return done.rowcount
