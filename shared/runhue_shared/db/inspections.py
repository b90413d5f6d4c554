"""What is known of media bytes, and the queue of those that nobody looked at yet."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction
from runhue_shared.media_kinds import Claim, Kind

MAX_REASON_LENGTH = 500

BYTES_LOST = "bytes_lost"
"""The code of those whose bytes the store does not have."""


class Waiting(NamedTuple):
    """Bytes to look at; `attempts` counts this one, `size` is bytes."""

    team_id: int
    sha256: bytes
    kind: Kind
    format: str
    attempts: int
    size: int


class Made(NamedTuple):
    """A blob that was made of a blob: `made` is its SHA-256 (32 bytes), `size` bytes."""

    name: str
    made: bytes
    size: int
    mimetype: str


class Inspection(NamedTuple):
    """What is known. `facts`: JSON, when ready; `code` and `reason`: when refused."""

    sha256: bytes
    kind: Kind
    state: str
    facts: str | None
    code: str | None
    reason: str | None


def want(
    tx: Transaction, team_id: int, claims: Collection[tuple[bytes, Claim]], *, stored: bool = False
) -> bool:
    """Have these blobs inspected, those that were not; True when a worker should be woken for it.

    `stored` says that the bytes were just stored: those that were found lost before are looked at then.

    Raises:
        psycopg.errors.ForeignKeyViolation: a blob is not noted as stored.
    """
    if not claims:
        return False
    done = tx.execute(
        "INSERT INTO inspection (team_id, sha256, kind, format)"
        " SELECT %s, * FROM (SELECT DISTINCT ON (c.sha, c.kind) c.sha, c.kind, c.format"
        "  FROM unnest(%s::bytea[], %s::text[], %s::text[]) AS c (sha, kind, format)"
        "  ORDER BY c.sha, c.kind) AS claim"
        " ON CONFLICT (team_id, sha256, kind) DO UPDATE SET state = 'waiting', code = NULL, reason = NULL,"
        "  attempts = 0, due_at = now(), done_at = NULL"
        "  WHERE %s AND inspection.state = 'refused' AND inspection.code = %s",
        (
            team_id,
            [sha256 for sha256, _ in claims],
            [claim.kind for _, claim in claims],
            [claim.format for _, claim in claims],
            stored,
            BYTES_LOST,
        ),
    )
    return done.rowcount > 0


def take(tx: Transaction, limit: int, lease: float, *, left_over: bool = False) -> list[Waiting]:
    """Up to `limit` due inspections, the teams in turn; nobody else gets them for `lease` seconds.

    Every team gets its turn, however much another one has waiting. Those of which an attempt led to nothing
    are `left_over`, and come only when asked for.
    """
    with tx.cursor(row_factory=class_row(_Taken)) as cursor:
        cursor.execute(
            "WITH turn AS (SELECT w.*, row_number() OVER (PARTITION BY w.team_id ORDER BY w.due_at) AS place"
            "  FROM team t, LATERAL (SELECT i.team_id, i.sha256, i.kind, i.due_at FROM inspection i"
            "   WHERE i.team_id = t.id AND i.state = 'waiting' AND (i.attempts > 0) = %(left_over)s"
            "   AND i.due_at <= now() ORDER BY i.due_at LIMIT %(limit)s) AS w),"
            " due AS (SELECT i.team_id, i.sha256, i.kind, turn.place, turn.due_at FROM inspection i"
            "  JOIN (SELECT * FROM turn ORDER BY place, due_at LIMIT %(limit)s) AS turn"
            "  USING (team_id, sha256, kind)"
            "  WHERE i.state = 'waiting' AND i.due_at <= now() FOR UPDATE OF i SKIP LOCKED)"
            " UPDATE inspection i SET attempts = i.attempts + 1,"
            "  due_at = now() + make_interval(secs => %(lease)s)"
            " FROM due, blob b WHERE (i.team_id, i.sha256, i.kind) = (due.team_id, due.sha256, due.kind)"
            " AND (b.team_id, b.sha256) = (i.team_id, i.sha256)"
            " RETURNING due.place, due.due_at, i.team_id, i.sha256, i.kind, i.format, i.attempts, b.size",
            {"left_over": left_over, "limit": limit, "lease": lease},
        )
        taken = sorted(cursor, key=lambda row: (row.place, row.due_at))
    return [Waiting(row.team_id, row.sha256, row.kind, row.format, row.attempts, row.size) for row in taken]


class _Taken(NamedTuple):
    place: int
    due_at: datetime
    team_id: int
    sha256: bytes
    kind: Kind
    format: str
    attempts: int
    size: int


def hold(tx: Transaction, jobs: Sequence[Waiting], lease: float) -> None:
    """Nobody else gets these inspections for another `lease` seconds."""
    tx.execute(
        "UPDATE inspection i SET due_at = now() + make_interval(secs => %s)"
        " FROM unnest(%s::int[], %s::bytea[], %s::text[]) AS held (team_id, sha256, kind)"
        " WHERE (i.team_id, i.sha256, i.kind) = (held.team_id, held.sha256, held.kind)"
        " AND i.state = 'waiting'",
        (
            lease,
            [job.team_id for job in jobs],
            [job.sha256 for job in jobs],
            [job.kind for job in jobs],
        ),
    )


def is_due(tx: Transaction) -> bool:
    """Whether some inspection waits that nobody works on."""
    row = tx.execute(
        "SELECT EXISTS (SELECT FROM team t, (VALUES (false), (true)) AS l (left_over),"
        " LATERAL (SELECT FROM inspection i WHERE i.team_id = t.id AND i.state = 'waiting'"
        "  AND (i.attempts > 0) = l.left_over AND i.due_at <= now() LIMIT 1) AS w)"
    ).fetchall()[0]
    return bool(row[0])


def finish(tx: Transaction, job: Waiting, facts: str, made: Sequence[Made]) -> bool:
    """Note what was found and made; False when somebody did so before. The blobs of `made` are noted."""
    done = tx.execute(
        "UPDATE inspection SET state = 'ready', facts = %s, done_at = now()"
        " WHERE team_id = %s AND sha256 = %s AND kind = %s AND state = 'waiting'",
        (facts, job.team_id, job.sha256, job.kind),
    )
    if done.rowcount == 0:
        return False
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO rendition (team_id, sha256, kind, name, made, size, mimetype)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (team_id, sha256, kind, name) DO UPDATE"
            " SET made = excluded.made, size = excluded.size, mimetype = excluded.mimetype",
            [(job.team_id, job.sha256, job.kind, one.name, one.made, one.size, one.mimetype) for one in made],
        )
    return True


def refuse(tx: Transaction, job: Waiting, code: str, reason: str) -> bool:
    """Note why the bytes are not shown; False when something was noted before."""
    done = tx.execute(
        "UPDATE inspection SET state = 'refused', code = %s, reason = %s, done_at = now()"
        " WHERE team_id = %s AND sha256 = %s AND kind = %s AND state = 'waiting'",
        (code, reason.replace("\0", "\ufffd")[:MAX_REASON_LENGTH], job.team_id, job.sha256, job.kind),
    )
    return done.rowcount > 0


def give_back(tx: Transaction, job: Waiting, seconds: float, *, counts: bool = False) -> None:
    """Let the inspection be taken again after some seconds.

    Nothing is wrong with the bytes, as far as is known; when the attempt `counts`, they may have ended the
    process that looked at them.
    """
    tx.execute(
        "UPDATE inspection SET due_at = now() + make_interval(secs => %s), attempts = attempts - %s"
        " WHERE team_id = %s AND sha256 = %s AND kind = %s AND state = 'waiting' AND attempts > 0",
        (seconds, 0 if counts else 1, job.team_id, job.sha256, job.kind),
    )


def of_blobs(tx: Transaction, team_id: int, hashes: Collection[bytes]) -> dict[tuple[bytes, str], Inspection]:
    """What is known of blobs, by (sha256, kind); those that nobody asked for are absent."""
    with tx.cursor(row_factory=class_row(Inspection)) as cursor:
        cursor.execute(
            "SELECT sha256, kind, state, facts, code, reason FROM inspection"
            " WHERE team_id = %s AND sha256 = ANY(%s)",
            (team_id, list(hashes)),
        )
        return {(found.sha256, found.kind): found for found in cursor}


def renditions(
    tx: Transaction, team_id: int, hashes: Collection[bytes]
) -> dict[tuple[bytes, str], dict[str, Made]]:
    """What was made of blobs, by (sha256, kind) and then by name."""
    found: dict[tuple[bytes, str], dict[str, Made]] = {}
    rows = tx.execute(
        "SELECT sha256, kind, name, made, size, mimetype FROM rendition"
        " WHERE team_id = %s AND sha256 = ANY(%s) ORDER BY name",
        (team_id, list(hashes)),
    )
    for sha256, kind, *made in rows:
        one = Made(*made)
        found.setdefault((sha256, kind), {})[one.name] = one
    return found
