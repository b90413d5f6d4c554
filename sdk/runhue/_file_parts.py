"""A large file on its way in parts: several at once, and after a cut only those that are missing.

Which parts came is for the server to know: another process goes on where one stopped.
"""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from runhue._errors import ServerBusy
from runhue._records import FileSaved

READ_BYTES = 256 * 1024
"""How much of a part is in memory while it is sent."""


class MissingParts(msgspec.Struct):
    """Parts of `part_bytes`, the last one shorter, numbered from 1; the first of `missing` go to `urls`."""

    id: str
    part_bytes: int
    missing: list[int]
    urls: list[str]
    complete_url: str


class PartsOffered(Protocol):
    """What the server says to an offered file."""

    stored: bool
    parts: MissingParts | None


class PartsServer(Protocol):
    """The server as far as parts need it; see `_transport.Transport`."""

    def offer_file(self, writer_id: int, file: FileSaved) -> PartsOffered: ...
    def put_part(self, url: str, source: Path, start: int, length: int) -> None: ...
    def complete_file(self, url: str) -> None: ...


class FileParts:
    """Sends files in parts, at most `at_once` of all files together."""

    def __init__(self, server: PartsServer, at_once: int) -> None:
        self._server = server
        self._at_once = at_once
        self._lanes = threading.BoundedSemaphore(at_once)

    def send(self, writer_id: int, file: FileSaved, source: Path, parts: MissingParts) -> None:
        """Put what is missing and have the file put together.

        Raises:
            OSError: the file cannot be read.
            ServerError: any of its kinds; what was put stays with the server.
        """
        while parts.missing:
            self._put(source, file.size, parts)
            answer = self._server.offer_file(writer_id, file)
            if answer.stored or answer.parts is None:
                return
            if len(answer.parts.missing) >= len(parts.missing):
                raise ServerBusy(f"{file.path} was uploaded in parts, and the server has not stored them")
            parts = answer.parts
        self._server.complete_file(parts.complete_url)

    def _put(self, source: Path, size: int, parts: MissingParts) -> None:
        todo: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        for number, url in zip(parts.missing, parts.urls, strict=False):
            todo.put((number, url))
        faults: list[BaseException] = []

        def work() -> None:
            while not faults:
                try:
                    number, url = todo.get_nowait()
                except queue.Empty:
                    return
                start = (number - 1) * parts.part_bytes
                try:
                    with self._lanes:
                        self._server.put_part(url, source, start, min(parts.part_bytes, size - start))
                except Exception as error:  # noqa: BLE001  # it is raised by the thread that waits for this one
                    faults.append(error)

        # Daemons: a part under way must not keep a process that wants to end.
        threads = [
            threading.Thread(target=work, name="runhue-part", daemon=True)
            for _ in range(min(self._at_once, len(parts.urls)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]


def read_part(source: Path, start: int, length: int) -> Iterator[bytes]:
    """Bytes of a file from `start` on, in small pieces.

    Raises:
        OSError: the file cannot be read.
    """
    with source.open("rb", buffering=0) as content:
        content.seek(start)
        while length > 0 and (piece := content.read(min(length, READ_BYTES))):
            length -= len(piece)
            yield piece
