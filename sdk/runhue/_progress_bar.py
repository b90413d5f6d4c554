"""A progress bar on stderr by rich, drawn by the thread that waits."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class ProgressBar:
    """Shows (sent, all) records, and disappears at `stop`."""

    def __init__(self, total: int) -> None:
        # No refresh thread: none can be started while the interpreter shuts down.
        self._progress = Progress(
            TextColumn("runhue: sending"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("", total=total)
        self._progress.start()

    def show(self, sent: int, total: int) -> None:
        """Draw it anew."""
        self._progress.update(self._task, completed=sent, total=total)
        self._progress.refresh()

    def stop(self) -> None:
        """Take it off the screen."""
        self._progress.stop()
