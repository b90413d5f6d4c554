"""Artifacts: from the wish of a client to a committed version with a number and aliases."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction

State = Literal["PENDING", "COMMITTED", "DELETED"]
Direction = Literal["input", "output"]


TTL_INHERITED = -1
"""The time to live of an artifact that says none itself."""


class Artifact(NamedTuple):
    """An artifact with the names that lead to it; `version` is its number in its own sequence.

    `digest` is hex, `metadata` JSON, `size` bytes, `manifest` the SHA-256 of the stored list of files.
    `ttl_seconds`: -1 as the collection says, -2 never. `run` is the public id of the run that logged it.
    """

    id: int
    team_id: int
    team: str
    project_id: int
    project: str
    collection_id: int
    collection: str
    type: str
    state: State
    version: int | None
    digest: str
    description: str | None
    metadata: str | None
    ttl_seconds: int
    tags: list[str]
    run_id: int | None
    run: str | None
    history_step: int | None
    size: int
    file_count: int
    manifest: bytes | None
    manifest_size: int | None
    created_at: datetime
    updated_at: datetime


class Wish(NamedTuple):
    """What a client wants to log. Both client ids are of its own choice; '' when it gave none."""

    digest: str
    client_id: str
    sequence_client_id: str
    distributed_id: str | None
    description: str | None
    metadata: str | None
    ttl_seconds: int
    tags: list[str]
    aliases: list[str]
    run_id: int | None
    history_step: int | None


class Edit(NamedTuple):
    """Changes of an artifact's own attributes; None leaves one as it is."""

    description: str | None = None
    metadata: str | None = None
    ttl_seconds: int | None = None
    tags_to_add: Sequence[str] = ()
    tags_to_remove: Sequence[str] = ()


class Reach(NamedTuple):
    """The teams that a key is good for, and the one project when it is good for no other."""

    team_ids: Sequence[int]
    project_id: int | None


_ARTIFACT = (
    "SELECT a.id, a.team_id, t.name AS team, a.project_id, p.name AS project, a.collection_id,"
    " c.name AS collection, y.name AS type, a.state, m.version, a.digest, a.description, a.metadata,"
    " a.ttl_seconds, a.tags, a.run_id, r.public_id AS run, a.history_step, a.size, a.file_count, a.manifest,"
    " b.size AS manifest_size, a.created_at, a.updated_at"
    " FROM artifact a JOIN artifact_collection c ON c.id = a.collection_id"
    " JOIN artifact_type y ON y.id = c.type_id JOIN project p ON p.id = a.project_id"
    " JOIN team t ON t.id = a.team_id LEFT JOIN run r ON r.id = a.run_id"
    " LEFT JOIN artifact_membership m ON m.collection_id = a.collection_id AND m.artifact_id = a.id"
    " LEFT JOIN blob b ON b.team_id = a.team_id AND b.sha256 = a.manifest"
)


def artifact(tx: Transaction, artifact_id: int) -> Artifact | None:
    """The artifact of that id, of whichever team, in whichever state."""
    with tx.cursor(row_factory=class_row(Artifact)) as cursor:
        cursor.execute(_ARTIFACT + " WHERE a.id = %s", (artifact_id,))
        return cursor.fetchone()


def artifacts(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, Artifact]:
    """Artifacts by id, of those that are there."""
    with tx.cursor(row_factory=class_row(Artifact)) as cursor:
        cursor.execute(_ARTIFACT + " WHERE a.id = ANY(%s)", (list(artifact_ids),))
        return {found.id: found for found in cursor}


def lock_artifact(tx: Transaction, artifact_id: int) -> Artifact | None:
    """`artifact`, and nobody else changes it until the transaction ends."""
    tx.execute("SELECT 1 FROM artifact WHERE id = %s FOR UPDATE", (artifact_id,))
    return artifact(tx, artifact_id)


def known_to_client(tx: Transaction, project_id: int, client_id: str) -> int | None:
    """What became of the project's artifact that a client calls so."""
    row = tx.execute(
        "SELECT k.artifact_id FROM artifact_client k JOIN artifact a ON a.id = k.artifact_id"
        " JOIN project p ON p.id = a.project_id"
        " WHERE p.id = %s AND k.team_id = p.team_id AND k.client_id = %s",
        (project_id, client_id),
    ).fetchone()
    return None if row is None else row[0]


def remember_client(tx: Transaction, team_id: int, client_id: str, artifact_id: int) -> None:
    """Note what an artifact is called by a client; the first one to say it holds."""
    tx.execute(
        "INSERT INTO artifact_client (team_id, client_id, artifact_id) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (team_id, client_id, artifact_id),
    )


def clients_artifact(tx: Transaction, team_ids: Sequence[int], client_id: str) -> int | None:
    """The artifact that a client of one of the teams calls so; of a sequence's id, its newest version."""
    row = tx.execute(
        "SELECT coalesce(k.artifact_id, (SELECT l.artifact_id FROM artifact_alias l"
        "  WHERE l.collection_id = k.collection_id AND l.alias = 'latest'))"
        " FROM artifact_client k WHERE k.team_id = ANY(%s) AND k.client_id = %s",
        (list(team_ids), client_id),
    ).fetchone()
    return None if row is None else row[0]


def pending_part(tx: Transaction, collection_id: int, distributed_id: str) -> int | None:
    """The artifact that several clients are logging together under that id."""
    row = tx.execute(
        "SELECT id FROM artifact WHERE collection_id = %s AND distributed_id = %s AND state = 'PENDING'",
        (collection_id, distributed_id),
    ).fetchone()
    return None if row is None else int(row[0])


def insert_pending(tx: Transaction, team_id: int, project_id: int, collection_id: int, wish: Wish) -> int:
    """The id of a new artifact of the sequence that waits for its files."""
    row = tx.execute(
        "INSERT INTO artifact (team_id, project_id, collection_id, digest, distributed_id, description,"
        " metadata, ttl_seconds, tags, wanted_aliases, run_id, history_step)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            team_id,
            project_id,
            collection_id,
            wish.digest,
            wish.distributed_id,
            wish.description,
            wish.metadata,
            wish.ttl_seconds,
            wish.tags,
            wish.aliases,
            wish.run_id,
            wish.history_step,
        ),
    ).fetchall()[0]
    return int(row[0])


def want_aliases(tx: Transaction, artifact_id: int, aliases: Sequence[str]) -> None:
    """Have a pending artifact get these aliases too."""
    tx.execute(
        "UPDATE artifact SET wanted_aliases = wanted_aliases ||"
        " ARRAY(SELECT n FROM unnest(%s::text[]) n WHERE n <> ALL(wanted_aliases)) WHERE id = %s",
        (list(aliases), artifact_id),
    )


def set_content(
    tx: Transaction, artifact_id: int, digest: str, manifest: bytes, size: int, file_count: int
) -> None:
    """Make a pending artifact a committed one."""
    tx.execute(
        "UPDATE artifact SET state = 'COMMITTED', digest = %s, manifest = %s, size = %s, file_count = %s,"
        " committed_at = now(), updated_at = now() WHERE id = %s",
        (digest, manifest, size, file_count, artifact_id),
    )


def wanted_aliases(tx: Transaction, artifact_id: int) -> list[str]:
    """The aliases that a pending artifact is to get."""
    row = tx.execute("SELECT wanted_aliases FROM artifact WHERE id = %s", (artifact_id,)).fetchone()
    return [] if row is None else row[0]


def edit(tx: Transaction, artifact_id: int, change: Edit) -> None:
    """Change attributes; tags keep the order in which they were added."""
    tx.execute(
        "UPDATE artifact SET description = coalesce(%(description)s, description),"
        " metadata = coalesce(%(metadata)s, metadata), ttl_seconds = coalesce(%(ttl)s, ttl_seconds),"
        " tags = ARRAY(SELECT tag FROM unnest(tags || ARRAY(SELECT n FROM unnest(%(add)s::text[]) n"
        "  WHERE n <> ALL(tags))) AS tag WHERE tag <> ALL(%(remove)s::text[])),"
        " updated_at = now() WHERE id = %(id)s",
        {
            "id": artifact_id,
            "description": change.description,
            "metadata": change.metadata,
            "ttl": change.ttl_seconds,
            "add": list(change.tags_to_add),
            "remove": list(change.tags_to_remove),
        },
    )


def delete(tx: Transaction, artifact_id: int) -> None:
    """Forget the content; the row stays, so that a run still tells that it made one. Idempotent.

    The artifact must have left its collections.
    """
    tx.execute("DELETE FROM artifact_file WHERE artifact_id = %s", (artifact_id,))
    tx.execute("DELETE FROM artifact_manifest WHERE artifact_id = %s", (artifact_id,))
    tx.execute("DELETE FROM artifact_client WHERE artifact_id = %s", (artifact_id,))
    tx.execute(
        "UPDATE artifact SET state = 'DELETED', manifest = NULL, updated_at = now() WHERE id = %s",
        (artifact_id,),
    )


def expired(tx: Transaction, limit: int) -> list[int]:
    """Up to `limit` artifacts whose time is over."""
    rows = tx.execute(
        "SELECT id FROM artifact WHERE state = 'COMMITTED' AND ttl_seconds > 0"
        " AND extract(epoch FROM now() - committed_at) > ttl_seconds ORDER BY id LIMIT %s",
        (limit,),
    )
    return [artifact_id for (artifact_id,) in rows]


def record_use(
    tx: Transaction,
    team_id: int,
    run_id: int,
    artifact_id: int,
    direction: Direction,
    used_as: str | None = None,
) -> None:
    """Note that the run reads or writes the artifact; saying it again changes nothing."""
    tx.execute(
        "INSERT INTO run_artifact (team_id, run_id, artifact_id, direction, used_as)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (team_id, run_id, artifact_id, direction, used_as),
    )


def artifacts_of_run(
    tx: Transaction,
    run_id: int,
    direction: Direction,
    limit: int,
    after: int,
    within: Reach,
) -> list[Artifact]:
    """Up to `limit` committed artifacts that the run reads or writes, by id, from behind the id `after`.

    A run may read what other projects made: those outside of `within` are left out.
    """
    # The ids first: with one table more Postgres would join all artifacts before it looks at the run.
    rows = tx.execute(
        "SELECT a.id FROM run_artifact u JOIN artifact a ON a.id = u.artifact_id WHERE u.run_id = %s"
        " AND u.direction = %s AND a.id > %s AND a.state = 'COMMITTED'"
        " AND a.team_id = ANY(%s) AND coalesce(a.project_id = %s, true) ORDER BY a.id LIMIT %s",
        (run_id, direction, after, *within, limit),
    )
    found = artifacts(tx, [artifact_id for (artifact_id,) in rows])
    return [found[artifact_id] for artifact_id in sorted(found)]


def made_by_run_only(tx: Transaction, run_id: int, limit: int) -> list[int]:
    """Up to `limit` committed artifacts that the run logged, and no other run that is still there."""
    rows = tx.execute(
        "SELECT a.id FROM run_artifact u JOIN artifact a ON a.id = u.artifact_id WHERE u.run_id = %s"
        " AND u.direction = 'output' AND a.state = 'COMMITTED' AND NOT EXISTS ("
        "  SELECT 1 FROM run_artifact o JOIN run r ON r.id = o.run_id AND r.deleted_at IS NULL"
        "  WHERE o.artifact_id = a.id AND o.direction = 'output' AND o.run_id <> u.run_id)"
        " ORDER BY a.id LIMIT %s",
        (run_id, limit),
    )
    return [artifact_id for (artifact_id,) in rows]


def count_artifacts_of_run(tx: Transaction, run_id: int, direction: Direction, within: Reach) -> int:
    """How many committed artifacts of `within` the run reads or writes."""
    row = tx.execute(
        "SELECT count(*) FROM run_artifact u JOIN artifact a ON a.id = u.artifact_id"
        " WHERE u.run_id = %s AND u.direction = %s AND a.state = 'COMMITTED' AND a.team_id = ANY(%s)"
        " AND coalesce(a.project_id = %s, true)",
        (run_id, direction, *within),
    ).fetchall()[0]
    return int(row[0])


class RunName(NamedTuple):
    """A run with the names that lead to it."""

    id: int
    public_id: str
    project_id: int
    project: str
    team: str


def runs_of_artifact(
    tx: Transaction, artifact_id: int, direction: Direction, limit: int, within: Reach
) -> list[RunName]:
    """Up to `limit` undeleted runs of `within` that read or wrote the artifact, the newest first."""
    with tx.cursor(row_factory=class_row(RunName)) as cursor:
        cursor.execute(
            "SELECT r.id, r.public_id, r.project_id, p.name AS project, t.name AS team FROM run_artifact u"
            " JOIN run r ON r.id = u.run_id AND r.deleted_at IS NULL JOIN project p ON p.id = r.project_id"
            " JOIN team t ON t.id = r.team_id WHERE u.artifact_id = %s AND u.direction = %s"
            " AND r.team_id = ANY(%s) AND coalesce(r.project_id = %s, true) ORDER BY r.id DESC LIMIT %s",
            (artifact_id, direction, *within, limit),
        )
        return cursor.fetchall()
