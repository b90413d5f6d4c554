"""Calls that read and change projects and runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runhue._errors import UsageError
from runhue._public_api.coloring_calls import project_url
from runhue._public_api.exchange import Call, decode, exchange, fetch, get, quoted, submit
from runhue._public_api.records import (
    Alert,
    AlertList,
    ConsoleLine,
    ConsolePage,
    Health,
    Project,
    ProjectMetric,
    ProjectMetricPage,
    ProjectPage,
    RunMetric,
    RunMetricList,
    RunPage,
    RunRecord,
    Server,
    Viewer,
)

CONSOLE_PAGE = 1_000


class RunPath(msgspec.Struct, frozen=True):
    """Where a run is."""

    team: str
    project: str
    id: str

    @property
    def url(self) -> str:
        return f"{project_url(self.team, self.project)}/runs/{quoted(self.id)}"


def listed(runs: Sequence[str]) -> str:
    """Ids of runs as the API takes several: with commas, or as JSON where an id could be misread.

    Raises:
        UsageError: something else than ids came, such as one id alone, whose letters would be taken.
    """
    if (
        not isinstance(runs, Sequence)
        or isinstance(runs, str)
        or not all(isinstance(run, str) for run in runs)
    ):
        raise UsageError(f'runs must be a list of ids, such as ["x7k2m9qd"], got {runs!r:.100}')
    if any("," in run or run.startswith("[") for run in runs):
        return json.dumps(list(runs))
    return ",".join(runs)


class RunQuery(msgspec.Struct, frozen=True):
    """Which runs of a project, in which order. Source: docs/api.md, "Filter language"."""

    filters: Mapping[str, Any] = {}  # values of the filter language
    search: str | None = None
    order: str = "-created_at"
    columns: str | None = "*"


def server_call() -> Call[Server]:
    """The server's version and addresses; needs no key."""
    return (yield from fetch(Server, get("/api/v1/server")))


def viewer_call() -> Call[Viewer]:
    """Who the key is."""
    return (yield from fetch(Viewer, get("/api/v1/viewer")))


def projects_call() -> Call[list[Project]]:
    """Every project of the key's team."""
    projects: list[Project] = []
    cursor: str | int | None = None
    while True:
        page = yield from fetch(ProjectPage, get("/api/v1/projects", cursor=cursor))
        projects += page.projects
        cursor = page.next
        if cursor is None:
            return projects


def project_call(team: str, project: str) -> Call[Project]:
    """One project, with its default workspace."""
    return (yield from fetch(Project, get(project_url(team, project))))


def create_project_call(name: str) -> Call[Project]:
    """Make a project in the key's team.

    Raises:
        ServerRefused: `project_exists`, or the name is not allowed.
    """
    response = yield from exchange(submit("POST", "/api/v1/projects", {"name": name}))
    return decode(response.body, Project)


def project_metrics_call(team: str, project: str, search: str | None) -> Call[list[ProjectMetric]]:
    """Every metric that a run of the project logged; `search` is a part of the name."""
    metrics: list[ProjectMetric] = []
    cursor: str | int | None = None
    while True:
        request = get(f"{project_url(team, project)}/metrics", search=search, cursor=cursor)
        page = yield from fetch(ProjectMetricPage, request)
        metrics += page.metrics
        cursor = page.next
        if cursor is None:
            return metrics


def run_page_call(
    team: str, project: str, query: RunQuery, limit: int, cursor: str | int | None
) -> Call[RunPage]:
    """One page of runs."""
    filters = msgspec.json.encode(query.filters).decode() if query.filters else None
    request = get(
        f"{project_url(team, project)}/runs",
        filter=filters,
        search=query.search,
        order=query.order,
        columns=query.columns,
        limit=limit,
        cursor=cursor,
    )
    return (yield from fetch(RunPage, request))


def run_call(path: RunPath) -> Call[RunRecord]:
    """One run, whole."""
    return (yield from fetch(RunRecord, get(path.url)))


def change_run_call(path: RunPath, changes: Mapping[str, object]) -> Call[None]:
    """Change attributes, config or summary of a run."""
    yield from exchange(submit("PATCH", path.url, changes))


def delete_run_call(path: RunPath) -> Call[None]:
    """Delete a run; one that is deleted already stays so."""
    yield from exchange(submit("DELETE", path.url, {}))


def stop_run_call(path: RunPath) -> Call[None]:
    """Ask the processes that write to a run to stop."""
    yield from exchange(submit("POST", f"{path.url}/stop", {}))


def run_metrics_call(path: RunPath, stream: str | None) -> Call[list[RunMetric]]:
    """The metrics of a run; `stream` "system" gives those of its machine."""
    listed = yield from fetch(RunMetricList, get(f"{path.url}/metrics", stream=stream))
    return listed.metrics


def health_call(path: RunPath) -> Call[Health]:
    """What ingest made of a run."""
    return (yield from fetch(Health, get(f"{path.url}/health")))


def alerts_call(path: RunPath) -> Call[list[Alert]]:
    """The alerts of a run."""
    listed = yield from fetch(AlertList, get(f"{path.url}/alerts"))
    return listed.alerts


def console_call(path: RunPath, tail: int | None) -> Call[list[ConsoleLine]]:
    """What a run printed: every line, or its last `tail`."""
    if tail is not None:
        page = yield from fetch(ConsolePage, get(f"{path.url}/console", tail=tail))
        return page.lines
    lines: list[ConsoleLine] = []
    after: str | int | None = None
    while True:
        page = yield from fetch(ConsolePage, get(f"{path.url}/console", after=after, limit=CONSOLE_PAGE))
        lines += page.lines
        after = page.next
        if after is None:
            return lines
