"""Names as users write them: "team/project", "team/project/run", or without the team."""

from collections.abc import Callable
from typing import TypeVar

from runhue._errors import UsageError
from runhue._public_api.exchange import Call
from runhue._public_api.run_calls import RunPath, viewer_call

Result = TypeVar("Result")


def in_project(project: str, call: Callable[[str, str], Call[Result]]) -> Call[Result]:
    """The call for a project's team and name; a project without a team is the key's team's.

    Raises:
        UsageError: the name is not of the form "team/project".
    """
    *team, name = _parts(project, "team/project", 2)
    owner = team[0] if team else (yield from viewer_call()).team
    return (yield from call(owner, name))


def in_run(run: str, call: Callable[[RunPath], Call[Result]]) -> Call[Result]:
    """The call for the run "team/project/id" or "project/id".

    Raises:
        UsageError: the name is not of that form.
    """
    *project, run_id = _parts(run, "team/project/run", 3)
    if not project:
        raise UsageError(f"{run!r} names no project: write team/project/run")
    return (yield from in_project("/".join(project), lambda team, name: call(RunPath(team, name, run_id))))


def located(team: str, project: str) -> Call[tuple[str, str]]:
    """Team and name of a project, without asking for more."""
    yield from ()
    return team, project


def _parts(name: str, form: str, most: int) -> list[str]:
    parts = name.strip("/").split("/")
    if len(parts) > most or not all(parts):
        raise UsageError(f"{name!r} is not of the form {form}")
    return parts
