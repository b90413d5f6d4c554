"""Files of runs: paths that name stored bytes, or named them until they expired."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.db.blobs import Blob


class RunFile(NamedTuple):
    """A file of a run; `sha256` has 32 bytes, `md5` 16."""

    id: int
    run_id: int
    path: str
    sha256: bytes
    md5: bytes
    size: int
    mimetype: str
    updated_at: datetime


class RunNames(NamedTuple):
    """A run's number and the names by which it is addressed."""

    id: int
    team_id: int
    team: str
    project: str
    public_id: str


_FILE = (
    "SELECT f.id, f.run_id, f.path, f.sha256, b.md5, f.size, f.mimetype, f.updated_at"
    " FROM run_file f JOIN blob b ON b.team_id = f.team_id AND b.sha256 = f.sha256"
)


def put(tx: Transaction, team_id: int, run_id: int, path: str, blob: Blob, mimetype: str) -> bool:
    """Have the run's path name these bytes from now on; False when the team has no such run any more.

    Raises:
        psycopg.errors.ForeignKeyViolation: the blob is not noted as stored.
    """
    done = tx.execute(
        "INSERT INTO run_file (run_id, team_id, path, sha256, size, mimetype)"
        " SELECT r.id, r.team_id, %(path)s, %(sha256)s, %(size)s, %(mimetype)s FROM run r"
        " WHERE r.id = %(run)s AND r.team_id = %(team)s AND r.deleted_at IS NULL"
        " ON CONFLICT (run_id, path) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size,"
        " mimetype = excluded.mimetype, updated_at = now(), expired_at = NULL",
        {
            "run": run_id,
            "team": team_id,
            "path": path,
            "sha256": blob.sha256,
            "size": blob.size,
            "mimetype": mimetype,
        },
    )
    return done.rowcount == 1


def names_of_run(tx: Transaction, run_id: int) -> RunNames:
    """The names of a run that is there."""
    row = tx.execute(
        "SELECT r.id, r.team_id, t.name, p.name, r.public_id FROM run r JOIN team t ON t.id = r.team_id"
        " JOIN project p ON p.id = r.project_id WHERE r.id = %s",
        (run_id,),
    ).fetchall()[0]
    return RunNames(*row)


def find(tx: Transaction, run_id: int, path: str) -> RunFile | None:
    """The run's file at that path; None also when it expired."""
    with tx.cursor(row_factory=class_row(RunFile)) as cursor:
        cursor.execute(f"{_FILE} WHERE f.run_id = %s AND f.path = %s", (run_id, path))
        return cursor.fetchone()


def expired_at(tx: Transaction, run_id: int, path: str) -> datetime | None:
    """When the file's bytes went because media are kept for a time only; None when they did not."""
    row = tx.execute(
        "SELECT expired_at FROM run_file WHERE run_id = %s AND path = %s", (run_id, path)
    ).fetchone()
    return None if row is None else row[0]


def page(
    tx: Transaction,
    run_id: int,
    limit: int,
    after: str = "",
    *,
    prefix: str = "",
    names: Collection[str] | None = None,
    like: str | None = None,
) -> list[RunFile]:
    """Up to `limit` files of a run in the code-point order of their paths, from behind the path `after`.

    Only those that begin with `prefix`, are among `names` and fit the SQL pattern `like`, when given. What
    expired is left out.
    """
    with tx.cursor(row_factory=class_row(RunFile)) as cursor:
        cursor.execute(
            f"{_FILE} WHERE f.run_id = %(run)s AND f.path > %(after)s AND starts_with(f.path, %(prefix)s)"
            " AND coalesce(f.path = ANY(%(names)s), true) AND coalesce(f.path LIKE %(like)s, true)"
            " ORDER BY f.path LIMIT %(limit)s",
            {
                "run": run_id,
                "after": after,
                "prefix": prefix,
                "names": None if names is None else list(names),
                "like": like,
                "limit": limit,
            },
        )
        return cursor.fetchall()


def count(tx: Transaction, run_id: int) -> int:
    """How many files the run has, without those that expired."""
    row = tx.execute(
        "SELECT count(*) FROM run_file WHERE run_id = %s AND sha256 IS NOT NULL", (run_id,)
    ).fetchall()[0]
    return int(row[0])


def remove(tx: Transaction, run_id: int, path: str) -> bool:
    """Take the path from the run; its bytes stay. False when there was none."""
    return tx.execute("DELETE FROM run_file WHERE run_id = %s AND path = %s", (run_id, path)).rowcount == 1


def remove_numbered(
    tx: Transaction, team_ids: Collection[int], file_ids: Collection[int], project_id: int | None = None
) -> int:
    """Take files from runs by their numbers, those of the teams and of the project only; returns how many."""
    done = tx.execute(
        "DELETE FROM run_file f USING run r WHERE f.id = ANY(%s) AND f.team_id = ANY(%s)"
        " AND r.id = f.run_id AND coalesce(r.project_id = %s, true)",
        (list(file_ids), list(team_ids), project_id),
    )
    return done.rowcount
