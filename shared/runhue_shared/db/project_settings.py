"""What a project is set to: how long media are kept, and what logged HTML may do."""

from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction

LONGEST_RETENTION_DAYS = 36_500


class ProjectSettings(NamedTuple):
    """`media_retention_days`: how long media stay after a run's end, None for ever. `html_network`: whether
    HTML that runs log may load from other servers."""

    media_retention_days: int | None
    html_network: bool


def read(tx: Transaction, project_id: int) -> ProjectSettings:
    """The settings of a project that is there."""
    with tx.cursor(row_factory=class_row(ProjectSettings)) as cursor:
        cursor.execute("SELECT media_retention_days, html_network FROM project WHERE id = %s", (project_id,))
        return cursor.fetchall()[0]


def write(tx: Transaction, project_id: int, wanted: ProjectSettings) -> None:
    """Replace the project's settings."""
    tx.execute(
        "UPDATE project SET media_retention_days = %s, html_network = %s WHERE id = %s",
        (*wanted, project_id),
    )


def lock(tx: Transaction, project_id: int) -> None:
    """Nobody else changes the settings until the transaction ends."""
    tx.execute("SELECT 1 FROM project WHERE id = %s FOR NO KEY UPDATE", (project_id,))


def expire_media(tx: Transaction, limit: int) -> int:
    """Take the bytes of up to `limit` media files whose time is over; returns how many.

    That is so when both the run's end and the file's last change are as long ago as the project keeps media.
    """
    done = tx.execute(
        "UPDATE run_file d SET sha256 = NULL, expired_at = now() FROM ("
        "  SELECT f.run_id, f.path FROM project p"
        "  JOIN run r ON r.project_id = p.id AND r.deleted_at IS NULL"
        "  JOIN run_file f ON f.run_id = r.id AND f.sha256 IS NOT NULL"
        "  WHERE p.media_retention_days IS NOT NULL AND f.path >= 'media/' AND f.path < 'media0'"
        "  AND r.state NOT IN ('pending', 'running', 'preempting')"
        "  AND greatest(coalesce(r.finished_at, r.heartbeat_at), f.updated_at)"
        "   < now() - make_interval(days => p.media_retention_days)"
        "  LIMIT %s FOR UPDATE OF f SKIP LOCKED) AS old"
        " WHERE (d.run_id, d.path) = (old.run_id, old.path)",
        (limit,),
    )
    return done.rowcount
