"""What the demo shows while runs log: the legend with counts and the best runs, or plain lines in a pipe."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from runhue._cli.color_tables import legend_table, plain_line, runs_table
from runhue._public_api import Coloring, ColoringUpdates, Workspace
from runhue._public_api.coloring import by_value
from runhue_server.demo.expected import differences, misplaced
from runhue_server.demo.processes import Training
from runhue_server.demo.trials import RUNS

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 2.0
SETTLE_SECONDS = 30.0
SHOWN_RUNS = 12


class Watcher(threading.Thread):
    """Takes every published version: keeps the newest, counts all, and looks for mixed ones."""

    def __init__(self, updates: ColoringUpdates) -> None:
        super().__init__(name="watcher", daemon=True)
        self.latest: Coloring | None = None
        self.versions = 0
        self.mixed: list[str] = []
        self._updates = updates

    def run(self) -> None:
        for coloring in self._updates:
            self.mixed += misplaced(coloring)
            self.versions += 1
            self.latest = coloring

    def settled(self) -> bool:
        """Whether the newest version is the one computed from scratch."""
        return self.latest is not None and not differences(self.latest)


@contextmanager
def watching(workspace: Workspace) -> Iterator[Watcher]:
    """A thread that takes every version until the block is left."""
    with workspace.watch() as updates:
        watcher = Watcher(updates)
        watcher.start()
        try:
            yield watcher
        finally:
            updates.close()
            watcher.join()


def follow(watcher: Watcher, training: Training, console: Console) -> None:
    """Show the colors while runs log, and until all of them are as they must be or stay wrong.

    Raises:
        TrainingFailed: a process ended with an error.
    """
    settle_by = None
    with Screen(console) as screen:
        while settle_by is None or (time.monotonic() < settle_by and not watcher.settled()):
            running = training.running()
            if running == 0 and settle_by is None:
                settle_by = time.monotonic() + SETTLE_SECONDS
            screen.draw(watcher.latest, running)
            time.sleep(REDRAW_SECONDS)
        screen.draw(watcher.latest, 0)


class Screen:
    """Redraws in a terminal; in a pipe it prints a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._printed_at = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def draw(self, coloring: Coloring | None, running: int) -> None:
        """Show this version; `running` processes still train."""
        if self._live is not None:
            self._live.update(picture(coloring, running), refresh=True)
        elif coloring is not None and time.monotonic() - self._printed_at > PLAIN_SECONDS:
            self._console.print(plain_line(coloring), soft_wrap=True)
            self._printed_at = time.monotonic()


def picture(coloring: Coloring | None, running: int) -> RenderableType:
    """Legend and the best runs."""
    if coloring is None:
        return Text("waiting for the first run")
    runs = by_value(coloring)
    line = Text(f"{len(runs)} of {RUNS} runs, {running} processes at work")
    return Group(legend_table(coloring, "dark"), runs_table(runs[:SHOWN_RUNS], "dark"), line)
