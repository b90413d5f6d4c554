"""A workspace: which runs it shows, and how they are colored."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec

from runhue._public_api.blocking import BlockingTransport, ColoringUpdates
from runhue._public_api.coloring import Coloring
from runhue._public_api.coloring_calls import (
    SettingsInForce,
    WorkspacePath,
    coloring_call,
    set_settings_call,
    settings_call,
)
from runhue._public_api.nonblocking import AsyncColoringUpdates, AsyncTransport
from runhue._public_api.records import WorkspaceRecord
from runhue._public_api.watching import ColoringWatch
from runhue_shared.coloring.settings import ColorSettings, parse_settings, settings_as_json


class StoredWorkspace:
    """Attributes of a workspace, common to both APIs."""

    def __init__(self, record: WorkspaceRecord) -> None:
        self.record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.team}/{self.project} {self.name!r}>"

    @property
    def path(self) -> WorkspacePath:
        return WorkspacePath(self.record.id, self.record.team, self.record.project)

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def team(self) -> str:
        return self.record.team

    @property
    def project(self) -> str:
        return self.record.project


class Workspace(StoredWorkspace):
    """A workspace of a project.

    Every method raises a `RunhueError` when the server refuses or cannot be reached.
    """

    def __init__(self, transport: BlockingTransport, record: WorkspaceRecord) -> None:
        super().__init__(record)
        self._transport = transport
        self._seen: SettingsInForce | None = None

    @property
    def color_settings(self) -> ColorSettings:
        """The settings in force now; `set_color_settings` replaces them only if they are still these."""
        self._seen = self._transport.run(settings_call(self.path))
        return self._seen.settings

    def set_color_settings(
        self, settings: ColorSettings | None = None, *, force: bool = False, **changes: Any
    ) -> SettingsInForce:
        """Replace the color settings, or change some fields of them.

            workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y="max", buckets=6)

        Args:
            settings: complete settings; those last read with `color_settings` when None.
            force: set them even if somebody else changed them meanwhile.
            changes: fields of `ColorSettings` and their new values; `key` and `range` also as mappings.
        Returns:
            The settings in force, and the version of the colors from which on they are.
        Raises:
            SettingsChanged: somebody else changed them since they were last read here.
            InvalidSettings: a field is unknown or malformed, or contradicts another.
        """
        if self._seen is None:
            self._seen = self._transport.run(settings_call(self.path))
        wanted = changed_settings(settings or self._seen.settings, changes)
        etag = "*" if force else self._seen.etag
        self._seen = self._transport.run(set_settings_call(self.path, wanted, etag))
        return self._seen

    def coloring(self) -> Coloring:
        """Legend and every run's color, all of one version."""
        return self._transport.run(coloring_call(self.path))

    def watch(self) -> ColoringUpdates:
        """Every published version of the colors, from the present one on, for as long as it is iterated.

        A version is whole: its legend and all its runs' colors belong together. Versions that come faster
        than they are taken are applied one by one; after a lost connection those between may be skipped.
        """
        return ColoringUpdates(self._transport, ColoringWatch(self.path, monotonic).steps())

    async def acoloring(self) -> Coloring:
        """As `coloring`, without blocking the event loop."""
        transport = AsyncTransport(self._transport.server)
        try:
            return await transport.run(coloring_call(self.path))
        finally:
            await transport.close()

    def awatch(self) -> AsyncColoringUpdates:
        """As `watch`, for `async for`."""
        transport = AsyncTransport(self._transport.server)
        return AsyncColoringUpdates(
            transport, ColoringWatch(self.path, monotonic).steps(), owns_transport=True
        )


class AsyncWorkspace(StoredWorkspace):
    """A workspace of a project, for asyncio. Methods are those of `Workspace`."""

    def __init__(self, transport: AsyncTransport, record: WorkspaceRecord) -> None:
        super().__init__(record)
        self._transport = transport
        self._seen: SettingsInForce | None = None

    async def color_settings(self) -> ColorSettings:
        """The color settings in force now."""
        self._seen = await self._transport.run(settings_call(self.path))
        return self._seen.settings

    async def set_color_settings(
        self, settings: ColorSettings | None = None, *, force: bool = False, **changes: Any
    ) -> SettingsInForce:
        """As `Workspace.set_color_settings`."""
        if self._seen is None:
            self._seen = await self._transport.run(settings_call(self.path))
        wanted = changed_settings(settings or self._seen.settings, changes)
        etag = "*" if force else self._seen.etag
        self._seen = await self._transport.run(set_settings_call(self.path, wanted, etag))
        return self._seen

    async def coloring(self) -> Coloring:
        """Legend and every run's color, all of one version."""
        return await self._transport.run(coloring_call(self.path))

    def watch(self) -> AsyncColoringUpdates:
        """Every published version of the colors; iterate over it with `async for`."""
        return AsyncColoringUpdates(self._transport, ColoringWatch(self.path, monotonic).steps())


def changed_settings(settings: ColorSettings, changes: Mapping[str, Any]) -> ColorSettings:
    """The settings with some fields replaced.

    Raises:
        InvalidSettings: a field is unknown or malformed, or contradicts another.
    """
    if not changes:
        return settings
    fields = {name: msgspec.to_builtins(value) for name, value in changes.items()}
    return parse_settings({**settings_as_json(settings), **fields})
