"""A run that is there, as starting a writer leaves it."""

from typing import NamedTuple

from runhue_shared import db
from runhue_shared.db import keys, projects, writers
from runhue_shared.db.writers import NewRun
from runhue_shared.settings import Settings


class LoggedRun(NamedTuple):
    """Numbers of a run, its names, and a key of its team."""

    id: int
    team_id: int
    team: str
    project: str
    name: str
    key: str


def log_run(settings: Settings, team: str = "main", project: str = "digits", run: str = "r1") -> LoggedRun:
    """Make a run, its team and project when they are new, and a key."""
    with db.transaction() as tx:
        team_id = keys.team_id(tx, team)
        projects.create_project(tx, team_id, project)
        project_id = projects.project_id(tx, team_id, project)
        assert project_id is not None
        writers.insert_run(
            tx, NewRun(team_id, project_id, run, 0, run, 1_700_000_000.0, None, None, None, [], "{}")
        )
        started = writers.lock_run(tx, project_id, run)
        assert started is not None
        key = keys.create(tx, team_id, "test", ["ingest", "read"], keys.pepper(settings))
    return LoggedRun(started.id, team_id, team, project, run, key)
