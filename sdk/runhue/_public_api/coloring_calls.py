"""Calls that read and set the colors of one workspace."""

from collections.abc import Sequence

import msgspec

from runhue._public_api.coloring import Coloring, ColoringPage, whole_coloring
from runhue._public_api.exchange import Call, Request, decode, exchange, fetch, get, quoted, submit
from runhue._public_api.problems import problem_error
from runhue_shared.coloring.settings import ColorSettings, parse_settings, settings_as_json

PAGE_RUNS = 5_000
NAMES_PER_REQUEST = 100
RESTARTS = 5
GONE = 410


class WorkspacePath(msgspec.Struct, frozen=True):
    """Where a workspace is: its id, and its project for what belongs to the project."""

    id: int
    team: str
    project: str

    @property
    def url(self) -> str:
        return f"/api/v1/workspaces/{self.id}"

    @property
    def project_url(self) -> str:
        return project_url(self.team, self.project)


class SettingsInForce(msgspec.Struct, frozen=True):
    """A workspace's color settings.

    `revision` counts changes; `version` is the first version of the colors they apply to; `etag` names the
    revision to a conditional change.
    """

    settings: ColorSettings
    revision: int
    version: int
    etag: str


class _SettingsAnswer(msgspec.Struct):
    settings: dict[str, object]
    settings_rev: int
    version: int


class _Probe(msgspec.Struct):
    version: int
    settings_rev: int


class _NamedRun(msgspec.Struct):
    id: str
    name: str


class _NamedRuns(msgspec.Struct):
    runs: list[_NamedRun]


def project_url(team: str, project: str) -> str:
    """Path of a project."""
    return f"/api/v1/projects/{quoted(team)}/{quoted(project)}"


def coloring_call(path: WorkspacePath) -> Call[Coloring]:
    """All pages of one version; starts again when that version goes away between two pages.

    Raises:
        RunhueError: `version_gone` after `RESTARTS` attempts, or as for `exchange`.
    """
    for restart in range(RESTARTS):
        pages: list[ColoringPage] = []
        after: str | None = None
        while True:
            pinned = pages[0].version if pages else None
            request = get(f"{path.url}/coloring", limit=PAGE_RUNS, after=after, version=pinned)
            response = yield from exchange(request, accept=(GONE,))
            if response.status == GONE:
                break
            pages.append(decode(response.body, ColoringPage, strict=True))
            after = pages[-1].next
            if after is None:
                return whole_coloring(pages)
        if restart == RESTARTS - 1:
            raise problem_error(response.status, response.headers, response.body)
    raise AssertionError("the last restart returns or raises")


def probe_call(path: WorkspacePath) -> Call[tuple[int, int]]:
    """Version and settings revision that the workspace is at."""
    probe = yield from fetch(_Probe, get(f"{path.url}/coloring", limit=1))
    return probe.version, probe.settings_rev


def run_names_call(path: WorkspacePath, run_ids: Sequence[str]) -> Call[dict[str, str]]:
    """Names by id; runs deleted meanwhile are absent."""
    names: dict[str, str] = {}
    for start in range(0, len(run_ids), NAMES_PER_REQUEST):
        some = run_ids[start : start + NAMES_PER_REQUEST]
        wanted = msgspec.json.encode({"id": {"$in": some}}).decode()
        found = yield from fetch(
            _NamedRuns, get(f"{path.project_url}/runs", filter=wanted, limit=NAMES_PER_REQUEST)
        )
        names.update((run.id, run.name) for run in found.runs)
    return names


def settings_call(path: WorkspacePath) -> Call[SettingsInForce]:
    """The color settings with the revision that a change must name."""
    return (yield from _settings(get(f"{path.url}/coloring/settings")))


def set_settings_call(path: WorkspacePath, settings: ColorSettings, etag: str) -> Call[SettingsInForce]:
    """Replace the color settings if they are still those of `etag`; "*" replaces any.

    Raises:
        RunhueError: `settings_changed`: somebody else changed them; `invalid_settings`, with the field.
    """
    content = settings_as_json(settings)
    return (yield from _settings(submit("PUT", f"{path.url}/coloring/settings", content, {"If-Match": etag})))


def _settings(request: Request) -> Call[SettingsInForce]:
    response = yield from exchange(request)
    answer = decode(response.body, _SettingsAnswer, strict=True)
    return SettingsInForce(
        parse_settings(answer.settings),
        answer.settings_rev,
        answer.version,
        response.headers.get("etag", "*"),
    )
