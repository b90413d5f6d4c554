"""Versions of artifact collections: which artifact has which number there, and which aliases mean it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction, artifact_collections, artifacts

LATEST = "latest"
"""The alias that always is with the newest version of a collection."""

NO_VERSION = 2**31 - 1
"""Above every version's number."""


class Member(NamedTuple):
    """A version of a collection: which artifact has which number there."""

    id: int
    collection_id: int
    artifact_id: int
    version: int
    created_at: datetime


class Alias(NamedTuple):
    """A name of an artifact in one of its collections."""

    artifact_id: int
    collection_id: int
    collection: str
    kind: str
    team: str
    project_id: int
    project: str
    alias: str


_MEMBER = "SELECT id, collection_id, artifact_id, version, created_at FROM artifact_membership"


def join_collection(tx: Transaction, team_id: int, collection_id: int, artifact_id: int) -> Member:
    """Make the artifact the newest version of a locked collection, unless it is a version of it already."""
    added = tx.execute(
        "INSERT INTO artifact_membership (team_id, collection_id, artifact_id, version)"
        " SELECT %s, id, %s, next_version FROM artifact_collection WHERE id = %s"
        " ON CONFLICT (collection_id, artifact_id) DO NOTHING",
        (team_id, artifact_id, collection_id),
    )
    if added.rowcount:
        tx.execute(
            "UPDATE artifact_collection SET next_version = next_version + 1, updated_at = now()"
            " WHERE id = %s",
            (collection_id,),
        )
        give_aliases(tx, team_id, collection_id, artifact_id, [LATEST])
    return member(tx, collection_id, artifact_id)


def member(tx: Transaction, collection_id: int, artifact_id: int) -> Member:
    """The artifact's place in a collection that it is in."""
    with tx.cursor(row_factory=class_row(Member)) as cursor:
        cursor.execute(
            f"{_MEMBER} WHERE collection_id = %s AND artifact_id = %s",
            (collection_id, artifact_id),
        )
        return cursor.fetchall()[0]


def give_aliases(
    tx: Transaction, team_id: int, collection_id: int, artifact_id: int, aliases: Sequence[str]
) -> None:
    """Let these names of the collection mean this artifact, whatever they meant before."""
    tx.execute(
        "INSERT INTO artifact_alias (team_id, collection_id, alias, artifact_id)"
        " SELECT %s, %s, n, %s FROM unnest(%s::text[]) n ON CONFLICT (collection_id, alias)"
        " DO UPDATE SET artifact_id = excluded.artifact_id",
        (team_id, collection_id, artifact_id, sorted(set(aliases))),
    )


def take_aliases(tx: Transaction, collection_id: int, artifact_id: int, aliases: Sequence[str]) -> None:
    """Take names away from the artifact; what means another one stays."""
    tx.execute(
        "DELETE FROM artifact_alias WHERE collection_id = %s AND artifact_id = %s AND alias = ANY(%s)",
        (collection_id, artifact_id, list(aliases)),
    )


def keep_only_aliases(tx: Transaction, collection_id: int, artifact_id: int, aliases: Sequence[str]) -> None:
    """Take every name but these away from the artifact."""
    tx.execute(
        "DELETE FROM artifact_alias WHERE collection_id = %s AND artifact_id = %s AND alias <> ALL(%s)",
        (collection_id, artifact_id, list(aliases)),
    )


def aliases_of(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, list[Alias]]:
    """Names of artifacts in all their collections, by artifact and in code-point order."""
    found: dict[int, list[Alias]] = {artifact_id: [] for artifact_id in artifact_ids}
    with tx.cursor(row_factory=class_row(Alias)) as cursor:
        cursor.execute(
            "SELECT l.artifact_id, l.collection_id, c.name AS collection, c.kind, t.name AS team,"
            " c.project_id, p.name AS project, l.alias FROM artifact_alias l"
            " JOIN artifact_collection c ON c.id = l.collection_id JOIN project p ON p.id = c.project_id"
            " JOIN team t ON t.id = c.team_id WHERE l.artifact_id = ANY(%s)"
            " ORDER BY l.alias, l.collection_id",
            (list(artifact_ids),),
        )
        for row in cursor:
            found[row.artifact_id].append(row)
    return found


def names_of(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, list[Alias]]:
    """As `aliases_of`, with `v<number>` for each portfolio too: the only way older clients learn of it."""
    found = aliases_of(tx, artifact_ids)
    with tx.cursor(row_factory=class_row(Alias)) as cursor:
        cursor.execute(
            "SELECT m.artifact_id, m.collection_id, c.name AS collection, c.kind, t.name AS team,"
            " c.project_id, p.name AS project, 'v' || m.version AS alias FROM artifact_membership m"
            " JOIN artifact_collection c ON c.id = m.collection_id AND c.kind = 'portfolio'"
            " JOIN project p ON p.id = c.project_id JOIN team t ON t.id = c.team_id"
            " WHERE m.artifact_id = ANY(%s) ORDER BY m.id",
            (list(artifact_ids),),
        )
        for row in cursor:
            found[row.artifact_id].append(row)
    return found


def aliases_of_collection(tx: Transaction, collection_id: int, limit: int, after: str = "") -> list[str]:
    """Up to `limit` names in use in the collection, from behind the name `after`."""
    rows = tx.execute(
        "SELECT alias FROM artifact_alias WHERE collection_id = %s AND alias > %s ORDER BY alias LIMIT %s",
        (collection_id, after, limit),
    )
    return [alias for (alias,) in rows]


def member_named(tx: Transaction, collection_id: int, name: str) -> Member | None:
    """The version of a collection that an alias or `v<number>` means; an alias goes first."""
    digits = name[1:] if name.startswith("v") and name.isascii() else ""
    with tx.cursor(row_factory=class_row(Member)) as cursor:
        cursor.execute(
            "SELECT id, collection_id, artifact_id, version, created_at FROM artifact_membership"
            " WHERE collection_id = %(collection)s AND artifact_id = coalesce("
            "(SELECT artifact_id FROM artifact_alias"
            "  WHERE collection_id = %(collection)s AND alias = %(name)s),"
            "(SELECT artifact_id FROM artifact_membership"
            "  WHERE collection_id = %(collection)s AND version = %(version)s))",
            {
                "collection": collection_id,
                "name": name,
                "version": int(digits) if digits.isdigit() and len(digits) < 10 else None,
            },
        )
        return cursor.fetchone()


def latest(tx: Transaction, collection_id: int) -> int | None:
    """The artifact that `latest` means in the collection."""
    row = tx.execute(
        "SELECT artifact_id FROM artifact_alias WHERE collection_id = %s AND alias = %s",
        (collection_id, LATEST),
    ).fetchone()
    return None if row is None else int(row[0])


def members(tx: Transaction, collection_id: int, limit: int, before: int | None = None) -> list[Member]:
    """Up to `limit` versions, the newest first, from those below the number `before`."""
    with tx.cursor(row_factory=class_row(Member)) as cursor:
        cursor.execute(
            f"{_MEMBER} WHERE collection_id = %s AND version < %s ORDER BY version DESC LIMIT %s",
            (collection_id, NO_VERSION if before is None else before, limit),
        )
        return cursor.fetchall()


def members_from_oldest(tx: Transaction, collection_id: int, limit: int, after: int = -1) -> list[Member]:
    """Up to `limit` versions, the oldest first, from those above the number `after`."""
    with tx.cursor(row_factory=class_row(Member)) as cursor:
        cursor.execute(
            f"{_MEMBER} WHERE collection_id = %s AND version > %s ORDER BY version LIMIT %s",
            (collection_id, after, limit),
        )
        return cursor.fetchall()


def memberships(tx: Transaction, artifact_id: int) -> list[Member]:
    """Every collection that the artifact is a version of, in the order in which it joined."""
    with tx.cursor(row_factory=class_row(Member)) as cursor:
        cursor.execute(
            f"{_MEMBER} WHERE artifact_id = %s ORDER BY id",
            (artifact_id,),
        )
        return cursor.fetchall()


def leave_collection(tx: Transaction, collection_id: int, artifact_id: int) -> None:
    """Make the artifact no version of it any more; `latest` goes to the newest that is left."""
    tx.execute(
        "DELETE FROM artifact_membership WHERE collection_id = %s AND artifact_id = %s",
        (collection_id, artifact_id),
    )
    tx.execute(
        "INSERT INTO artifact_alias (team_id, collection_id, alias, artifact_id)"
        " SELECT team_id, collection_id, %s, artifact_id FROM artifact_membership WHERE collection_id = %s"
        " ORDER BY version DESC LIMIT 1 ON CONFLICT DO NOTHING",
        (LATEST, collection_id),
    )


def forget(tx: Transaction, artifact_id: int) -> None:
    """Take the artifact out of its collections and forget its content. Idempotent."""
    for member in memberships(tx, artifact_id):
        artifact_collections.lock(tx, member.collection_id)
        leave_collection(tx, member.collection_id, artifact_id)
    artifacts.delete(tx, artifact_id)


def forget_expired(tx: Transaction, limit: int) -> int:
    """Forget up to `limit` artifacts that are older than they were to be kept; returns how many."""
    found = artifacts.expired(tx, limit)
    for artifact_id in found:
        forget(tx, artifact_id)
    return len(found)
