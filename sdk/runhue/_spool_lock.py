"""Whether the process that writes a spool still lives, so that nobody else touches its spool."""

import os
import socket
import sys
from pathlib import Path

import msgspec
import psutil

if sys.platform != "win32":
    import fcntl

LOCK = "lock"
SAME_START_SECONDS = 2.0


class Owner(msgspec.Struct):
    """The process that holds a spool. `started_at` is Unix seconds."""

    pid: int
    started_at: float
    host: str

    def is_alive(self) -> bool:
        """True when this process is seen to run on this machine; another machine's is not seen."""
        if self.host != socket.gethostname():
            return False
        try:
            started_at = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return abs(started_at - self.started_at) < SAME_START_SECONDS


class SpoolHeld(Exception):
    """Another process that lives holds the spool."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(f"{folder} is in use by process {pid or '?'}")
        self.folder = folder
        self.pid = pid


class SpoolLock:
    """Holds a spool for this process until `release`, or until the process ends however it ends.

    The kernel's lock decides where there is one (it ends with its process, and is seen between
    containers); the pid and its start time decide where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take(folder)
        except BaseException:
            os.close(self._file)
            raise

    def _take(self, folder: Path) -> None:
        owner = read_owner(folder)
        mine = os.getpid()
        if owner and owner.pid != mine and owner.is_alive():
            raise SpoolHeld(folder, owner.pid)
        if not _lock_file(self._file):
            raise SpoolHeld(folder, owner.pid if owner else None)
        content = msgspec.json.encode(Owner(mine, psutil.Process().create_time(), socket.gethostname()))
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)

    def release(self) -> None:
        """Let others have the spool, while this process lives on; releasing twice is fine."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            self.abandon()

    def abandon(self) -> None:
        """Close this process's copy of the file after a fork: the parent holds the spool."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_owner(folder: Path) -> Owner | None:
    """The process that holds or last held a spool, None when it cannot be told."""
    try:
        return msgspec.json.decode((folder / LOCK).read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def _lock_file(file: int) -> bool:
    """Take the kernel's lock; False when another holds it, True where files have no locks."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # some network file systems have no locks
    return True
