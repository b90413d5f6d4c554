"""What `finish()` shows while it waits: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runhue._progress_bar import ProgressBar

SHOW_AFTER_SECONDS = 0.5
LINE_EVERY_SECONDS = 10.0


class DeliveryProgress:
    """Shows (sent, all) records; says nothing when the wait is short or `silent` is set."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent or sys.stderr is None
        self._began = time.monotonic()
        self._last_line = self._began
        self._bar: ProgressBar | None = None

    def __enter__(self) -> "DeliveryProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, sent: int, total: int) -> None:
        """Show that `sent` of `total` records are on the server."""
        now = time.monotonic()
        if self._silent or now - self._began < SHOW_AFTER_SECONDS:
            return
        if sys.stderr.isatty():
            self._draw(sent, total)
        elif now - self._last_line > LINE_EVERY_SECONDS:
            self._last_line = now
            sys.stderr.write(f"runhue: sent {sent:,} of {total:,} records\n")

    def _draw(self, sent: int, total: int) -> None:
        if self._bar is None:
            from runhue._progress_bar import ProgressBar  # rich, which only a terminal needs

            self._bar = ProgressBar(total)
        self._bar.show(sent, total)
