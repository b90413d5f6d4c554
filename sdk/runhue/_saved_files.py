"""`run.save()`: files of the run that no row names, such as checkpoints and predictions."""

import glob as globbing
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, get_args

from runhue._errors import BadMedia, BadPath, RunhueError

SavePolicy = Literal["live", "now", "end"]
LOOK_SECONDS = 5.0
"""How often a file saved `live` is looked at."""

LAST_LOOK_SECONDS = 60.0
"""How long `finish()` waits for a copy that is being made."""

State = tuple[int, int]
"""(time of the last change in ns, size): another one means that the file changed."""

Keep = Callable[[Iterable[tuple[Path, str]]], None]
"""Records files, each with its path in the run."""


class SavedFiles:
    """What a run keeps of its process's files, and when.

    `keep` records copies. Files saved `live` are looked at from a thread until `finish()`, which
    takes those of policy `end` and what changed last.
    """

    def __init__(self, own_folder: Path | None, keep: Keep, warn: Callable[[str], None]) -> None:
        self._own_folder = own_folder
        self._keep = keep
        self._warn = warn
        # A signal handler that finishes the run may find itself inside of save().
        self._lock = threading.RLock()
        self._keeping = threading.RLock()
        self._live: dict[Path, tuple[str, State | None]] = {}
        self._at_end: dict[Path, str] = {}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def save(
        self,
        pattern: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None,
        policy: SavePolicy,
        expand: bool,
    ) -> list[str]:
        """Save the files that match now; returns their paths in the run.

        Raises:
            BadPath: no such policy, or the files are not within `base_path`.
            BadMedia: a file cannot be read; then none is saved, unless it went away meanwhile.
        """
        if policy not in get_args(SavePolicy):
            raise BadPath(f"policy must be one of {', '.join(get_args(SavePolicy))}, got {policy!r}")
        text = os.fsdecode(pattern)
        if text.startswith(("gs://", "s3://", "http://", "https://")):
            raise BadPath(f"{text} is no file of this machine: download it first")
        base = self._base(text, base_path)
        matched = _matches(text, expand)
        if not matched:
            self._warn(f"save: no file matches {text}")
        files = [(path, run_path(path, base)) for path in matched]
        self._note(files, policy)
        return [path for _, path in files]

    def finish(self) -> None:
        """Take the files that are saved at the end, and what changed last."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(LAST_LOOK_SECONDS)
        self._look()
        with self._lock:
            at_end, self._at_end = self._at_end, {}
        self._keep_each(at_end.items())

    def forget(self) -> None:
        """In the child of a fork: the files are the parent's."""
        self._lock, self._keeping = threading.RLock(), threading.RLock()
        self._live, self._at_end = {}, {}
        self._watcher = None

    def _base(self, text: str, base_path: str | os.PathLike[str] | None) -> Path:
        """The folder below which a file's path in the run begins. Source: the wandb client's `save`."""
        if base_path is not None:
            return Path(os.path.abspath(base_path))  # noqa: PTH100  # resolve() would follow links
        if not os.path.isabs(text):  # noqa: PTH117  # of a pattern
            return Path.cwd()
        place = Path(os.path.abspath(text))  # noqa: PTH100
        parent = place if place.is_dir() else place.parent
        own = self._own_folder
        if own is not None and (parent == own or own in parent.parents):
            return own
        return parent.parent

    def _note(self, files: list[tuple[Path, str]], policy: SavePolicy) -> None:
        if policy == "end":
            with self._lock:
                self._at_end.update(files)
            return
        states = {path: _state(path) for path, _ in files}
        for path, _ in files:
            _check_readable(path)
        for file in files:  # one by one: the first are on their way while the others are read
            with self._keeping:  # what is read later is recorded later
                self._keep([file])
        if policy == "live" and files:
            with self._lock:
                self._live.update({path: (name, states[path]) for path, name in files})
            self._watch()

    def _watch(self) -> None:
        with self._lock:
            if self._watcher is None:
                name = "runhue-saved-files"
                self._watcher = threading.Thread(target=self._watch_files, name=name, daemon=True)
                self._watcher.start()

    def _watch_files(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Take the live files that changed."""
        with self._lock:
            changed = {}
            for path, (name, before) in self._live.items():
                state = _state(path)
                if state is not None and state != before:
                    changed[path] = name
                    self._live[path] = (name, state)
        self._keep_each(changed.items())

    def _keep_each(self, files: Iterable[tuple[Path, str]]) -> None:
        """Keep files one by one: one that is gone must not stop the others, nor the training."""
        for path, name in files:
            try:
                with self._keeping:
                    self._keep([(path, name)])
            except (RunhueError, OSError) as error:
                self._warn(f"save: {path} is not kept: {error}")


def run_path(path: Path, base: Path) -> str:
    """The path of a file in the run: relative to `base`, with `/`.

    Raises:
        BadPath: it is not within `base`.
    """
    try:
        relative = path.relative_to(base)
    except ValueError as error:
        raise BadPath(f"{path} is not within base_path {base}") from error
    return relative.as_posix().encode("utf-8", "backslashreplace").decode()


def _matches(text: str, expand: bool) -> list[Path]:
    """Files, those within matched folders too, in order."""
    found = sorted(globbing.glob(text, recursive=True)) if expand else [text]  # noqa: PTH207  # a pattern may be absolute
    files: dict[Path, None] = {}
    for name in found:
        path = Path(os.path.abspath(name))  # noqa: PTH100  # resolve() would follow links
        within = sorted(path.rglob("*")) if path.is_dir() else [path]
        files.update((file, None) for file in within if file.is_file())
    return list(files)


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadMedia(f"{path} cannot be read: {error.strerror or error}") from error


def _state(path: Path) -> State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
