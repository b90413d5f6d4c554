"""Projects of a team, with what goes on in them."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from runhue_shared.db import Transaction


class Project(NamedTuple):
    """A project. Deleted runs are not counted; `last_activity` is the last sign of life of any run."""

    id: int
    team: str
    name: str
    created_at: datetime
    runs: int
    running: int
    last_activity: datetime | None


_PROJECT = (
    "SELECT p.id, t.name AS team, p.name, p.created_at, coalesce(a.runs, 0) AS runs,"
    " coalesce(a.running, 0) AS running, a.last_activity"
    " FROM project p JOIN team t ON t.id = p.team_id"
    " LEFT JOIN LATERAL (SELECT count(*) AS runs, count(*) FILTER (WHERE r.state = 'running') AS running,"
    "  max(r.heartbeat_at) AS last_activity FROM run r"
    "  WHERE r.project_id = p.id AND r.deleted_at IS NULL) a ON true"
)


def projects_of_team(
    tx: Transaction, team_id: int, limit: int, after: str = "", only: int | None = None
) -> list[Project]:
    """Up to `limit` projects in the code-point order of their names, from behind the name `after`.

    `only` is the id of the one project to look at, None for all.
    """
    with tx.cursor(row_factory=class_row(Project)) as cursor:
        cursor.execute(
            _PROJECT + ' WHERE p.team_id = %s AND p.name COLLATE "C" > %s AND coalesce(p.id = %s, true)'
            ' ORDER BY p.name COLLATE "C" LIMIT %s',
            (team_id, after, only, limit),
        )
        return cursor.fetchall()


def project_named(tx: Transaction, team_id: int, name: str) -> Project | None:
    """The team's project of that name, or None."""
    with tx.cursor(row_factory=class_row(Project)) as cursor:
        cursor.execute(_PROJECT + " WHERE p.team_id = %s AND p.name = %s", (team_id, name))
        return cursor.fetchone()


def project_id(tx: Transaction, team_id: int, name: str) -> int | None:
    """The id of the team's project of that name, or None; cheaper than `project_named`."""
    row = tx.execute("SELECT id FROM project WHERE team_id = %s AND name = %s", (team_id, name)).fetchone()
    return None if row is None else int(row[0])


def create_project(tx: Transaction, team_id: int, name: str) -> bool:
    """Make the project; False when the team has it already."""
    done = tx.execute(
        "INSERT INTO project (team_id, name) VALUES (%s, %s) ON CONFLICT (team_id, name) DO NOTHING",
        (team_id, name),
    )
    return done.rowcount == 1


class MetricTypes(NamedTuple):
    """A metric of a project, with how many runs have it of which type. `folded` is its place in lists."""

    folded: str
    name: str
    types: dict[str, int]


def metrics_of_project(
    tx: Transaction, project_id: int, part: str, limit: int, after: str = ""
) -> list[MetricTypes]:
    """Up to `limit` metrics that undeleted runs logged, by casefolded name, from behind `after`.

    `part` is contained in the casefolded name.
    """
    rows = tx.execute(
        "WITH page AS (SELECT m.id, m.folded, m.name FROM metric m"
        "  WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded > %(after)s"
        "  AND position(%(part)s IN m.folded) > 0 AND EXISTS (SELECT 1 FROM run_metric l"
        "   JOIN run r ON r.id = l.run_id AND r.deleted_at IS NULL WHERE l.metric_id = m.id)"
        "  ORDER BY m.folded LIMIT %(limit)s)"
        " SELECT p.folded, p.name, l.type, count(*) FROM page p JOIN run_metric l ON l.metric_id = p.id"
        " JOIN run r ON r.id = l.run_id AND r.deleted_at IS NULL"
        " GROUP BY p.folded, p.name, l.type ORDER BY p.folded, count(*) DESC, l.type",
        {"project": project_id, "after": after, "part": part.casefold(), "limit": limit},
    )
    found: dict[str, MetricTypes] = {}
    for folded, name, type_, runs in rows:
        found.setdefault(folded, MetricTypes(folded, name, {})).types[type_] = runs
    return list(found.values())
