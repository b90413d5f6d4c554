"""Which of a partition's batches can be applied now: in order per writer, decoded and consistent."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runhue_shared.db.inbox import LAST_SEQ
from runhue_shared.db.partitions import FoldingWriter, WaitingBatch
from runhue_shared.events import (
    Alert,
    ConfigEdit,
    ConsoleLine,
    Finish,
    LogBatch,
    MalformedBatch,
    MediaSetting,
    MetricDefinition,
    Rewind,
    Rows,
    RunAttributes,
    SummaryEdit,
    SummarySeen,
    decompress,
    unpack_batch,
)
from runhue_shared.series.columns import InconsistentRows, check_rows
from runhue_shared.series.points import ord_base
from runhue_shared.settings import Settings

Record = (
    ConfigEdit
    | SummaryEdit
    | SummarySeen
    | MetricDefinition
    | MediaSetting
    | ConsoleLine
    | Alert
    | RunAttributes
    | Rewind
    | Finish
)

DECODED_BYTES = 256 * 1024 * 1024
"""What the decoded batches of one transaction may take; more waits for the next.

A transaction must end long before its worker counts as hung: that one is killed, and would begin again.
"""

KEY_BYTES = 4096
"""What a key of a batch counts for: storing its name and statistics takes as long as so many bytes of points.

Two batches of 100,000 new keys each in one transaction take longer than a worker may be silent.
"""

RECORD_BYTES = 2048
"""What a console line, an edit or an alert counts for, for the same reason."""

VALUE_BYTES = 128
"""What a value that is no number counts for."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadyBatch:
    """A decoded batch and its writer, whose records up to `writer.applied_seq` are applied."""

    waiting: WaitingBatch
    writer: FoldingWriter
    batch: LogBatch

    @property
    def base(self) -> int:
        """The ord of the record `seq_lo`."""
        return ord_base(self.writer.no, self.waiting.seq_lo)

    def is_new(self, seq: int) -> bool:
        return seq > self.writer.applied_seq

    def ord(self, seq: int) -> int:
        """Place of the record `seq` in its run's order."""
        return ord_base(self.writer.no, seq)


@dataclass(slots=True)
class SortedBatches:
    """`ready` to apply; `bad` with the reason; `done`: ids of batches that add nothing; `early`: ids of
    batches that must wait for one before them."""

    ready: list[ReadyBatch] = field(default_factory=list)
    bad: list[tuple[WaitingBatch, FoldingWriter, str]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)


def sort_batches(
    waiting: Sequence[WaitingBatch], writers: Mapping[int, FoldingWriter], limits: Settings
) -> SortedBatches:
    """Decode and check what may be applied now; stops taking more when the decoded size is large."""
    result = SortedBatches()
    by_writer: dict[int, list[WaitingBatch]] = defaultdict(list)
    for batch in waiting:
        by_writer[batch.writer_id].append(batch)
    size = 0
    for writer_id, batches in by_writer.items():
        writer = writers.get(writer_id)
        if writer is None or writer.deleted:
            result.done += [batch.id for batch in batches]
            continue
        for batch in _in_order(batches, writer.applied_seq, result):
            if size < DECODED_BYTES:
                size += _take(batch, writer, limits, result)
    return result


def _in_order(batches: Sequence[WaitingBatch], applied: int, result: SortedBatches) -> Iterator[WaitingBatch]:
    for batch in sorted(batches, key=lambda batch: batch.seq_lo):
        if batch.seq_hi <= applied:
            result.done.append(batch.id)
        elif batch.seq_lo > applied + 1:
            result.early.append(batch.id)
        else:
            applied = batch.seq_hi
            yield batch


def _take(waiting: WaitingBatch, writer: FoldingWriter, limits: Settings, result: SortedBatches) -> int:
    try:
        raw = decompress(waiting.body, limits.max_decompressed_bytes)
        batch = unpack_batch(raw)
        check_batch(batch, waiting.seq_lo, waiting.seq_hi)
    except (MalformedBatch, InconsistentRows) as error:
        result.bad.append((waiting, writer, str(error)))
        return len(waiting.body)
    result.ready.append(ReadyBatch(waiting, writer, batch))
    return len(raw) + sum(map(_work, (batch.rows, batch.system))) + RECORD_BYTES * len(list(_records(batch)))


def _work(rows: Rows | None) -> int:
    """What rows count for beyond their bytes."""
    if rows is None:
        return 0
    keys = len(rows.cells) + sum(len(block.keys) for block in rows.numbers)
    return KEY_BYTES * keys + VALUE_BYTES * sum(len(cell.values) for cell in rows.cells)


def check_batch(batch: LogBatch, seq_lo: int, seq_hi: int) -> None:
    """Refuse a batch that contradicts the seqs under which it was accepted, or itself.

    Raises:
        InconsistentRows: says what does not go together.
    """
    if (batch.seq_lo, batch.seq_hi) != (seq_lo, seq_hi):
        raise InconsistentRows(f"body holds seq {batch.seq_lo}..{batch.seq_hi}, sent as {seq_lo}..{seq_hi}")
    if not 0 <= seq_lo <= seq_hi <= LAST_SEQ:
        raise InconsistentRows(f"seq {seq_lo}..{seq_hi} is not in 0..{LAST_SEQ}")
    for rows in (batch.rows, batch.system):
        if rows is not None:
            check_rows(rows, seq_hi - seq_lo)
    for record in _records(batch):
        if not seq_lo <= record.seq <= seq_hi:
            raise InconsistentRows(f"{type(record).__name__} has seq {record.seq}, not in {seq_lo}..{seq_hi}")
    for line in batch.console:
        if line.number is not None and not 0 <= line.number <= LAST_SEQ:
            raise InconsistentRows(f"a console line has number {line.number}, not in 0..{LAST_SEQ}")
    if any(rewind.step < -1 for rewind in batch.rewind):
        raise InconsistentRows("a rewind goes back behind the step -1")


def _records(batch: LogBatch) -> Iterator[Record]:
    """Everything a batch says besides rows."""
    yield from batch.config
    yield from batch.summary
    yield from batch.metrics
    yield from batch.console
    yield from batch.alerts
    yield from batch.attributes
    yield from batch.finish
    yield from batch.summary_seen
    yield from batch.media
    yield from batch.rewind
