"""Records of a spool become batches for the server, the same from any starting point.

A record's seq is its place in the spool. A row takes the seq of the record that completed
it, so the records before that, which only filled the row, leave their seq empty.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from runhue import _records as records
from runhue_shared.events import (
    RUNTIME_KEY,
    TIMESTAMP_KEY,
    Alert,
    ConfigEdit,
    ConsoleLine,
    Finish,
    LogBatch,
    MediaSetting,
    MetricDefinition,
    RunAttributes,
    SummaryEdit,
    encode_rows,
    flatten,
)

RowEntry = tuple[int, int, dict[str, Any]]
"""(seq, step, flat values)."""

Part = (
    ConfigEdit | SummaryEdit | MetricDefinition | ConsoleLine | Alert | RunAttributes | MediaSetting | Finish
)


class Batch:
    """What the records `seq_lo..seq_hi` say; grows at its end, and can be halved.

    `files` are delivered ahead of it.
    """

    def __init__(self, seq_lo: int) -> None:
        self.seq_lo = seq_lo
        self.seq_hi = seq_lo - 1
        self.rows: list[RowEntry] = []
        self.system: list[RowEntry] = []
        self.parts: list[Part] = []
        self.files: list[tuple[int, records.FileSaved]] = []
        self.file_bytes = 0

    def __len__(self) -> int:
        return self.seq_hi - self.seq_lo + 1

    @property
    def is_empty(self) -> bool:
        """True when none of its seq holds anything."""
        return not (self.rows or self.system or self.parts)

    def log_batch(self) -> LogBatch:
        """The form that crosses the wire."""
        batch = LogBatch(self.seq_lo, self.seq_hi)
        if self.rows:
            batch.rows = encode_rows([(seq - self.seq_lo, step, values) for seq, step, values in self.rows])
        if self.system:
            batch.system = encode_rows([(seq - self.seq_lo, at, values) for seq, at, values in self.system])
        batch.config = [part for part in self.parts if isinstance(part, ConfigEdit)]
        batch.summary = _latest_summary(part for part in self.parts if isinstance(part, SummaryEdit))
        batch.metrics = [part for part in self.parts if isinstance(part, MetricDefinition)]
        batch.console = [part for part in self.parts if isinstance(part, ConsoleLine)]
        batch.alerts = [part for part in self.parts if isinstance(part, Alert)]
        batch.attributes = [part for part in self.parts if isinstance(part, RunAttributes)]
        batch.media = [part for part in self.parts if isinstance(part, MediaSetting)]
        batch.finish = [part for part in self.parts if isinstance(part, Finish)]
        return batch

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two batches that together say the same; only for a batch of two seq or more."""
        middle = self.seq_lo + len(self) // 2
        low, high = Batch(self.seq_lo), Batch(middle)
        low.seq_hi, high.seq_hi = middle - 1, self.seq_hi
        for half in (low, high):
            half.rows = [row for row in self.rows if half.seq_lo <= row[0] <= half.seq_hi]
            half.system = [row for row in self.system if half.seq_lo <= row[0] <= half.seq_hi]
            half.files = [file for file in self.files if half.seq_lo <= file[0] <= half.seq_hi]
            half.parts = [part for part in self.parts if half.seq_lo <= part.seq <= half.seq_hi]
        return low, high


def _latest_summary(edits: Iterable[SummaryEdit]) -> list[SummaryEdit]:
    """One edit with the last word on each key: a script may set its summary at every step."""
    merged: SummaryEdit | None = None
    removed: dict[str, None] = {}
    for edit in edits:
        merged = merged or SummaryEdit(edit.seq)
        merged.seq = edit.seq
        for key in edit.removed:
            merged.values.pop(key, None)
            removed[key] = None
        for key, value in edit.values.items():
            removed.pop(key, None)
            merged.values[key] = value
    if merged is None:
        return []
    merged.removed = list(removed)
    return [merged]


class Assembler:
    """Feeds on records in order of seq; says what those from `first_seq` on amount to.

    Earlier records only fill the open row. `open_since` is the seq of the first record the
    open row is made of, None without one: the spool must keep it.
    """

    def __init__(self, first_seq: int) -> None:
        self.batch = Batch(first_seq)
        self.open_since: int | None = None
        self.finished_seq: int | None = None
        self._step = 0
        self._open: dict[str, Any] = {}
        self._handlers: dict[type, Callable[[int, Any], None]] = {  # each takes its own kind of record
            records.OpenValues: self._fill_row,
            records.RowValues: self._complete_row,
            records.RowCommitted: lambda seq, _: self._commit(seq),
            records.OpenRowReplaced: self._replace_row,
            records.SystemSampled: self._add_system,
            records.FileSaved: self._add_file,
        }

    def feed(self, seq: int, payload: bytes) -> None:
        """Take the next record.

        Raises:
            msgspec.DecodeError: the payload is no record of this release; its seq stays empty.
        """
        if seq >= self.batch.seq_lo:
            self.batch.seq_hi = seq
        record = records.decode(payload)
        handler = self._handlers.get(type(record))
        if handler:
            handler(seq, record)
        elif seq >= self.batch.seq_lo:
            self._add_part(_PARTS[type(record)](seq, record))

    def cover(self, seq_hi: int) -> None:
        """Let the batch reach to `seq_hi`: the records up to there are lost."""
        self.batch.seq_hi = max(self.batch.seq_hi, seq_hi)

    def take_batch(self) -> Batch:
        """The batch so far; what is fed next belongs to the one that follows."""
        batch = self.batch
        self.batch = Batch(batch.seq_hi + 1)
        return batch

    def _complete_row(self, seq: int, record: records.RowValues) -> None:
        if self.open_since is None:
            self._add_row(seq, record.step, _row_of(record))
            return
        self._fill_row(seq, record)
        self._commit(seq)

    def _fill_row(self, seq: int, record: records.OpenValues | records.RowValues) -> None:
        if self.open_since is None:
            self.open_since = seq
            self._step = record.step
        self._open.update(_row_of(record))

    def _replace_row(self, seq: int, record: records.OpenRowReplaced) -> None:
        self._open = {}
        self.open_since = seq
        self._step = record.step
        if record.values:
            self._open = _row_of(record)

    def _commit(self, seq: int) -> None:
        row = self._open
        self._open = {}
        self.open_since = None
        if row:
            self._add_row(seq, self._step, row)

    def _add_row(self, seq: int, step: int, row: dict[str, Any]) -> None:
        if seq >= self.batch.seq_lo and row:
            self.batch.rows.append((seq, step, row))

    def _add_system(self, seq: int, record: records.SystemSampled) -> None:
        if seq >= self.batch.seq_lo:
            self.batch.system.append((seq, record.time_ms, record.values))

    def _add_file(self, seq: int, record: records.FileSaved) -> None:
        if seq >= self.batch.seq_lo:
            self.batch.files.append((seq, record))
            self.batch.file_bytes += record.size

    def _add_part(self, part: Part) -> None:
        if isinstance(part, Finish):
            self.finished_seq = part.seq
        self.batch.parts.append(part)


def _row_of(record: records.OpenValues | records.RowValues | records.OpenRowReplaced) -> dict[str, Any]:
    """Flat values with the row's own times; a call without values makes no row."""
    values = record.values
    if not values:
        return values
    if dict in map(type, values.values()):
        values = flatten(values)
    if TIMESTAMP_KEY not in values:
        values[TIMESTAMP_KEY] = record.time
    if RUNTIME_KEY not in values:
        values[RUNTIME_KEY] = record.runtime
    return values


def _metric(seq: int, record: records.MetricDefined) -> MetricDefinition:
    return msgspec.convert({"seq": seq, **msgspec.structs.asdict(record)}, MetricDefinition)


def _finish(seq: int, record: records.WriterFinished) -> Finish:
    return Finish(seq, record.exit_code, record.state, record.time)


_PARTS: dict[type, Callable[[int, Any], Part]] = {  # each takes its own kind of record
    records.ConfigChange: lambda seq, record: ConfigEdit(seq, record.values, record.removed),
    records.SummaryChange: lambda seq, record: SummaryEdit(seq, record.values, record.removed),
    records.MetricDefined: _metric,
    records.ConsoleWritten: lambda seq, record: ConsoleLine(seq, record.stream, record.time, record.text),
    records.AlertRaised: lambda seq, record: Alert(seq, record.title, record.text, record.level, record.time),
    records.AttributesChanged: lambda seq, record: RunAttributes(seq, **record.values),
    records.MediaShown: lambda seq, record: MediaSetting(seq, record.kind, record.key, record.value),
    records.WriterFinished: _finish,
}
