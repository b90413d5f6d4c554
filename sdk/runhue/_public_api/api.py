"""`Api`: read and change what a server has stored."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from runhue._public_api.address import DEFAULT_TIMEOUT, server_address
from runhue._public_api.blocking import BlockingTransport
from runhue._public_api.chart_calls import (
    create_preset_call,
    delete_preset_call,
    preset_call,
    presets_call,
    replace_preset_call,
    runs_chart_call,
)
from runhue._public_api.chart_records import ChartPreset, PresetEdit, RunsChart
from runhue._public_api.gateway_calls import GatewayUnknown, gateway_unknown_call
from runhue._public_api.histograms import COLUMNS, ROWS, HistogramQuery, Histograms, histograms_call
from runhue._public_api.key_calls import (
    ApiKey,
    create_key_call,
    keys_call,
    revoke_key_call,
    rotate_key_call,
)
from runhue._public_api.media import Medium
from runhue._public_api.media_calls import MediaQuery, media_call, media_steps_call
from runhue._public_api.media_records import MediaSteps
from runhue._public_api.names import in_project, in_run, located
from runhue._public_api.records import ColorKeyEntry, Project, ProjectMetric, Server, Viewer
from runhue._public_api.run_calls import (
    RunPath,
    RunQuery,
    create_project_call,
    project_call,
    project_metrics_call,
    projects_call,
    run_call,
    server_call,
    viewer_call,
)
from runhue._public_api.runs import Run, Runs
from runhue._public_api.workspace_calls import (
    color_keys_call,
    create_workspace_call,
    workspace_call,
    workspaces_call,
)
from runhue._public_api.workspaces import Workspace


class Api:
    """Read and change what a server has stored.

        api = runhue.Api()
        best = api.runs("team/project", filters={"summary.acc": {"$gt": 0.9}}, order="-summary.acc")[0]

    Args:
        base_url: the server's address; RUNHUE_BASE_URL or the one logged in to when None.
        api_key: RUNHUE_API_KEY or the one stored by `runhue login` when None.
        timeout: seconds that one answer may take.

    Names are "team/project" and "team/project/run"; without a team it is that of the key.
    Every method raises a `RunhueError` when the server refuses or cannot be reached.
    """

    def __init__(
        self, base_url: str | None = None, api_key: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._transport = BlockingTransport(server_address(base_url, api_key, timeout))

    @property
    def base_url(self) -> str:
        return self._transport.server.base_url

    def server(self) -> Server:
        """The server's version, addresses and limits."""
        return self._transport.run(server_call())

    def viewer(self) -> Viewer:
        """Team and scopes of the API key."""
        return self._transport.run(viewer_call())

    def gateway_unknown(self) -> list[GatewayUnknown]:
        """What wandb clients asked for and this server does not know; needs a key with scope admin."""
        return self._transport.run(gateway_unknown_call())

    def keys(self) -> list[ApiKey]:
        """The team's keys, the newest first; needs a key with scope admin, as the other calls on keys."""
        return self._transport.run(keys_call())

    def create_key(
        self,
        name: str,
        scopes: Sequence[str],
        project: str | None = None,
        expires_in_days: float | None = None,
    ) -> str:
        """Make a key with some of the scopes ingest, read and admin; this is the only time it is shown."""
        return self._transport.run(create_key_call(name, scopes, project, expires_in_days))

    def rotate_key(self, key_id: int, overlap_hours: float = 24) -> str:
        """Make a key in another's place; the old one goes on for `overlap_hours`."""
        return self._transport.run(rotate_key_call(key_id, overlap_hours))

    def revoke_key(self, key_id: int) -> None:
        """Refuse a key; again is fine."""
        self._transport.run(revoke_key_call(key_id))

    def projects(self) -> list[Project]:
        """Every project of the key's team."""
        return self._transport.run(projects_call())

    def project(self, project: str) -> Project:
        """One project."""
        return self._transport.run(in_project(project, project_call))

    def create_project(self, name: str) -> Project:
        """A new project of the key's team."""
        return self._transport.run(create_project_call(name))

    def metrics(self, project: str, search: str | None = None) -> list[ProjectMetric]:
        """The metrics that runs of the project logged; `search` is a part of the name."""
        call = in_project(project, lambda team, name: project_metrics_call(team, name, search))
        return self._transport.run(call)

    def color_keys(self, project: str, search: str | None = None) -> list[ColorKeyEntry]:
        """What runs can be colored by."""
        call = in_project(project, lambda team, name: color_keys_call(team, name, search))
        return self._transport.run(call)

    def run(self, run: str) -> Run:
        """The run "team/project/id"."""
        return Run(self._transport, self._transport.run(in_run(run, run_call)))

    def runs(
        self,
        project: str,
        filters: Mapping[str, Any] | None = None,
        order: str = "-created_at",
        per_page: int = 50,
        search: str | None = None,
    ) -> Runs:
        """The runs of a project, read in pages when they are asked for.

        Args:
            project: "team/project".
            filters: the filter language of docs/api.md, e.g. `{"config.lr": {"$lt": 0.1}}`.
            order: `created_at`, `name`, `state`, `duration`, `heartbeat_at`, `config.<key>` or
                `summary.<key>`, with `-` first for the greatest first.
            per_page: runs per request, 1 or more.
            search: regular expression on name and id.
        """
        team, name = self._transport.run(in_project(project, located))
        return Runs(self._transport, team, name, RunQuery(filters or {}, search, order), per_page)

    def media(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
        index: int | None = None,
    ) -> list[Medium]:
        """What several runs of a project logged under a key: by step, then by run, then by place in a list.

        Args:
            project: "team/project".
            runs: ids, in the order in which they are to be beside each other; at most 50.
            from_step, to_step: first and last step, both included.
            index: of lists only the one at this place.
        """
        team, name = self._transport.run(in_project(project, located))
        query = MediaQuery(key, from_step, to_step, index)
        records = self._transport.run(media_call(team, name, runs, query))
        return [Medium(self._transport, RunPath(team, name, one.run_id), one) for one in records]

    def histograms(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
    ) -> Histograms:
        """As `Run.histograms`, of several runs on one grid of values."""
        team, name = self._transport.run(in_project(project, located))
        query = HistogramQuery(key, from_step, to_step, columns, rows)
        return self._transport.run(histograms_call(team, name, runs, query))

    def media_steps(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
    ) -> MediaSteps:
        """The steps at which some of the runs logged media under a key; arguments are those of `media`."""
        team, name = self._transport.run(in_project(project, located))
        return self._transport.run(media_steps_call(team, name, runs, MediaQuery(key, from_step, to_step)))

    def workspaces(self, project: str) -> list[Workspace]:
        """The workspaces of a project."""
        records = self._transport.run(in_project(project, workspaces_call))
        return [Workspace(self._transport, record) for record in records]

    def workspace(self, project: str, name: str | None = None) -> Workspace:
        """A project's workspace of that name; the default one when None."""
        call = in_project(project, lambda team, in_team: workspace_call(team, in_team, name))
        return Workspace(self._transport, self._transport.run(call))

    def create_workspace(
        self, project: str, name: str, filters: Mapping[str, Any] | None = None, search: str | None = None
    ) -> Workspace:
        """A new workspace that shows the runs that pass `filters` and `search`."""
        call = in_project(
            project, lambda team, in_team: create_workspace_call(team, in_team, name, filters, search)
        )
        return Workspace(self._transport, self._transport.run(call))

    def chart(self, project: str, key: str, runs: Sequence[str], step: int | None = None) -> RunsChart:
        """A custom chart of several runs in one, as `Run.chart`; rows carry the runs' ids and names."""
        team, name = self._transport.run(in_project(project, located))
        return self._transport.run(runs_chart_call(team, name, key, runs, step))

    def chart_presets(self, team: str | None = None) -> list[ChartPreset]:
        """Presets of custom charts without their specs: the built-in ones, and the team's own."""
        return self._transport.run(presets_call(team))

    def chart_preset(self, preset: str) -> ChartPreset:
        """One preset with its spec; its id is wandb/line/v0 or the like, or team/name."""
        return self._transport.run(preset_call(preset))

    def create_chart_preset(
        self,
        name: str,
        spec: Mapping[str, Any],
        title: str = "",
        description: str = "",
        team: str | None = None,
    ) -> ChartPreset:
        """Make a preset that charts of the team can name as team/name.

        Args:
            spec: Vega or Vega-Lite, with the chart's rows as the data source `wandb`; `${field:x}` is a
                column that charts name, `${string:title}` a text.
        Raises:
            ServerRefused: there is one of that name, or the spec cannot be one: `field` is the place in it.
        """
        edit = PresetEdit(spec, title, description)
        return self._transport.run(create_preset_call(team, name, edit))

    def update_chart_preset(
        self, preset: str, spec: Mapping[str, Any], title: str = "", description: str = ""
    ) -> ChartPreset:
        """Change the team's preset of that id; charts that name it are drawn by the new one."""
        return self._transport.run(replace_preset_call(preset, PresetEdit(spec, title, description)))

    def delete_chart_preset(self, preset: str) -> None:
        """Delete the team's preset of that id; charts that name it have no spec then."""
        self._transport.run(delete_preset_call(preset))

    def close(self) -> None:
        """Close the connections; watches that are open end."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
