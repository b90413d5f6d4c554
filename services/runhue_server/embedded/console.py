"""What `runhue up` says while it runs: one line an event, `12:00:01 postgres     ready in 0.4 s`."""

import sys
import threading
import time
from pathlib import Path
from typing import TextIO

NAME_WIDTH = 12


class Console:
    """Prints events of the children; thread-safe. `quiet` drops them."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._lock = threading.Lock()

    def event(self, name: str, text: str) -> None:
        self.text(f"{time.strftime('%H:%M:%S')} {name:<{NAME_WIDTH}} {text}")

    def text(self, text: str) -> None:
        """Print `text` as it is; empty text prints nothing."""
        if self._quiet or not text:
            return
        with self._lock:
            stream = self._stream or sys.stderr
            stream.write(text + "\n")
            stream.flush()


class LogFollower:
    """Copies what children append to their logs to a console, with the child's name in front."""

    def __init__(self, directory: Path, console: Console) -> None:
        self._directory = directory
        self._console = console
        self._offsets = {path: path.stat().st_size for path in directory.glob("*.log")}

    def copy_new_lines(self) -> None:
        for path in sorted(self._directory.glob("*.log")):
            offset = self._offsets.get(path, 0)
            size = path.stat().st_size
            offset = 0 if size < offset else offset  # the log was cut
            with path.open("rb") as file:
                file.seek(offset)
                whole = file.read(size - offset).rpartition(b"\n")[0]
            if whole:
                self._offsets[path] = offset + len(whole) + 1
                lines = whole.decode("utf-8", "replace").splitlines()
                self._console.text("\n".join(f"{path.stem:<{NAME_WIDTH}} | {line}" for line in lines))
            else:
                self._offsets[path] = offset
