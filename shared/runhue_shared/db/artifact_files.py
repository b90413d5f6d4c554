"""Files of artifacts and the manifests that list them."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction

MD5_BYTES = 16

ManifestKind = Literal["FULL", "INCREMENTAL", "PATCH"]


class File(NamedTuple):
    """A file whose bytes are stored; `md5` has 16 bytes, `sha256` 32."""

    path: str
    md5: bytes
    sha256: bytes
    size: int


class Reference(NamedTuple):
    """A file that lies elsewhere, at `address`; `size` is what the client says."""

    path: str
    address: str
    size: int


class Manifest(NamedTuple):
    """A list of files as a client sent it. `body` is the SHA-256 of its bytes, None until they are here."""

    id: int
    team_id: int
    artifact_id: int
    kind: ManifestKind
    base_id: int | None
    body: bytes | None


_MANIFEST = "SELECT id, team_id, artifact_id, kind, base_id, body FROM artifact_manifest"


def open_manifest(
    tx: Transaction, team_id: int, artifact_id: int, kind: ManifestKind, base_id: int | None, digest: str
) -> Manifest:
    """The manifest that a client is about to send; a whole or incremental one is the artifact's only one."""
    with tx.cursor(row_factory=class_row(Manifest)) as cursor:
        if kind != "PATCH":
            cursor.execute(
                "UPDATE artifact_manifest SET base_id = coalesce(%s, base_id), digest = %s WHERE id ="
                " (SELECT id FROM artifact_manifest WHERE artifact_id = %s AND kind = %s ORDER BY id LIMIT 1)"
                " RETURNING id, team_id, artifact_id, kind, base_id, body",
                (base_id, digest, artifact_id, kind),
            )
            if (found := cursor.fetchone()) is not None:
                return found
        cursor.execute(
            "INSERT INTO artifact_manifest (team_id, artifact_id, kind, base_id, digest)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id, team_id, artifact_id, kind, base_id, body",
            (team_id, artifact_id, kind, base_id, digest),
        )
        return cursor.fetchall()[0]


def manifest(tx: Transaction, manifest_id: int) -> Manifest | None:
    """The manifest of that id, of whichever team."""
    with tx.cursor(row_factory=class_row(Manifest)) as cursor:
        cursor.execute(f"{_MANIFEST} WHERE id = %s", (manifest_id,))
        return cursor.fetchone()


def manifests_of(tx: Transaction, artifact_id: int) -> list[Manifest]:
    """The manifests of an artifact whose bytes are stored, in the order in which they were announced."""
    with tx.cursor(row_factory=class_row(Manifest)) as cursor:
        cursor.execute(f"{_MANIFEST} WHERE artifact_id = %s AND body IS NOT NULL ORDER BY id", (artifact_id,))
        return cursor.fetchall()


def change_manifest(tx: Transaction, manifest_id: int, base_id: int | None, digest: str | None) -> None:
    """Say on what a manifest stands and what its digest is; None leaves one as it is."""
    tx.execute(
        "UPDATE artifact_manifest SET base_id = coalesce(%s, base_id), digest = coalesce(%s, digest)"
        " WHERE id = %s",
        (base_id, digest, manifest_id),
    )


def keep_manifest(tx: Transaction, manifest_id: int, sha256: bytes) -> None:
    """The bytes of a manifest are stored."""
    tx.execute("UPDATE artifact_manifest SET body = %s WHERE id = %s", (sha256, manifest_id))


def keep_files(tx: Transaction, team_id: int, artifact_id: int, files: Sequence[File]) -> None:
    """The bytes of files of a pending artifact are stored; what a path was before is replaced.

    A path of a committed artifact stays what it is.
    """
    tx.execute(
        "INSERT INTO artifact_file (team_id, artifact_id, path, md5, sha256, size)"
        " SELECT %(team)s, a.id, f.* FROM artifact a, unnest(%(paths)s::text[], %(md5s)s::bytea[],"
        "  %(hashes)s::bytea[], %(sizes)s::bigint[]) f WHERE a.id = %(artifact)s AND a.state = 'PENDING'"
        " ON CONFLICT (artifact_id, path) DO UPDATE"
        " SET md5 = excluded.md5, sha256 = excluded.sha256, size = excluded.size",
        _columns(team_id, artifact_id, files),
    )


def replace_files(
    tx: Transaction, team_id: int, artifact_id: int, files: Sequence[File], references: Sequence[Reference]
) -> None:
    """Make these the files of a pending artifact."""
    tx.execute("DELETE FROM artifact_file WHERE artifact_id = %s", (artifact_id,))
    keep_files(tx, team_id, artifact_id, files)
    tx.execute(
        "INSERT INTO artifact_file (team_id, artifact_id, path, reference, size)"
        " SELECT %s, %s, r.* FROM unnest(%s::text[], %s::text[], %s::bigint[]) r",
        (
            team_id,
            artifact_id,
            [one.path for one in references],
            [one.address for one in references],
            [one.size for one in references],
        ),
    )


def _columns(team_id: int, artifact_id: int, files: Sequence[File]) -> dict[str, object]:
    return {
        "team": team_id,
        "artifact": artifact_id,
        "paths": [file.path for file in files],
        "md5s": [file.md5 for file in files],
        "hashes": [file.sha256 for file in files],
        "sizes": [file.size for file in files],
    }


def files_page(
    tx: Transaction,
    artifact_id: int,
    limit: int,
    after: str = "",
    only: Collection[str] | None = None,
) -> list[File | Reference]:
    """Up to `limit` files by path, from behind the path `after`; of those paths only, when given."""
    rows = tx.execute(
        "SELECT path, md5, sha256, size, reference FROM artifact_file WHERE artifact_id = %s AND path > %s"
        " AND coalesce(path = ANY(%s), true) ORDER BY path LIMIT %s",
        (artifact_id, after, None if only is None else list(only), limit),
    )
    return [
        File(path, md5, sha256, size) if reference is None else Reference(path, reference, size)
        for path, md5, sha256, size, reference in rows
    ]


def count_files(tx: Transaction, artifact_id: int, only: Collection[str] | None = None) -> int:
    """How many files and references the artifact has."""
    row = tx.execute(
        "SELECT count(*) FROM artifact_file WHERE artifact_id = %s AND coalesce(path = ANY(%s), true)",
        (artifact_id, None if only is None else list(only)),
    ).fetchall()[0]
    return int(row[0])


def stored_files(tx: Transaction, artifact_id: int) -> dict[str, File]:
    """The artifact's files by path, without references."""
    with tx.cursor(row_factory=class_row(File)) as cursor:
        cursor.execute(
            "SELECT path, md5, sha256, size FROM artifact_file WHERE artifact_id = %s AND reference IS NULL",
            (artifact_id,),
        )
        return {file.path: file for file in cursor}


def known_by_md5(
    tx: Transaction, team_id: int, project_id: int | None, md5s: Collection[bytes]
) -> dict[bytes, File]:
    """Files of the team's artifacts by MD5; of one project's only, for a key that knows no other.

    Their bytes stay until the transaction ends.
    """
    with tx.cursor(row_factory=class_row(File)) as cursor:
        cursor.execute(
            "WITH held AS (SELECT f.path, f.md5, f.sha256, f.size FROM blob b"
            " JOIN artifact_file f ON f.team_id = b.team_id AND f.sha256 = b.sha256"
            " JOIN artifact a ON a.id = f.artifact_id"
            " WHERE b.team_id = %s AND b.md5 = ANY(%s) AND coalesce(a.project_id = %s, true)"
            " FOR KEY SHARE OF b)"
            " SELECT DISTINCT ON (md5) path, md5, sha256, size FROM held ORDER BY md5, sha256",
            (team_id, list(md5s), project_id),
        )
        return {file.md5: file for file in cursor}
