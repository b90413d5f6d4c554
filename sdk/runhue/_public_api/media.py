"""Media that runs logged: what is known of them, and their bytes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runhue._public_api.blocking import BlockingTransport
from runhue._public_api.media_calls import download_medium_call, read_medium_call, read_rendition_call
from runhue._public_api.media_records import (
    LayerRecord,
    MediaFileRecord,
    MediumRecord,
    RenditionRecord,
    State,
)
from runhue._public_api.nonblocking import AsyncTransport
from runhue._public_api.run_calls import RunPath


class StoredMediaFile:
    """What the server says of a file that a logged value names; common to all classes here."""

    def __init__(self, run: RunPath, record: MediaFileRecord) -> None:
        self._run = run
        self._record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} ({self.state})>"

    @property
    def path(self) -> str | None:
        """Among the run's files; None when the logged value itself is all, such as a histogram."""
        return self._record.path

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self._record.size

    @property
    def sha256(self) -> str | None:
        """Hash of the bytes, in hex."""
        return self._record.sha256

    @property
    def mimetype(self) -> str | None:
        return self._record.mimetype

    @property
    def url(self) -> str | None:
        """Where a browser may show the bytes, for a day or more, without a key. It may be without a host."""
        return self._record.url

    @property
    def state(self) -> State:
        """Whether it can be shown, and what it lacks: see `media_records.State`."""
        return self._record.state

    @property
    def code(self) -> str | None:
        """Why it is refused, as a stable name."""
        return self._record.code

    @property
    def reason(self) -> str | None:
        """Why it is refused, in words."""
        return self._record.reason

    @property
    def facts(self) -> Mapping[str, Any]:  # by kind
        """What the server found out of its bytes, by kind: docs/media.md. Empty until it is looked at."""
        return self._record.facts or {}


class StoredLayer(StoredMediaFile):
    """A mask or a group of boxes over an image."""

    def __init__(self, run: RunPath, record: LayerRecord) -> None:
        super().__init__(run, record)
        self.labels: Mapping[str, Any] = record.labels
        """Names of classes by id."""


class StoredMedium(StoredMediaFile):
    """One medium: where it was logged, and as what."""

    def __init__(self, run: RunPath, record: MediumRecord) -> None:
        super().__init__(run, record)
        self.run_id = record.run_id
        self.key = record.key
        self.step = record.step
        """None in the summary."""
        self.index = record.index
        """Its place in the list that was logged, 0 without one."""
        self.type = record.type
        """Such as "image-file"."""
        self.kind = record.kind
        """Such as "image" or "points"."""
        self.caption = record.caption
        self.value: Mapping[str, Any] = record.value
        """As it was logged."""


class Rendition:
    """Bytes that the server made of a file, such as its thumbnail."""

    def __init__(self, transport: BlockingTransport, record: RenditionRecord) -> None:
        self._transport = transport
        self.record = record

    def read(self) -> bytes:
        """Its bytes."""
        return self._transport.run(read_rendition_call(self._transport.server.base_url, self.record))


class _Readable(StoredMediaFile):
    """A file whose bytes can be read. Every method raises a `RunhueError` when the server refuses."""

    _transport: BlockingTransport

    @property
    def renditions(self) -> dict[str, Rendition]:
        """What the server made of it, by name: thumbnail, poster, peaks, preview, ..."""
        return {name: Rendition(self._transport, one) for name, one in self._record.renditions.items()}

    def read(self) -> bytes:
        """Its bytes, checked against its hash.

        Raises:
            UsageError: the logged value has no file.
            ServerRefused: the bytes have not come, or are gone: `media_awaited`, `media_expired`.
        """
        return self._transport.run(read_medium_call(self._run, self._record))

    def download(self, root: str | os.PathLike[str] = ".", replace: bool = False) -> Path:
        """Write it below `root` under its own path; returns where. What is there is whole and checked.

        Raises:
            FileIsThere: there is such a file, and not `replace`.
            UsageError, ServerRefused: as for `read`.
        """
        call = download_medium_call(self._run, self._record, Path(root), replace=replace)
        return self._transport.run(call)


class MediaLayer(_Readable, StoredLayer):
    """A mask (a PNG whose pixels are class ids) or a group of boxes (JSON)."""

    def __init__(self, transport: BlockingTransport, run: RunPath, record: LayerRecord) -> None:
        super().__init__(run, record)
        self._transport = transport


class Medium(_Readable, StoredMedium):
    """One medium of a run; of a list that was logged, each is one."""

    def __init__(self, transport: BlockingTransport, run: RunPath, record: MediumRecord) -> None:
        super().__init__(run, record)
        self._transport = transport
        self.masks = {name: MediaLayer(transport, run, one) for name, one in record.masks.items()}
        self.boxes = {name: MediaLayer(transport, run, one) for name, one in record.boxes.items()}


class AsyncRendition:
    """As `Rendition`, with asyncio."""

    def __init__(self, transport: AsyncTransport, record: RenditionRecord) -> None:
        self._transport = transport
        self.record = record

    async def read(self) -> bytes:
        """As `Rendition.read`."""
        return await self._transport.run(read_rendition_call(self._transport.server.base_url, self.record))


class _AsyncReadable(StoredMediaFile):
    """As `_Readable`, with asyncio."""

    _transport: AsyncTransport

    @property
    def renditions(self) -> dict[str, AsyncRendition]:
        """As `Medium.renditions`."""
        return {name: AsyncRendition(self._transport, one) for name, one in self._record.renditions.items()}

    async def read(self) -> bytes:
        """As `Medium.read`."""
        return await self._transport.run(read_medium_call(self._run, self._record))

    async def download(self, root: str | os.PathLike[str] = ".", replace: bool = False) -> Path:
        """As `Medium.download`."""
        call = download_medium_call(self._run, self._record, Path(root), replace=replace)
        return await self._transport.run(call)


class AsyncMediaLayer(_AsyncReadable, StoredLayer):
    """As `MediaLayer`, with asyncio."""

    def __init__(self, transport: AsyncTransport, run: RunPath, record: LayerRecord) -> None:
        super().__init__(run, record)
        self._transport = transport


class AsyncMedium(_AsyncReadable, StoredMedium):
    """As `Medium`, with asyncio."""

    def __init__(self, transport: AsyncTransport, run: RunPath, record: MediumRecord) -> None:
        super().__init__(run, record)
        self._transport = transport
        self.masks = {name: AsyncMediaLayer(transport, run, one) for name, one in record.masks.items()}
        self.boxes = {name: AsyncMediaLayer(transport, run, one) for name, one in record.boxes.items()}
