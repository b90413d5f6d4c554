"""Bytes on their way in: on disk, hashed while they are written."""

import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class Digests:
    """MD5, SHA-256 and size of bytes that come in pieces."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes | memoryview) -> None:
        """The next bytes."""
        self._md5.update(piece)
        self._sha256.update(piece)
        self.size += len(piece)

    @property
    def md5(self) -> bytes:
        """16 bytes."""
        return self._md5.digest()

    @property
    def sha256(self) -> bytes:
        """32 bytes."""
        return self._sha256.digest()


class Spool:
    """A file without a lasting name. Leaving its `with` block removes it, unless a store took it over.

    Raises:
        OSError: the disk is full or refuses; also from `write`.
    """

    def __init__(self, directory: Path) -> None:
        make_directory(directory)
        handle, name = tempfile.mkstemp(dir=directory)  # mode 0600
        self.path = Path(name)
        self.digests = Digests()
        self._file = os.fdopen(handle, "wb", buffering=0)

    def write(self, piece: bytes) -> None:
        """Append and hash; all of `piece` or an error."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.digests.add(piece)

    def to_disk(self) -> None:
        """Return once the bytes would outlive a power cut; nothing is written after that."""
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close and remove the file; also when it moved away or is closed."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def make_directory(path: Path) -> None:
    """Make a directory for the owner alone, with its parents, durably.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory would outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
