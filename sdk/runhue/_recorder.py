"""Turns what a process does to its run into records of its spool; the home of step and row.

Every method may be called from any thread, and from a signal handler.
"""

import operator
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex

import msgspec

from runhue import _records as records
from runhue._define_metric import StepSync
from runhue._errors import BadValue, RunFinished, StepWentBack, UsageError
from runhue._files import FileStage
from runhue._media.media import LoggedRow
from runhue._spool import NoSpool, Spool
from runhue._values import PLAIN_TYPES, plain_row
from runhue_shared.events import flatten

MAX_STEP = 2**63 - 1
KNOWN_SHAPES = 1000
"""Key sets remembered as checked; past this many they are forgotten and checked afresh."""


class Recorder:
    """One writer's `log()`.

    `next_step` is the step of the next row that names none. `runtime` is the seconds the run had
    run before this process.
    """

    def __init__(self, spool: Spool | NoSpool, *, strict_steps: bool = False) -> None:
        self.lock = threading.RLock()
        self.spool = spool
        self.next_step = 0
        self.open_step: int | None = None
        self.open_row: dict[str, Any] = {}
        self.step_sync = StepSync()
        self.closed = False
        self.before_append: Callable[[], None] | None = None
        self._strict = strict_steps
        self._shapes: dict[tuple[str, ...], int] = {}
        self._last_of_shape: dict[int, tuple[int, bytes]] = {}
        self._latest: dict[str, Any] = {}
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        self._counted_step: int | None = None
        self._counts: dict[type, int] = {}
        self._zero = time.monotonic()

    def resume(self, next_step: int, runtime: float, summary: Mapping[str, Any]) -> None:
        """Continue a run that has logged before; only ahead of the first `log()`."""
        self.next_step = next_step
        self._zero = time.monotonic() - runtime
        self._latest = dict(summary)

    @property
    def runtime(self) -> float:
        """Seconds that the run has spent in running processes."""
        return time.monotonic() - self._zero

    @property
    def step(self) -> int:
        """The step of the open row, or of the next one."""
        return self.next_step if self.open_step is None else self.open_step

    def log(
        self, values: Mapping[str, Any], step: SupportsIndex | None = None, commit: bool | None = None
    ) -> None:
        """Record one `log()` call; it is on disk when this returns.

        Raises:
            BadKey, BadValue: nothing was recorded.
            StepWentBack: under strict steps, `step` is lower than one before.
            RunFinished: the run takes no more.
        """
        if type(values) is not dict:
            values = _as_dict(values)
        shape = self._shapes.get(tuple(values))
        with self.lock:
            if self.before_append is not None:
                self.before_append()
            if self.closed:
                raise RunFinished("the run is finished: log() before finish(), or init() again")
            if shape is None or not PLAIN_TYPES.issuperset(map(type, values.values())):
                wanted = self.step if step is None else self._checked_step(step)
                values = self._converted(values, wanted)
                shape = self._shape_of(values)
            if step is None and commit is not False and self.open_step is None and not self.step_sync.active:
                self._log_row(values, shape)
            else:
                self._log_openly(values, step, commit)

    def _converted(self, values: Mapping[str, Any], step: int | None) -> dict[str, Any]:
        """The plain form of a row's values, or of the summary's; their files are recorded ahead of it."""
        counts = self._counts if step == self._counted_step else {}
        with FileStage(self.spool.files, self._shown) as stage:
            row = LoggedRow(step, stage, counts)
            try:
                values = plain_row(values, row)
            except OSError:
                stage.discard()
                row = LoggedRow(step, stage, counts)
                values = _what_can_be_kept(values, row)
        for record in stage.records:
            self._append(record)
        stage.recorded()
        if step is not None:
            self._counted_step, self._counts = step, row.counts
        return values

    def _log_row(self, values: dict[str, Any], shape: int) -> None:
        """The common case, a row by itself."""
        step = self.next_step
        if step > MAX_STEP:
            raise _past_last_step()
        self.next_step = step + 1
        record = (records.ROW_VALUES, step, time.time(), time.monotonic() - self._zero, values)
        try:
            payload = self.spool.append(record)
        except (OverflowError, UnicodeEncodeError):
            payload = self._append(records.RowValues(*record[1:]))
        self._last_of_shape[shape] = (step, payload)

    def _log_openly(self, values: dict[str, Any], step: SupportsIndex | None, commit: bool | None) -> None:
        if commit is None:
            commit = step is None
        self._open_at(step)
        merged = {**self.open_row, **values}
        if commit:
            values = {**values, **self.step_sync.missing(merged, self._last_value)}
            merged = {**merged, **values}
        kind = records.RowValues if commit else records.OpenValues
        self._append(kind(self.step, time.time(), self.runtime, values))
        self.open_row = merged
        if commit:
            self._row_complete()

    def _checked_step(self, step: SupportsIndex) -> int:
        """The step as a number, when the next row may have it."""
        wanted = _step_number(step)
        if self._strict and wanted < self.next_step and wanted != self.open_step:
            before = self.next_step - 1
            raise StepWentBack(f"step {wanted} comes after step {before}, and the settings say strict_steps")
        return wanted

    def _open_at(self, step: SupportsIndex | None) -> None:
        """Make `step` the open row's, which completes the one that was open at another step."""
        wanted = self.step if step is None else self._checked_step(step)
        if self.open_step == wanted:
            return
        if wanted > MAX_STEP:
            raise _past_last_step()
        self.complete_row()
        self.open_step = wanted
        self.next_step = max(self.next_step, wanted + 1)

    def complete_row(self) -> None:
        """Complete the open row; without one nothing happens."""
        with self.lock:
            if self.open_step is None:
                return
            missing = self.step_sync.missing(self.open_row, self._last_value)
            if missing:
                self._append(records.RowValues(self.open_step, time.time(), self.runtime, missing))
                self.open_row.update(missing)
            else:
                self._append(records.RowCommitted())
            self._row_complete()

    def _row_complete(self) -> None:
        before = self.latest()
        newest = self.open_step == self.next_step - 1
        self._latest = {**before, **self.open_row} if newest else {**self.open_row, **before}
        self.open_step = None
        self.open_row = {}

    def replace_open_row(self, values: Mapping[str, Any]) -> None:
        """The open row holds exactly `values` from now on."""
        plain_values = plain_row(values)
        with self.lock:
            self._open_at(None)
            self._append(records.OpenRowReplaced(self.step, time.time(), self.runtime, plain_values))
            self.open_row = plain_values

    def set_summary(self, values: Mapping[str, Any], removed: list[str]) -> dict[str, Any]:
        """Record summary keys set by hand, and keys removed; returns what was set, flat and plain.

        Raises:
            BadKey, BadValue: nothing is set.
        """
        with self.lock:
            self._check_open()
            changed = flatten(self._converted(values, None))
            if changed or removed:
                self._append(records.SummaryChange(changed, removed))
        return changed

    def save_files(self, files: Iterable[tuple[Path, str]]) -> None:
        """Record files of the run, each with its path in it, as they are now.

        Raises:
            BadMedia: one cannot be read; none is recorded.
        """
        with self.lock:
            self._check_open()
            stage = FileStage(self.spool.files, self._shown)
        with stage:  # without the lock: a large file must not hold up a log()
            for source, path in files:
                stage.put(source, path)
            with self.lock:
                self._check_open()
                for record in stage.records:
                    self._append(record)

    def latest(self) -> dict[str, Any]:
        """The last logged value of each key, as this process knows it."""
        with self.lock:
            for _, payload in sorted(self._last_of_shape.values()):
                record = records.decode(payload)
                if isinstance(record, records.RowValues):
                    self._latest.update(record.values)
            self._last_of_shape.clear()
            return self._latest

    def record(self, record: records.Record) -> None:
        """Append any other record."""
        with self.lock:
            self._check_open()
            self._append(record)

    def _check_open(self) -> None:
        if self.before_append is not None:
            self.before_append()
        if self.closed:
            raise RunFinished("the run is finished and takes no more changes")

    def fork(self, before_append: Callable[[], None]) -> None:
        """In the child of a fork: the open row is the parent's; `before_append` runs once, first."""
        self.lock = threading.RLock()
        self.open_step = None
        self.open_row = {}

        def once() -> None:
            self.before_append = None
            before_append()

        self.before_append = once

    def close(self, finished: records.WriterFinished) -> int:
        """Complete the open row and record the end; returns the seq of the last record."""
        with self.lock:
            if not self.closed:
                self.complete_row()
                self._append(finished)
                self.closed = True
            return self.spool.next_seq - 1

    def _append(self, record: records.Record) -> bytes:
        try:
            return self.spool.append(record)
        except (OverflowError, UnicodeEncodeError):
            pass
        return self.spool.append(_with_storable_values(record))

    def _last_value(self, key: str) -> Any:  # a logged value
        return self.latest().get(key)

    def _shape_of(self, values: dict[str, Any]) -> int:
        """A number for this set of keys, which were checked."""
        with self.lock:
            if len(self._shapes) >= KNOWN_SHAPES:
                self.latest()
                self._shapes.clear()
            return self._shapes.setdefault(tuple(values), len(self._shapes))


def _what_can_be_kept(values: Mapping[str, Any], row: LoggedRow) -> dict[str, Any]:
    """The plain form of those values whose files can be written: a full disk must not end a training."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        before = len(row.stage.records)
        try:
            kept.update(plain_row({key: value}, row))
        except OSError as error:
            row.stage.discard(before)
            row.stage.warn(f"{key} is not logged, its file cannot be written: {error.strerror or error}")
    return kept


def _as_dict(values: object) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return dict(values)
    raise BadValue(f"log() takes a dict of values by key, got {type(values).__name__}")


def _step_number(step: SupportsIndex) -> int:
    try:
        number = operator.index(step)
    except TypeError:
        raise BadValue(f"step must be an int, got {type(step).__name__}: {step!r}") from None
    if not 0 <= number <= MAX_STEP:
        raise UsageError(f"step must be 0 to {MAX_STEP}, got {number}")
    return number


def _past_last_step() -> UsageError:
    return UsageError(f"the run has logged step {MAX_STEP}, the last there is: pass a lower step=")


def _with_storable_values(record: records.Record) -> records.Record:
    """The record again, with ints beyond 64 bits and lone surrogates in a form that can be stored."""
    values = getattr(record, "values", None)
    if isinstance(values, dict):
        storable = records.with_big_integers(plain_row(values))
        return msgspec.structs.replace(record, values=storable)
    return record
