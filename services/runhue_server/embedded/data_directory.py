"""The data directory: its lock, its layout, and where servers and sockets go.

```
<data dir>/lock            flock of the running supervisor, with its pid
           api-key         first key, mode 0600
           key-pepper      secret of the stored key digests, mode 0600 (runhue_shared.db.keys makes both)
           postgres/ valkey/   server files (or below `servers`, see `server_root`)
           logs/ run/      output of each process; pids and heartbeats
```
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from runhue_server.embedded.account import Account, can_reach, give_to
from runhue_server.embedded.errors import DataDirectoryLockedError, StackError

SERVERS_LINK = "servers"
SYSTEM_STATE = Path("/var/lib/runhue")
SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


def write_atomically(
    path: Path, text: str, *, mode: int = 0o600, account: Account | None = None, sync: bool = True
) -> None:
    """Replace `path` so that a crash leaves the old text or the new one, never a part.

    Without `sync` that holds for a killed process, but not for a power cut.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if sync:
                os.fsync(file.fileno())
        give_to(temporary, account)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames inside `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DataDirectory:
    """A locked data directory; closing it gives up the lock.

    Raises:
        DataDirectoryLockedError: another live process holds it; the message names the pid.
        StackError: the directory cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._make()
        self._lock = self._take_lock()

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def api_key_file(self) -> Path:
        return self.path / "api-key"

    def _make(self) -> None:
        # 0711: as root, the servers' account has to pass through to its own directories.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(mode)
            for directory in (self.logs, self.run):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"cannot write the data directory {self.path} ({error.strerror}): "
                "give a writable one with --data-dir"
            ) from error

    def _take_lock(self) -> int:
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataDirectoryLockedError(
                self.path, f"pid {holder}" if holder else "a process that just started"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def close(self) -> None:
        """Give up the lock; a second call does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def server_root(data_dir: Path, account: Account | None) -> Path:
    """Where the directories `postgres` and `valkey` are.

    That is the data directory itself, unless the servers run as another account which cannot
    pass its parents (a clone under /root, mode 0700). Then it is a new directory below
    /var/lib/runhue, named by the link `<data dir>/servers`, so that the data outlives a reboot;
    for data below the temporary directory it is a neighbor there.

    Raises:
        StackError: the link leads nowhere, or no such directory can be made.
    """
    link = data_dir / SERVERS_LINK
    if link.is_symlink():
        target = link.resolve()
        if not target.is_dir():
            raise StackError(
                f"{link} points to {target}, which does not exist: "
                "put that directory back, or delete the link to start with an empty database"
            )
        return target
    if account is None or can_reach(data_dir, account):
        return data_dir
    return _make_server_root(data_dir, link)


def _make_server_root(data_dir: Path, link: Path) -> Path:
    temporary = Path(tempfile.gettempdir()).resolve()
    parent = temporary if data_dir.resolve().is_relative_to(temporary) else SYSTEM_STATE
    target = parent / f"runhue-{data_dir.name}-{secrets.token_hex(4)}"
    try:
        parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.mkdir()
        target.chmod(0o711)
    except OSError as error:
        raise StackError(
            f"the account of the embedded servers cannot reach {data_dir}, and {target} cannot be made "
            f"({error.strerror}): give a --data-dir outside of private directories"
        ) from error
    link.symlink_to(target)
    sync_directory(data_dir)
    return target


def remove_server_root(data_dir: Path) -> None:
    """Delete what `server_root` placed outside of `data_dir`."""
    link = data_dir / SERVERS_LINK
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()


def socket_directory(data_dir: Path, account: Account | None) -> Path:
    """A private (0700) directory for the servers' sockets, short enough for a socket address.

    Root has /run; others the temporary directory, and not XDG_RUNTIME_DIR, which disappears at
    log-out while a stack in tmux goes on. The name comes from the data directory, so each start
    finds it again.

    Raises:
        StackError: the path is too long, or somebody else owns it.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    owner = account.uid if account else os.geteuid()
    places = [Path("/run")] if os.geteuid() == 0 else []
    places += [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108  # owner and mode are checked below
    for place in places:
        path = place / f"runhue-{digest}"
        if len(os.fsencode(path / LONGEST_SOCKET_NAME)) < SOCKET_PATH_LIMIT and os.access(
            place, os.W_OK | os.X_OK
        ):
            break
    else:
        raise StackError(
            f"no writable directory for sockets in {', '.join(map(str, places))}: set TMPDIR to a short one"
        )
    is_new = not path.exists()
    path.mkdir(mode=0o700, exist_ok=True)
    if is_new or (os.geteuid() == 0 and place == Path("/run")):  # only root writes there: the name is ours
        give_to(path, account)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise StackError(
            f"{path} belongs to another user: remove it, or set TMPDIR to a directory of your own"
        )
    path.chmod(0o700)
    return path
