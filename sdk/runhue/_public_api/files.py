"""Files of stored runs: read, download and delete them."""

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

from runhue._public_api.blocking import BlockingTransport
from runhue._public_api.file_calls import delete_file_call, download_call, read_file_call
from runhue._public_api.nonblocking import AsyncTransport
from runhue._public_api.records import FileRecord
from runhue._public_api.run_calls import RunPath


class StoredFile:
    """What the server says of a file; common to both APIs."""

    def __init__(self, base_url: str, run: RunPath, record: FileRecord) -> None:
        self._base_url = base_url
        self._run = run
        self._record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} ({self.mimetype}, {self.size} bytes)>"

    @property
    def record(self) -> FileRecord:
        return self._record

    @property
    def path(self) -> str:
        """Unique in its run; `/` divides folders."""
        return self._record.path

    name = path
    """The same under wandb's name."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self._record.size

    @property
    def sha256(self) -> str:
        """Hash of the bytes, in hex."""
        return self._record.sha256

    @property
    def mimetype(self) -> str:
        return self._record.mimetype

    @property
    def updated_at(self) -> datetime:
        """When it got its present bytes."""
        return self._record.updated_at

    @property
    def url(self) -> str:
        """Where its bytes can be read without a key, for a day or more."""
        return urljoin(f"{self._base_url}/", self._record.url)


class File(StoredFile):
    """A file of a run. Every method raises a `RunhueError` when the server refuses or cannot be reached."""

    def __init__(self, transport: BlockingTransport, run: RunPath, record: FileRecord) -> None:
        super().__init__(transport.server.base_url, run, record)
        self._transport = transport

    def read(self) -> bytes:
        """Its bytes, checked against its hash."""
        return self._transport.run(read_file_call(self._run, self._record))

    def download(self, root: str | os.PathLike[str] = ".", replace: bool = False) -> Path:
        """Write it below `root` under its own path; returns where. What is there is whole and checked.

        Raises:
            FileIsThere: there is such a file, and not `replace`.
        """
        return self._transport.run(download_call(self._run, self._record, Path(root), replace=replace))

    def delete(self) -> None:
        """Take it off the run; again is fine."""
        self._transport.run(delete_file_call(self._run, self.path))


class AsyncFile(StoredFile):
    """A file of a run, with asyncio."""

    def __init__(self, transport: AsyncTransport, run: RunPath, record: FileRecord) -> None:
        super().__init__(transport.server.base_url, run, record)
        self._transport = transport

    async def read(self) -> bytes:
        """As `File.read`."""
        return await self._transport.run(read_file_call(self._run, self._record))

    async def download(self, root: str | os.PathLike[str] = ".", replace: bool = False) -> Path:
        """As `File.download`."""
        return await self._transport.run(download_call(self._run, self._record, Path(root), replace=replace))

    async def delete(self) -> None:
        """As `File.delete`."""
        await self._transport.run(delete_file_call(self._run, self.path))
