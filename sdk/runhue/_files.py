"""Files that a process logs: kept in the spool, content and name, until the server has them.

`SpoolFiles` owns the folder `files/` of one spool. `FileStage` collects what one call keeps, so that
a call that fails leaves nothing behind.
"""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from runhue import _records as records
from runhue._errors import BadMedia

FILES = "files"
COPY_BYTES = 1024 * 1024
KNOWN_CONTENTS = 10_000
"""Contents remembered as kept; the oldest is forgotten, and written again when it comes again."""


class SpoolFiles:
    """The folder of the bytes that wait for delivery. Without `folder` nothing is kept (mode disabled).

    A kept file is never changed. Bytes that are there already are linked, not written again; each
    record has a name of its own, so that one can be deleted while another still waits.
    """

    def __init__(self, folder: Path | None) -> None:
        self.on_warning: Callable[[str], None] = _say_nothing
        self._folder = None if folder is None else folder / FILES
        self._numbers = itertools.count()
        self._names: dict[str, str] = {}
        self._lock = threading.RLock()  # run.save() and log() keep files at once

    def put(self, content: bytes | Path) -> tuple[str, str, int]:
        """Keep the bytes; (name in the folder, sha256 in hex, size).

        Raises:
            BadMedia: `content` is a file that cannot be read.
            OSError: the folder cannot be written.
        """
        name = f"{next(self._numbers):08d}"
        if self._folder is None:
            sha256, size = _copy(content, None)
            return name, sha256, size
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if isinstance(content, bytes):
            sha256, size = hashlib.sha256(content).hexdigest(), len(content)
            if not self._link(sha256, name):
                self._write(content, name)
        else:
            sha256, size = self._write(content, name)
            self._link(sha256, name)
        self._remember(sha256, name)
        return name, sha256, size

    def _remember(self, sha256: str, name: str) -> None:
        with self._lock:
            self._names.pop(sha256, None)
            self._names[sha256] = name
            if len(self._names) > KNOWN_CONTENTS:
                del self._names[next(iter(self._names))]

    def _write(self, content: bytes | Path, name: str) -> tuple[str, int]:
        assert self._folder is not None  # noqa: S101  # put() returned before, without one
        try:
            return _copy(content, self._folder / name)
        except BaseException:
            self.drop(name)
            raise

    def drop(self, name: str) -> None:
        """Take back what was kept."""
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)

    def _link(self, sha256: str, name: str) -> bool:
        """Let `name` be the bytes that are here under another name; False when they are not."""
        known = self._names.get(sha256)
        if known is None or self._folder is None:
            return False
        temporary = self._folder / f".{name}"
        try:
            os.link(self._folder / known, temporary)
            temporary.replace(self._folder / name)
        except OSError:  # delivered and gone, or a file system without links
            return False
        return True


def _copy(content: bytes | Path, target: Path | None) -> tuple[str, int]:
    """Write `target`, when there is one; (sha256, size) of what was read."""
    if isinstance(content, bytes):
        if target is not None:
            target.write_bytes(content)
        return hashlib.sha256(content).hexdigest(), len(content)
    digest, size = hashlib.sha256(), 0
    try:
        source = content.open("rb")
    except OSError as error:
        raise BadMedia(f"{content} cannot be read: {error.strerror or error}") from error
    with source, open(os.devnull if target is None else target, "wb") as copy:  # noqa: PTH123  # one of two
        while chunk := source.read(COPY_BYTES):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    return digest.hexdigest(), size


class FileStage:
    """What one call keeps, in order: `records` for the spool, ahead of the record that names them.

    A context: when it is left by an exception, the kept bytes are taken back.
    """

    def __init__(self, files: SpoolFiles, shown: dict[tuple[str, str], dict[str, Any]]) -> None:
        self.records: list[records.FileSaved | records.MediaShown] = []
        self.files = files
        self._then: list[tuple[int, Callable[[], None]]] = []
        self._shown = shown

    def __enter__(self) -> "FileStage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.discard()

    def put(self, content: bytes | Path, path: str | Callable[[str], str]) -> records.FileSaved:
        """Keep bytes under `path`, which may be made from their sha256 (hex).

        Raises:
            BadMedia: `content` is a file that cannot be read.
        """
        name, sha256, size = self.files.put(content)
        kept = records.FileSaved(path if isinstance(path, str) else path(sha256), sha256, size, name)
        self.records.append(kept)
        return kept

    def set_media(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Record how media are shown, unless that was the last word on it already."""
        if self._shown.get((kind, key)) != value:
            self.records.append(records.MediaShown(kind, key, value))  # type: ignore[arg-type]  # one of MediaSetting's kinds

    def warn(self, sentence: str) -> None:
        """Tell the user something."""
        self.files.on_warning(sentence)

    def when_recorded(self, then: Callable[[], None]) -> None:
        """Have `then` called once what was kept so far is recorded; never, when it is taken back."""
        self._then.append((len(self.records), then))

    def recorded(self) -> None:
        """The records are in the spool: remember what was said of media, and do what waited for it."""
        for _, then in self._then:
            then()
        for record in self.records:
            if isinstance(record, records.MediaShown):
                self._shown[record.kind, record.key] = record.value

    def discard(self, since: int = 0) -> None:
        """Take back the bytes that were kept, those of the first `since` records excepted."""
        for record in self.records[since:]:
            if isinstance(record, records.FileSaved):
                self.files.drop(record.name)
        del self.records[since:]
        self._then = [(count, then) for count, then in self._then if count <= since]


def _say_nothing(_: str) -> None:
    pass
