"""What one request of `file_stream` says, as batches of our events that begin behind the writer's records."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from runhue_server.gateway.lines import Chunk, Post, Unreadable, object_of
from runhue_server.gateway.row_groups import RowGroups
from runhue_server.gateway.writers import Marks, Session, marks_text
from runhue_shared.events import (
    RUNTIME_KEY,
    TIMESTAMP_KEY,
    ConsoleLine,
    Finish,
    LogBatch,
    SummarySeen,
    flatten,
)
from runhue_shared.series.values import is_json
from runhue_shared.settings import Settings

HISTORY, EVENTS, CONSOLE, SUMMARY = (
    "wandb-history.jsonl",
    "wandb-events.jsonl",
    "output.log",
    "wandb-summary.json",
)
STEP_KEY = "_step"
MARKER_KEY = "_wandb"
LAST_STEP = 2**63 - 1
LONGEST_LINE = 1_000_000

ROW_BYTES = 64
CONSOLE_BYTES = 512
NEW_KEY_BYTES = 256
"""What a row, a console line and a new key count for beside their text: folding them takes time too."""

SETTLED_SECONDS = 60.0
"""A run that says it ended so long before its last request was logged offline: it ended then."""

EARLIEST_START = 946_684_800.0
"""The year 2000; an earlier start is a clock that was never set."""

_PLAIN_LINE = re.compile(r"(ERROR )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)Z? ?(.*)", re.DOTALL)


class Refusal(NamedTuple):
    """Why a line, or a value in one, was not kept; `field` names the key where there is one."""

    code: str
    field: str
    message: str


class _Cut:
    """Records for one batch; `size` is about what they take."""

    def __init__(self, seq_lo: int) -> None:
        self.seq_lo = seq_lo
        self.records = 0
        self.size = 0
        self.rows = RowGroups()
        self.system = RowGroups()
        self.console: list[ConsoleLine] = []
        self.summary: list[SummarySeen] = []
        self.finish: list[Finish] = []
        self._keys: set[str] = set()

    def next_seq(self) -> int:
        self.records += 1
        return self.seq_lo + self.records - 1

    def add_row(self, to: RowGroups, step: int, values: dict[str, Any], length: int) -> None:
        """Add a row of so many characters."""
        names = to.add(self.records, step, values)
        if names is not None:
            new = names - self._keys
            self._keys |= new
            self.size += NEW_KEY_BYTES * len(new)
        self.records += 1
        self.size += length + ROW_BYTES

    def batch(self) -> LogBatch:
        """A batch says at least one seq, also when all it has to tell is in the marks."""
        return LogBatch(
            self.seq_lo,
            self.seq_lo + max(self.records, 1) - 1,
            rows=self.rows.columns() if self.rows else None,
            system=self.system.columns() if self.system else None,
            console=self.console,
            summary_seen=self.summary,
            finish=self.finish,
        )


class Translation:
    """The lines of a post beyond the session's marks.

    After `batches()` is exhausted: `refused` counts what was not kept, `nested` has the path of each dotted
    name that flattening made and that is not in `known_nested`, `started_at` when the first row says when
    the run began.
    """

    def __init__(
        self, post: Post, digest: str, session: Session, known_nested: set[str], limits: Settings, now: float
    ) -> None:
        self._post = post
        self._digest = digest
        self._session = session
        self._known_nested = known_nested
        self._limits = limits
        self._now = now
        self._marks = msgspec.structs.replace(session.marks)
        self._cut = _Cut(session.next_seq)
        self._runtime = 0.0
        self.refused: Counter[Refusal] = Counter()
        self.nested: dict[str, list[str]] = {}
        self._began = min(session.started_at, now)
        self.started_at: float | None = None

    def batches(self) -> Iterator[tuple[LogBatch, str]]:
        """Batches in their order, each with the marks that go with it."""
        files = self._post.files
        self._marks.preempting |= self._post.preempting
        yield from self._history(files.get(HISTORY, Chunk()))
        yield from self._events(files.get(EVENTS, Chunk()))
        yield from self._console(files.get(CONSOLE, Chunk()))
        self._add_summary(files.get(SUMMARY, Chunk()).content)
        if self._post.complete:
            self._add_finish()
        self._marks.post = self._digest
        yield self._take()

    def _take(self) -> tuple[LogBatch, str]:
        cut = self._cut
        batch = cut.batch()
        self._cut = _Cut(batch.seq_hi + 1)
        return batch, marks_text(self._marks)

    def _is_full(self) -> bool:
        return self._cut.size >= self._limits.max_batch_bytes

    def _history(self, chunk: Chunk) -> Iterator[tuple[LogBatch, str]]:
        for number, line in new_lines(chunk, self._marks.history):
            values = self._values(line)
            if values is not None:
                step = self._step(values.pop(STEP_KEY, None), number)
                if step is not None:
                    self._note_times(values)
                    flat = self._flat(values) if line.count("{") > 1 else values
                    self._cut.add_row(self._cut.rows, step, flat, len(line))
            self._marks.history = number + 1
            if self._is_full():
                yield self._take()

    def _events(self, chunk: Chunk) -> Iterator[tuple[LogBatch, str]]:
        for number, line in new_lines(chunk, self._marks.events):
            values = self._values(line)
            if values is not None:
                self._note_times(values)
                step = _milliseconds(values.get(TIMESTAMP_KEY), self._now)
                self._cut.add_row(self._cut.system, step, self._flat(values), len(line))
            self._marks.events = number + 1
            if self._is_full():
                yield self._take()

    def _console(self, chunk: Chunk) -> Iterator[tuple[LogBatch, str]]:
        # Lines below the mark were said again to be replaced: progress bars do that.
        for number, line in enumerate(chunk.content, chunk.offset):
            self._cut.console.append(console_line(line, self._cut.next_seq(), number, self._now))
            self._cut.size += len(line) + CONSOLE_BYTES
            self._marks.output = max(self._marks.output, number + 1)
            if self._is_full():
                yield self._take()

    def _add_summary(self, lines: list[str]) -> None:
        """Each line is the whole summary: the last one counts."""
        values = self._read(lines[-1]) if lines else None
        if values is None:
            return
        marker = values.get(MARKER_KEY)
        runtime = marker.get("runtime") if isinstance(marker, dict) else None
        if isinstance(runtime, int | float) and math.isfinite(runtime):
            self._runtime = float(runtime)
        self._cut.summary.append(SummarySeen(self._cut.next_seq(), values))

    def _add_finish(self) -> None:
        code = self._post.exitcode
        failed = "preempted" if self._marks.preempting else "failed"
        state: Literal["finished", "failed", "preempted"] = "finished" if code == 0 else failed  # type: ignore[assignment]  # one of two
        self._cut.finish.append(Finish(self._cut.next_seq(), code, state, self._ended_at()))
        self._marks.complete = True

    def _ended_at(self) -> float:
        told = max(self._marks.time, self._began + self._runtime)
        return told if EARLIEST_START < told < self._now - SETTLED_SECONDS else self._now

    def _values(self, line: str) -> dict[str, Any] | None:
        """The values of a row, still nested; None for a line that cannot be read."""
        values = self._read(line)
        if values is not None:
            values.pop(MARKER_KEY, None)
            if "" in values:
                del values[""]
                self._refuse("key_empty", "", "a metric key is empty: give it a name")
        return values

    def _read(self, line: str) -> dict[str, Any] | None:
        """The JSON object in a line without what is nested too deep; None when it cannot be read."""
        try:
            values = object_of(line)
        except Unreadable as unreadable:
            self._refuse(unreadable.code, "", str(unreadable))
            return None
        if "[" in line or line.count("{") > 1:
            self._drop_too_deep(values, line)
        return values

    def _drop_too_deep(self, values: dict[str, Any], line: str) -> None:
        deepest = self._limits.max_json_depth
        if line.count("{") + line.count("[") <= deepest:
            return
        for key in [key for key, value in values.items() if not is_json(value, deepest)]:
            del values[key]
            message = f"{key[:80]!r} is nested deeper than {deepest}: log it flatter"
            self._refuse("json_too_deep", key, message)

    def _step(self, told: Any, number: int) -> int | None:  # JSON
        step = number
        if isinstance(told, int) and not isinstance(told, bool):
            step = told
        elif isinstance(told, float) and told.is_integer():
            step = int(told)
        if 0 <= step <= LAST_STEP:
            return step
        self._refuse("step_out_of_range", STEP_KEY, f"step {step} is not in 0..{LAST_STEP}")
        return None

    def _flat(self, values: dict[str, Any]) -> dict[str, Any]:
        if dict not in map(type, values.values()):
            return values
        flat = flatten(values)
        if any(name not in values and name not in self._known_nested for name in flat):
            self._note_nested(values, flat)
        return flat

    def _note_nested(self, values: dict[str, Any], flat: dict[str, Any]) -> None:
        for path in _paths(values, ()):
            name = ".".join(path)
            if len(path) > 1 and name in flat and name not in values and self._may_name(name):
                self.nested.setdefault(name, list(path))
                self._known_nested.add(name)

    def _may_name(self, name: str) -> bool:
        return len(name) <= self._limits.max_key_length and "\0" not in name

    def _note_times(self, values: dict[str, Any]) -> None:
        told = values.get(TIMESTAMP_KEY)
        if not isinstance(told, float | int) or not EARLIEST_START < told < self._now + SETTLED_SECONDS:
            return
        if self._marks.time == 0.0:
            self._note_start(float(told), values.get(RUNTIME_KEY))
        if told > self._marks.time:
            self._marks.time = float(told)

    def _note_start(self, told: float, runtime: Any) -> None:  # JSON
        """The session's first row says when the run began, which matters if that is long ago."""
        began = told - (runtime if isinstance(runtime, float | int) and 0 <= runtime < told else 0.0)
        if EARLIEST_START < began < self._session.started_at - 1.0:
            self.started_at = self._began = float(began)

    def _refuse(self, code: str, field: str, message: str) -> None:
        self.refused[Refusal(code, field, message)] += 1


def new_lines(chunk: Chunk, mark: int) -> Iterator[tuple[int, str]]:
    """(number, line) of those at or beyond the mark. A file may begin at any number: resumed ones do."""
    first = max(mark - chunk.offset, 0)
    return enumerate(chunk.content[first:] if first else chunk.content, chunk.offset + first)


def says_new_lines(post: Post, marks: Marks) -> bool:
    """Whether the post has a line of any file that its session does not have."""
    durable = {HISTORY: marks.history, EVENTS: marks.events, CONSOLE: marks.output}
    return any(
        name in durable and chunk.content and chunk.offset + len(chunk.content) > durable[name]
        for name, chunk in post.files.items()
    )


def unknown_files(post: Post) -> list[str]:
    """Files of the post that the gateway has no meaning for."""
    return sorted(post.files.keys() - {HISTORY, EVENTS, CONSOLE, SUMMARY})


def _paths(values: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where each leaf is, in the sense of `events.flatten`."""
    for key, value in values.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from _paths(value, (*above, key))
        else:
            yield (*above, key)


def _milliseconds(told: Any, now: float) -> int:  # JSON
    """A time as the step of a system sample; now for what is no time."""
    if isinstance(told, float | int) and 0 <= told < LAST_STEP // 1000:
        return round(told * 1000)
    return round(now * 1000)


def console_line(line: str, seq: int, number: int, now: float) -> ConsoleLine:
    """A line of `output.log`: JSON with `ts, level, label, content`, or `[ERROR ]TIME text`.

    The lines of stderr are those of level error. A line of neither form is text of now.
    """
    if line.startswith("{"):
        found = _structured_line(line, seq, number, now)
        if found is not None:
            return found
    plain = _PLAIN_LINE.match(line)
    if plain is None:
        return ConsoleLine(seq, "stdout", now, _one_line(line), number)
    stream: Literal["stdout", "stderr"] = "stderr" if plain[1] else "stdout"
    return ConsoleLine(seq, stream, _time(plain[2], now), _one_line(plain[3]), number)


def _structured_line(line: str, seq: int, number: int, now: float) -> ConsoleLine | None:
    try:
        said = object_of(line)
    except Unreadable:
        return None
    content, label = said.get("content"), said.get("label")
    if not isinstance(content, str):
        return None
    stream: Literal["stdout", "stderr"] = "stderr" if said.get("level") == "error" else "stdout"
    at = said.get("ts")
    time = _time(at, now) if isinstance(at, str) else now
    return ConsoleLine(
        seq, stream, time, _one_line(content), number, label[:500] if isinstance(label, str) else ""
    )


def _one_line(text: str) -> str:
    return text.rstrip("\r\n")[:LONGEST_LINE]


def _time(text: str, now: float) -> float:
    """Seconds of an ISO time, which is UTC when it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return now
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
