"""Blobs in a directory: `<team>/<first two digits of the hash>/<hash>`. No name from outside is in a path."""

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runhue_shared.blobs.spool import Spool, make_directory, sync_directory
from runhue_shared.blobs.store import (
    ANYTHING,
    READ_BYTES,
    BytesMissing,
    Expected,
    ListedBlob,
    StoreAway,
    StoredBlob,
    check,
)

INCOMING = "incoming"
_BLOB_NAME = re.compile(r"[0-9a-f]{64}\Z")


class LocalStore:
    """A directory that belongs to the server alone: directories have mode 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.spool_directory = root / INCOMING
        self.direct = False

    def keep(self, team_id: int, spool: Spool, expected: Expected = ANYTHING) -> StoredBlob:
        found = StoredBlob(spool.digests.sha256, spool.digests.md5, spool.digests.size)
        check(found, expected)
        path = self._path(team_id, found.sha256)
        with disk_errors():
            spool.to_disk()
            make_directory(path.parent)
            # Also over the same bytes: what is there may have been damaged, and these were just hashed.
            spool.path.rename(path)
            sync_directory(path.parent)
        spool.close()
        return found

    def read(self, team_id: int, sha256: bytes, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        path = self._path(team_id, sha256)
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            raise BytesMissing(f"no file {path}") from None
        with file:
            file.seek(start)
            left = (os.fstat(file.fileno()).st_size if end is None else end) - start
            while left > 0 and (piece := file.read(min(left, READ_BYTES))):
                left -= len(piece)
                yield piece

    def holds(self, team_id: int, sha256: bytes) -> bool:
        with disk_errors():
            return self._path(team_id, sha256).is_file()

    def listing(self) -> Iterator[ListedBlob]:
        with disk_errors():
            for team in _below(self._root):
                if team.name.isdecimal():
                    for folder in _below(Path(team.path)):
                        yield from _blobs_in(folder, int(team.name))

    def delete(self, team_id: int, sha256: bytes) -> None:
        with disk_errors():
            self._path(team_id, sha256).unlink(missing_ok=True)

    def sign_get(self, team_id: int, sha256: bytes, seconds: int) -> str | None:  # noqa: ARG002  # BlobStore's
        return None

    def sign_puts(self, keys: list[str], seconds: int) -> list[str] | None:  # noqa: ARG002  # BlobStore's
        return None

    def adopt(
        self,
        team_id: int,  # noqa: ARG002  # BlobStore's
        key: str,
        max_bytes: int,  # noqa: ARG002  # BlobStore's
        expected: Expected = ANYTHING,  # noqa: ARG002  # BlobStore's
    ) -> StoredBlob:
        raise BytesMissing(f"nothing is put directly into a directory, also not {key!r}")

    def discard(self, key: str) -> None:
        """Nothing is put directly into a directory."""

    def arrived(self, folder: str, seconds: float | None = None) -> list[str]:  # noqa: ARG002  # BlobStore's
        return []

    def forget_left_over(self, seconds: float) -> None:
        forget_files(self.spool_directory, seconds)

    def _path(self, team_id: int, sha256: bytes) -> Path:
        name = sha256.hex()
        return self._root / str(team_id) / name[:2] / name


def _below(directory: Path) -> Iterator["os.DirEntry[str]"]:
    if directory.is_dir():
        with os.scandir(directory) as entries:
            yield from (entry for entry in entries if entry.is_dir(follow_symlinks=False))


def _blobs_in(folder: "os.DirEntry[str]", team_id: int) -> Iterator[ListedBlob]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_blob_name(entry.name):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # it just went
                continue
            yield ListedBlob(
                team_id, bytes.fromhex(entry.name), found.st_size, max(0.0, time.time() - found.st_mtime)
            )


def is_blob_name(name: str) -> bool:
    """Whether a file's name is a SHA-256 in lower-case hex."""
    return _BLOB_NAME.match(name) is not None


def forget_files(directory: Path, seconds: float) -> None:
    """Remove the files of a directory that nobody wrote to for that long."""
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        try:
            if path.stat().st_mtime < time.time() - seconds:
                path.unlink()
        except FileNotFoundError:  # its upload just ended
            continue


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what a disk says into what a store says.

    Raises:
        StoreAway: the disk is full, or refuses.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreAway("the disk of the blob store is full") from error
        raise StoreAway(f"the disk of the blob store refuses: {error.strerror}") from error
