"""Files by the names of their run: who may, which run, and what is at a path. Everything here blocks."""

from collections.abc import Collection
from dataclasses import replace

from runhue_server.storage import uploads
from runhue_server.storage.problems import FileExpired, FileNotFound
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import Transaction, keys, projects, run_files, runs
from runhue_shared.db.keys import Principal
from runhue_shared.db.run_files import RunFile


def in_team(tx: Transaction, principal: Principal, entity: str | None) -> Principal:
    """The key's holder as a member of the team; None or '' is the key's own.

    Raises:
        NotFound: there is no such team, or the key does not reach it.
    """
    if not entity or entity == principal.team_name:
        return principal
    team = keys.team_reached(tx, principal.key_id, entity)
    if team is None:
        raise NotFound(f"entity {entity!r} is not there, or the API key does not reach it", field="entity")
    return replace(principal, team_id=team.id, team_name=team.name)


def run_number(principal: Principal, entity: str | None, project: str, run: str) -> tuple[int, int]:
    """(the run's internal number, its team's).

    Raises:
        NotFound: the team, the project or the run is not there for the key.
    """
    with db.transaction() as tx:
        member = in_team(tx, principal, entity)
        project_id = None if "\0" in project else projects.project_id(tx, member.team_id, project)
        if project_id is None or not member.reaches(project_id):
            raise NotFound(f"no project {project!r} for this key", field="project")
        number = {} if "\0" in run else runs.run_ids_named(tx, project_id, [run])
    if not number:
        raise NotFound(f"no run {run!r} in project {project!r}", field="run")
    return number[run], member.team_id


def take_over_uploads(team_id: int, run_id: int, paths: Collection[str] | None = None) -> None:
    """Have what a run's clients put at the object store be files of the run; of `paths` only, when given.

    Raises:
        Unavailable: the object store is away.
    """
    uploads.adopt(team_id, uploads.run_owner(run_id), paths)


def file_of_run(team_id: int, run_id: int, path: str) -> RunFile:
    """A run's file; what came to the object store for it is taken over first.

    Raises:
        FileNotFound: the run has none at that path.
        FileExpired: it had one, of media that its project keeps for a time only.
    """
    if "\0" not in path:
        take_over_uploads(team_id, run_id, [path])
        with db.transaction() as tx:
            file = run_files.find(tx, run_id, path)
            expired_at = None if file is not None else run_files.expired_at(tx, run_id, path)
        if file is not None:
            return file
        if expired_at is not None:
            raise FileExpired(
                f"the file {path[:200]!r} expired on {expired_at:%Y-%m-%d}: its project keeps media for"
                " `media_retention_days` after a run's end",
                field="path",
                fix="keep media longer with PATCH .../settings, or log the file again",
            )
    raise FileNotFound(f"the run has no file {path[:200]!r}", field="path", fix="list the run's files")
