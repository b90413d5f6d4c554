"""Types of artifacts, and the collections that hold versions: sequences of runs, portfolios of links."""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from runhue_shared.db import Transaction, artifact_filters
from runhue_shared.db.artifact_filters import EVERY, NEWEST, CollectionOrder, Test
from runhue_shared.db.filtering import FILTER_TIMEOUT

Kind = Literal["sequence", "portfolio"]


class ArtifactType(NamedTuple):
    """A type of a project, e.g. `dataset`."""

    id: int
    name: str
    description: str | None
    created_at: datetime


class Collection(NamedTuple):
    """A collection with the names that lead to it. `versions` counts its members."""

    id: int
    team_id: int
    team: str
    project_id: int
    project: str
    kind: Kind
    type: str
    name: str
    description: str | None
    tags: list[str]
    versions: int
    created_at: datetime
    updated_at: datetime


_COLLECTION = (
    "SELECT c.id, c.team_id, t.name AS team, c.project_id, p.name AS project, c.kind, y.name AS type, c.name,"
    " c.description, c.tags, (SELECT count(*) FROM artifact_membership m WHERE m.collection_id = c.id)"
    "  AS versions, c.created_at, c.updated_at"
    " FROM artifact_collection c JOIN artifact_type y ON y.id = c.type_id"
    " JOIN project p ON p.id = c.project_id JOIN team t ON t.id = c.team_id"
)


def ensure_type(
    tx: Transaction, team_id: int, project_id: int, name: str, description: str | None = None
) -> int:
    """The id of the project's type; it is made when it is new."""
    row = tx.execute(
        "INSERT INTO artifact_type (team_id, project_id, name, description) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (project_id, name)"
        " DO UPDATE SET description = coalesce(excluded.description, artifact_type.description) RETURNING id",
        (team_id, project_id, name, description),
    ).fetchall()[0]
    return int(row[0])


def types_of_project(
    tx: Transaction, project_id: int, limit: int, after: str = "", only: str | None = None
) -> list[ArtifactType]:
    """Up to `limit` types in the code-point order of their names, from behind the name `after`."""
    with tx.cursor(row_factory=class_row(ArtifactType)) as cursor:
        cursor.execute(
            "SELECT id, name, description, created_at FROM artifact_type WHERE project_id = %s AND name > %s"
            " AND coalesce(name = %s, true) ORDER BY name LIMIT %s",
            (project_id, after, only, limit),
        )
        return cursor.fetchall()


def ensure_collection(
    tx: Transaction, team_id: int, project_id: int, type_id: int, kind: Kind, name: str
) -> Collection:
    """The project's collection of that name, locked; it is made when it is new.

    One that is there may be of another type or kind: compare.
    """
    tx.execute(
        "INSERT INTO artifact_collection (team_id, project_id, type_id, kind, name)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (project_id, name) DO NOTHING",
        (team_id, project_id, type_id, kind, name),
    )
    with tx.cursor(row_factory=class_row(Collection)) as cursor:
        cursor.execute(
            _COLLECTION + " WHERE c.project_id = %s AND c.name = %s FOR UPDATE OF c", (project_id, name)
        )
        return cursor.fetchall()[0]


def collection_named(tx: Transaction, project_id: int, name: str) -> Collection | None:
    """The project's collection of that name."""
    with tx.cursor(row_factory=class_row(Collection)) as cursor:
        cursor.execute(_COLLECTION + " WHERE c.project_id = %s AND c.name = %s", (project_id, name))
        return cursor.fetchone()


def collection(tx: Transaction, collection_id: int) -> Collection | None:
    """The collection of that id, of whichever team."""
    with tx.cursor(row_factory=class_row(Collection)) as cursor:
        cursor.execute(_COLLECTION + " WHERE c.id = %s", (collection_id,))
        return cursor.fetchone()


def collections(tx: Transaction, collection_ids: AnyOf[int]) -> dict[int, Collection]:
    """Collections by id, of those that are there."""
    with tx.cursor(row_factory=class_row(Collection)) as cursor:
        cursor.execute(_COLLECTION + " WHERE c.id = ANY(%s)", (list(collection_ids),))
        return {found.id: found for found in cursor}


def count_versions(tx: Transaction, collection_id: int) -> int:
    """How many versions the collection has."""
    row = tx.execute(
        "SELECT count(*) FROM artifact_membership WHERE collection_id = %s", (collection_id,)
    ).fetchall()[0]
    return int(row[0])


def lock(tx: Transaction, collection_id: int) -> None:
    """Let nobody else give version numbers and aliases of the collection until the transaction ends."""
    tx.execute("SELECT 1 FROM artifact_collection WHERE id = %s FOR UPDATE", (collection_id,))


def collections_page(
    tx: Transaction,
    project_id: int,
    only_type: str | None,
    limit: int,
    after: int | None = None,
    wanted: Test = EVERY,
    order: CollectionOrder = NEWEST,
) -> list[Collection]:
    """Up to `limit` collections that pass, in order, from behind the one with the id `after`.

    Of one type only, when it is given. A page behind a collection that went meanwhile is empty.

    Raises:
        psycopg.DataError: a value or pattern of the test is none.
    """
    expression = artifact_filters.sorted_by(order)
    query = sql.SQL(
        "{} WHERE c.project_id = %s AND coalesce(y.name = %s, true) AND {}"
        " AND (%s::bigint IS NULL OR ({}, c.id) {} (SELECT {}, c.id FROM artifact_collection c"
        "  JOIN artifact_type y ON y.id = c.type_id WHERE c.id = %s))"
        " ORDER BY {} {}, c.id {} LIMIT %s"
    ).format(
        sql.SQL(_COLLECTION),
        wanted.condition,
        expression,
        sql.SQL("<" if order.descending else ">"),
        expression,
        expression,
        *[sql.SQL("DESC" if order.descending else "ASC")] * 2,
    )
    tx.execute(f"SET LOCAL statement_timeout = '{FILTER_TIMEOUT}'")
    with tx.cursor(row_factory=class_row(Collection)) as cursor:
        cursor.execute(query, (project_id, only_type, *wanted.params, after, after, limit))
        return cursor.fetchall()


def count_collections(
    tx: Transaction, project_id: int, only_type: str | None = None, wanted: Test = EVERY
) -> int:
    """How many collections of the project pass, of one type only when given."""
    query = sql.SQL(
        "SELECT count(*) FROM artifact_collection c JOIN artifact_type y ON y.id = c.type_id"
        " WHERE c.project_id = %s AND coalesce(y.name = %s, true) AND {}"
    ).format(wanted.condition)
    row = tx.execute(query, (project_id, only_type, *wanted.params)).fetchall()[0]
    return int(row[0])


def edit_collection(tx: Transaction, collection_id: int, name: str | None, description: str | None) -> None:
    """Give it another name or description; None leaves one as it is.

    Raises:
        psycopg.errors.UniqueViolation: the project has a collection of that name.
    """
    tx.execute(
        "UPDATE artifact_collection SET name = coalesce(%s, name),"
        " description = coalesce(%s, description), updated_at = now() WHERE id = %s",
        (name, description, collection_id),
    )


def move_collection(tx: Transaction, collection_id: int, type_id: int) -> None:
    """Give it another type."""
    tx.execute(
        "UPDATE artifact_collection SET type_id = %s, updated_at = now() WHERE id = %s",
        (type_id, collection_id),
    )


def delete_collection(tx: Transaction, collection_id: int) -> None:
    """Forget it, its versions and links to them; also when it is gone already."""
    tx.execute("DELETE FROM artifact_collection WHERE id = %s", (collection_id,))


def change_collection_tags(
    tx: Transaction, collection_id: int, add: Sequence[str], remove: Sequence[str]
) -> None:
    """Add and remove tags; what is there, or gone, already stays so. The order is that of adding."""
    tx.execute(
        "UPDATE artifact_collection SET updated_at = now(), tags = ARRAY(SELECT tag FROM unnest("
        "tags || ARRAY(SELECT n FROM unnest(%(add)s::text[]) n WHERE n <> ALL(tags))) AS tag"
        " WHERE tag <> ALL(%(remove)s::text[])) WHERE id = %(id)s",
        {"id": collection_id, "add": list(add), "remove": list(remove)},
    )


def remember_sequence(tx: Transaction, team_id: int, client_id: str, collection_id: int) -> None:
    """Note the id under which a client knows the sequence; the first one to say it holds."""
    tx.execute(
        "INSERT INTO artifact_client (team_id, client_id, collection_id) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (team_id, client_id, collection_id),
    )
