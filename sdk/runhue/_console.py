"""Keeps what the process prints: stdout and stderr go on as before and into the run."""

import re
import sys
import time
from typing import Any, Literal, TextIO

from runhue._errors import RunFinished
from runhue._recorder import Recorder
from runhue._records import ConsoleWritten

MAX_LINE_LENGTH = 8192
MAX_LINES_A_SECOND = 1000
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")

StreamName = Literal["stdout", "stderr"]


def shown_line(text: str) -> str:
    """What a terminal shows of one line: escapes removed, `\\r` starting over, at most 8,192 characters."""
    text = _ESCAPES.sub("", text).rstrip("\r")
    shown = text[text.rfind("\r") + 1 :]
    return shown if len(shown) <= MAX_LINE_LENGTH else f"{shown[:MAX_LINE_LENGTH]}..."


class Tee:
    """Stands in for a text stream: writes through to it, and hands whole lines to the recorder."""

    def __init__(self, stream: TextIO, name: StreamName, capture: "ConsoleCapture") -> None:
        self._stream = stream
        self._name: StreamName = name
        self._capture = capture
        self._line = ""

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        if self._capture.active:
            with self._capture.recorder.lock:
                self._fold(text)
        return written

    def writelines(self, lines: Any) -> None:  # iterable of str, as the stream's own
        for line in lines:
            self.write(line)

    def _fold(self, text: str) -> None:
        *lines, self._line = (self._line + text).split("\n")
        if "\r" in self._line or len(self._line) > 4 * MAX_LINE_LENGTH:
            self._line = self._line[self._line.rfind("\r", 0, -1) + 1 :][: 4 * MAX_LINE_LENGTH]
        for line in lines:
            self._capture.keep(self._name, line)

    def end_line(self) -> None:
        """Keep the line that has no newline yet."""
        if self._line:
            self._capture.keep(self._name, self._line)
            self._line = ""

    def __getattr__(self, name: str) -> Any:  # whatever the stream has
        return getattr(self._stream, name)


class ConsoleCapture:
    """Puts a `Tee` before stdout and stderr, and takes it away again if it is still there."""

    def __init__(self, recorder: Recorder) -> None:
        self.active = False
        # Its lock serves here too: of two, a print() and a log() that warns could each hold one.
        self.recorder = recorder
        self._tees: dict[StreamName, Tee] = {}
        self._second = 0
        self._in_second = 0
        self._left_out = 0

    def start(self) -> None:
        """Begin to keep what is printed."""
        names: tuple[StreamName, ...] = ("stdout", "stderr")
        for name in names:
            stream = getattr(sys, name)
            if stream is not None:
                self._tees[name] = Tee(stream, name, self)
                setattr(sys, name, self._tees[name])
        self.active = bool(self._tees)

    def pause(self) -> None:
        """Keep nothing for now: a forked child that logs nothing prints for itself only."""
        self.active = False

    def go_on(self) -> None:
        """Keep again what is printed, after `pause`."""
        self.active = bool(self._tees)

    def stop(self) -> None:
        """Keep the last unfinished lines, and give the streams back."""
        for name, tee in self._tees.items():
            if self.active:
                tee.end_line()
            if getattr(sys, name) is tee:
                setattr(sys, name, tee._stream)  # noqa: SLF001  # the tee is ours
        self._say_left_out()
        self.active = False
        self._tees.clear()

    def keep(self, stream: StreamName, line: str) -> None:
        """Record one line; beyond 1,000 in a second they are counted only."""
        now = time.time()
        if int(now) != self._second:
            self._say_left_out()
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        if self._in_second > MAX_LINES_A_SECOND:
            self._left_out += 1
            return
        self._record(stream, now, shown_line(line))

    def _say_left_out(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._record(
                "stderr",
                time.time(),
                f"runhue: {count:,} lines were left out, more than {MAX_LINES_A_SECOND:,} came in a second",
            )

    def _record(self, stream: StreamName, moment: float, text: str) -> None:
        storable = text.encode("utf-8", "backslashreplace").decode()
        try:
            self.recorder.record(ConsoleWritten(stream, moment, storable))
        except RunFinished:
            self.active = False
