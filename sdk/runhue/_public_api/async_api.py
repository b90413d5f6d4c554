"""`AsyncApi`: `Api` for asyncio. The rules are in the calls, which both share; these classes await them."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runhue._public_api.address import DEFAULT_TIMEOUT, server_address
from runhue._public_api.chart_calls import (
    chart_call,
    charts_call,
    create_preset_call,
    delete_preset_call,
    preset_call,
    presets_call,
    replace_preset_call,
    runs_chart_call,
)
from runhue._public_api.chart_records import Chart, ChartInfo, ChartPreset, PresetEdit, RunsChart
from runhue._public_api.edited_values import EditedValues
from runhue._public_api.file_calls import file_call, files_call, store_file_call, upload_file_call
from runhue._public_api.files import AsyncFile
from runhue._public_api.gateway_calls import GatewayUnknown, gateway_unknown_call
from runhue._public_api.histograms import COLUMNS, ROWS, HistogramQuery, Histograms, histograms_call
from runhue._public_api.history_calls import Row, Scan, merged_rows, row_page_call, series_call
from runhue._public_api.key_calls import (
    ApiKey,
    create_key_call,
    keys_call,
    revoke_key_call,
    rotate_key_call,
)
from runhue._public_api.media import AsyncMedium
from runhue._public_api.media_calls import (
    MediaQuery,
    media_call,
    media_keys_call,
    media_steps_call,
    summary_media_call,
)
from runhue._public_api.media_records import MediaKey, MediaSteps
from runhue._public_api.names import in_project, in_run, located
from runhue._public_api.nonblocking import AsyncTransport
from runhue._public_api.records import (
    ConsoleLine,
    Health,
    Project,
    ProjectMetric,
    RunMetric,
    RunRecord,
    Server,
    Viewer,
)
from runhue._public_api.run_calls import (
    RunPath,
    RunQuery,
    change_run_call,
    console_call,
    delete_run_call,
    health_call,
    project_call,
    project_metrics_call,
    projects_call,
    run_call,
    run_metrics_call,
    run_page_call,
    server_call,
    stop_run_call,
    viewer_call,
)
from runhue._public_api.stored_run import StoredRun
from runhue._public_api.tables import AsyncRunTable
from runhue._public_api.tables_calls import TableAt, TableKey, table_call, table_keys_call
from runhue._public_api.workspace_calls import workspace_call, workspaces_call
from runhue._public_api.workspaces import AsyncWorkspace


class AsyncRun(StoredRun):
    """A run as it was when it was read. Methods are those of `Run`; `update()` also sends `summary`."""

    def __init__(self, transport: AsyncTransport, record: RunRecord) -> None:
        super().__init__(record)
        self._transport = transport
        self.summary = EditedValues(record.summary)

    async def refresh(self) -> "AsyncRun":
        """Read the run again, forgetting edits that were not sent."""
        self._take(await self._transport.run(run_call(self.path)))
        self.summary = EditedValues(self.record.summary)
        return self

    async def update(self) -> None:
        """Send the changed attributes, config and summary, ahead of it the files that it names."""
        for path, content in self.summary.files.contents.items():
            await self._transport.run(store_file_call(self.path, path, content))
        changes = {**self.changes(), **self.summary.edits("summary")}
        if changes:
            await self._transport.run(change_run_call(self.path, changes))
            self.changes_sent()
            self.summary.sent()

    async def history(
        self,
        samples: int = 1000,
        keys: Sequence[str] | None = None,
        from_: int | None = None,
        to: int | None = None,
    ) -> list[Row]:
        """As `Run.history`."""
        return merged_rows(await self._transport.run(series_call(self.path, keys, from_, to, samples)))

    async def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> AsyncIterator[Row]:
        """As `Run.scan_history`."""
        scan, after = Scan(keys, page_size, min_step, max_step), None
        while True:
            page = await self._transport.run(row_page_call(self.path, scan, after))
            for row in page.rows:
                yield row
            if page.next is None:
                return
            after = int(page.next)

    async def metrics(self) -> list[RunMetric]:
        """As `Run.metrics`."""
        return await self._transport.run(run_metrics_call(self.path, None))

    async def health(self) -> Health:
        """As `Run.health`."""
        return await self._transport.run(health_call(self.path))

    async def console(self, tail: int | None = None) -> list[ConsoleLine]:
        """As `Run.console`."""
        return await self._transport.run(console_call(self.path, tail))

    async def files(self, prefix: str | None = None) -> list[AsyncFile]:
        """As `Run.files`."""
        records = await self._transport.run(files_call(self.path, prefix))
        return [AsyncFile(self._transport, self.path, record) for record in records]

    async def file(self, path: str) -> AsyncFile:
        """As `Run.file`."""
        return AsyncFile(self._transport, self.path, await self._transport.run(file_call(self.path, path)))

    async def upload_file(
        self, path: str | os.PathLike[str], root: str | os.PathLike[str] = "."
    ) -> AsyncFile:
        """As `Run.upload_file`."""
        record = await self._transport.run(upload_file_call(self.path, Path(path), Path(root)))
        return AsyncFile(self._transport, self.path, record)

    async def media_keys(self) -> list[MediaKey]:
        """As `Run.media_keys`."""
        return await self._transport.run(media_keys_call(self.path))

    async def media(
        self, key: str, from_step: int | None = None, to_step: int | None = None, index: int | None = None
    ) -> list[AsyncMedium]:
        """As `Run.media`."""
        query = MediaQuery(key, from_step, to_step, index)
        records = await self._transport.run(media_call(self.team, self.project, [self.id], query))
        return [AsyncMedium(self._transport, self.path, record) for record in records]

    async def charts(self) -> Sequence[ChartInfo]:
        """As `Run.charts`."""
        return await self._transport.run(charts_call(self.path))

    async def chart(self, key: str, step: int | None = None) -> Chart:
        """As `Run.chart`."""
        return await self._transport.run(chart_call(self.path, key, step))

    async def histograms(
        self,
        key: str,
        from_step: int | None = None,
        to_step: int | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
    ) -> Histograms:
        """As `Run.histograms`."""
        query = HistogramQuery(key, from_step, to_step, columns, rows)
        return await self._transport.run(histograms_call(self.team, self.project, [self.id], query))

    async def summary_media(self) -> list[AsyncMedium]:
        """As `Run.summary_media`."""
        records = await self._transport.run(summary_media_call(self.path))
        return [AsyncMedium(self._transport, self.path, record) for record in records]

    async def tables(self) -> list[TableKey]:
        """As `Run.tables`."""
        return await self._transport.run(table_keys_call(self.path))

    async def table(self, key: str, step: int | None = None, index: int = 0) -> AsyncRunTable:
        """As `Run.table`."""
        at = TableAt(key, step, index)
        return AsyncRunTable(
            self._transport, self.path, at, await self._transport.run(table_call(self.path, at))
        )

    async def stop(self) -> None:
        """As `Run.stop`."""
        await self._transport.run(stop_run_call(self.path))

    async def delete(self) -> None:
        """As `Run.delete`."""
        await self._transport.run(delete_run_call(self.path))


class AsyncApi:
    """Read and change what a server has stored, with asyncio. Arguments are those of `Api`."""

    def __init__(
        self, base_url: str | None = None, api_key: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._transport = AsyncTransport(server_address(base_url, api_key, timeout))

    @property
    def base_url(self) -> str:
        return self._transport.server.base_url

    async def server(self) -> Server:
        """The server's version, addresses and limits."""
        return await self._transport.run(server_call())

    async def viewer(self) -> Viewer:
        """Team and scopes of the API key."""
        return await self._transport.run(viewer_call())

    async def gateway_unknown(self) -> list[GatewayUnknown]:
        """What wandb clients asked for and this server does not know; needs a key with scope admin."""
        return await self._transport.run(gateway_unknown_call())

    async def keys(self) -> list[ApiKey]:
        """The team's keys, the newest first; needs a key with scope admin, as the other calls on keys."""
        return await self._transport.run(keys_call())

    async def create_key(
        self,
        name: str,
        scopes: Sequence[str],
        project: str | None = None,
        expires_in_days: float | None = None,
    ) -> str:
        """Make a key with some of the scopes ingest, read and admin; this is the only time it is shown."""
        return await self._transport.run(create_key_call(name, scopes, project, expires_in_days))

    async def rotate_key(self, key_id: int, overlap_hours: float = 24) -> str:
        """Make a key in another's place; the old one goes on for `overlap_hours`."""
        return await self._transport.run(rotate_key_call(key_id, overlap_hours))

    async def revoke_key(self, key_id: int) -> None:
        """Refuse a key; again is fine."""
        await self._transport.run(revoke_key_call(key_id))

    async def projects(self) -> list[Project]:
        """Every project of the key's team."""
        return await self._transport.run(projects_call())

    async def project(self, project: str) -> Project:
        """One project."""
        return await self._transport.run(in_project(project, project_call))

    async def metrics(self, project: str, search: str | None = None) -> list[ProjectMetric]:
        """The metrics that runs of the project logged."""
        call = in_project(project, lambda team, name: project_metrics_call(team, name, search))
        return await self._transport.run(call)

    async def run(self, run: str) -> AsyncRun:
        """The run "team/project/id"."""
        return AsyncRun(self._transport, await self._transport.run(in_run(run, run_call)))

    async def runs(
        self,
        project: str,
        filters: Mapping[str, Any] | None = None,
        order: str = "-created_at",
        per_page: int = 50,
        search: str | None = None,
    ) -> AsyncIterator[AsyncRun]:
        """The runs of a project, for `async for`; arguments are those of `Api.runs`."""
        query = RunQuery(filters or {}, search, order)
        team, name = await self._transport.run(in_project(project, located))
        cursor: str | int | None = None
        while True:
            page = await self._transport.run(run_page_call(team, name, query, per_page, cursor))
            for record in page.runs:
                yield AsyncRun(self._transport, record)
            cursor = page.next
            if cursor is None:
                return

    async def media(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
        index: int | None = None,
    ) -> list[AsyncMedium]:
        """As `Api.media`."""
        team, name = await self._transport.run(in_project(project, located))
        query = MediaQuery(key, from_step, to_step, index)
        records = await self._transport.run(media_call(team, name, runs, query))
        return [AsyncMedium(self._transport, RunPath(team, name, one.run_id), one) for one in records]

    async def histograms(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
    ) -> Histograms:
        """As `Api.histograms`."""
        team, name = await self._transport.run(in_project(project, located))
        query = HistogramQuery(key, from_step, to_step, columns, rows)
        return await self._transport.run(histograms_call(team, name, runs, query))

    async def media_steps(
        self,
        project: str,
        key: str,
        runs: Sequence[str],
        from_step: int | None = None,
        to_step: int | None = None,
    ) -> MediaSteps:
        """As `Api.media_steps`."""
        team, name = await self._transport.run(in_project(project, located))
        return await self._transport.run(
            media_steps_call(team, name, runs, MediaQuery(key, from_step, to_step))
        )

    async def workspaces(self, project: str) -> list[AsyncWorkspace]:
        """The workspaces of a project."""
        records = await self._transport.run(in_project(project, workspaces_call))
        return [AsyncWorkspace(self._transport, record) for record in records]

    async def workspace(self, project: str, name: str | None = None) -> AsyncWorkspace:
        """A project's workspace of that name; the default one when None."""
        call = in_project(project, lambda team, in_team: workspace_call(team, in_team, name))
        return AsyncWorkspace(self._transport, await self._transport.run(call))

    async def chart(self, project: str, key: str, runs: Sequence[str], step: int | None = None) -> RunsChart:
        """As `Api.chart`."""
        team, name = await self._transport.run(in_project(project, located))
        return await self._transport.run(runs_chart_call(team, name, key, runs, step))

    async def chart_presets(self, team: str | None = None) -> list[ChartPreset]:
        """As `Api.chart_presets`."""
        return await self._transport.run(presets_call(team))

    async def chart_preset(self, preset: str) -> ChartPreset:
        """As `Api.chart_preset`."""
        return await self._transport.run(preset_call(preset))

    async def create_chart_preset(
        self,
        name: str,
        spec: Mapping[str, Any],
        title: str = "",
        description: str = "",
        team: str | None = None,
    ) -> ChartPreset:
        """As `Api.create_chart_preset`."""
        edit = PresetEdit(spec, title, description)
        return await self._transport.run(create_preset_call(team, name, edit))

    async def update_chart_preset(
        self, preset: str, spec: Mapping[str, Any], title: str = "", description: str = ""
    ) -> ChartPreset:
        """As `Api.update_chart_preset`."""
        return await self._transport.run(replace_preset_call(preset, PresetEdit(spec, title, description)))

    async def delete_chart_preset(self, preset: str) -> None:
        """As `Api.delete_chart_preset`."""
        await self._transport.run(delete_preset_call(preset))

    async def close(self) -> None:
        """Close the connections; watches that are open end."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
