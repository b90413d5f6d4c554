"""Folding a partition: its waiting batches into the runs they belong to, in one transaction."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
import structlog

from runhue_server.aggregation.batches import ReadyBatch, SortedBatches, sort_batches
from runhue_server.aggregation.records import FoldedRecords, end_runs, fold_records
from runhue_server.aggregation.rewinds import Rewound, apply_rewinds
from runhue_server.aggregation.rows import FoldedRows, fold_rows, rows_of
from runhue_server.aggregation.snapshots import fold_snapshots
from runhue_shared.db import Transaction, colors, outbox, partitions, rewinding, writers
from runhue_shared.db.chunks import ChunkCorrupt
from runhue_shared.db.dead_letters import DeadBatch, bury, count_rejections
from runhue_shared.db.metrics import MetricIds
from runhue_shared.db.partitions import FoldingWriter, WaitingBatch
from runhue_shared.db.tails import append_tails
from runhue_shared.settings import Settings
from runhue_shared.telemetry import touch_heartbeat

RATIO_OF = 100
"""So many batches are needed to tell that a partition goes wrong."""
BAD_RATIO = 0.5
RUNS_PER_EVENT = 500

POISON = (
    ArithmeticError,
    AttributeError,
    ChunkCorrupt,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.CardinalityViolation,
    psycopg.errors.ProgramLimitExceeded,
)
"""What a batch can cause. Anything else (a lost connection, a deadlock, a full disk, a column that is
not there yet) is nobody's batch: the transaction rolls back and is tried again."""

log = structlog.get_logger()


@dataclass(slots=True)
class Folded:
    """What to wake after the commit; `left` are batches that wait for one before them."""

    left: list[int] = field(default_factory=list)
    scales_dirty: bool = False
    events: bool = False
    tail_grown: bool = False


def fold_partition(tx: Transaction, part: int, names: MetricIds, limits: Settings) -> Folded:
    """Fold what waits in a partition locked by this transaction.

    Raises:
        TooManyBadBatches: roll back; the partition should stop.
    """
    waiting = partitions.waiting_batches(tx, part, partitions.MAX_ROWS, partitions.MAX_BYTES)
    if not waiting:
        return Folded()
    writers_by_id = partitions.folding_writers(tx, sorted({batch.writer_id for batch in waiting}))
    batches = sort_batches(waiting, writers_by_id, limits)
    fold = _Fold(tx, part, names, limits, batches)
    fold.apply(batches.ready)
    fold.settle()
    return fold.result


class TooManyBadBatches(RuntimeError):
    """So large a share of a partition's batches is bad that the fault is likely elsewhere."""

    def __init__(self, bad: int, handled: int, reason: str) -> None:
        super().__init__(f"{bad} of {handled} batches could not be applied, the first because: {reason}")


class _Fold:
    """One transaction's work on a partition."""

    def __init__(
        self, tx: Transaction, part: int, names: MetricIds, limits: Settings, batches: SortedBatches
    ) -> None:
        self._tx = tx
        self._part = part
        self._names = names
        self._limits = limits
        self._batches = batches
        self._applied: list[ReadyBatch] = []
        self.result = Folded(left=batches.early)

    def apply(self, ready: Sequence[ReadyBatch]) -> None:
        """Apply batches; when one cannot be, find it by halves."""
        if not ready:
            return
        touch_heartbeat()  # finding poison takes many tries
        try:
            with self._tx.transaction():
                self._apply_all(ready)
        except POISON as error:
            self._names.forget()
            if len(ready) > 1:
                half = len(ready) // 2
                self.apply(ready[:half])
                self.apply(ready[half:])
                return
            log.warning("batch is poison", writer=ready[0].writer.id, exc_info=True)
            self._batches.bad.append((ready[0].waiting, ready[0].writer, f"{type(error).__name__}: {error}"))
            self._check_ratio()
        else:
            self._applied.extend(ready)

    def _check_ratio(self) -> None:
        bad, handled = len(self._batches.bad), len(self._batches.bad) + len(self._applied)
        if handled >= RATIO_OF and bad >= BAD_RATIO * handled:
            raise TooManyBadBatches(bad, handled, self._batches.bad[-1][2])

    def _apply_all(self, ready: Sequence[ReadyBatch]) -> None:
        tx = self._tx
        rewound = apply_rewinds(tx, self._part, ready)
        ready = rewound.batches
        grown = append_tails(tx, self._part, dict(rows_of(ready)))
        rows = fold_rows(tx, ready, self._names, self._limits)
        records = fold_records(tx, ready, self._names, self._limits)
        fold_snapshots(tx, rewound, self._names, self._limits, records)
        count_rejections(tx, [*rows.rejections, *records.rejections])
        dirty = _mark_scales(tx, rewound, rows, records)
        told = _tell(tx, rewound, rows, records)
        self.result.scales_dirty |= dirty
        self.result.events |= told
        self.result.tail_grown |= bool(grown)

    def settle(self) -> None:
        """Bury what is bad, move the writers' marks, end runs, and empty the inbox of all that is done."""
        self._check_ratio()
        tx, bad = self._tx, self._batches.bad
        bury(tx, [_dead(*one) for one in bad])
        partitions.count_batches(tx, self._part, len(self._applied), len(bad))
        partitions.mark_applied(tx, _applied_seqs(self._applied, self._batches))
        if ended := end_runs(tx, self._applied, self._limits):
            self.result.scales_dirty |= _mark_runs(tx, self._applied, ended)
            writers.announce(tx, sorted(ended))
            self.result.events = self.result.tail_grown = True
        done = [*(ready.waiting.id for ready in self._applied), *(waiting.id for waiting, _, _ in bad)]
        partitions.delete_batches(tx, self._part, [*done, *self._batches.done])


def _mark_scales(tx: Transaction, rewound: Rewound, rows: FoldedRows, records: FoldedRecords) -> bool:
    dirty = colors.mark_metrics(tx, [*rewound.pairs, *rows.pairs, *records.summary_pairs])
    if records.configs:
        dirty |= colors.mark_configs(tx, sorted(records.configs))
    return dirty | _mark_runs(tx, rewound.batches, records.runs)


def _mark_runs(tx: Transaction, ready: Sequence[ReadyBatch], changed: Collection[int]) -> bool:
    by_project: dict[int, set[int]] = defaultdict(set)
    for batch in ready:
        if batch.writer.run_id in changed:
            by_project[batch.writer.project_id].add(batch.writer.run_id)
    dirty = False
    for project_id, run_ids in sorted(by_project.items()):
        dirty |= colors.mark_runs(tx, project_id, sorted(run_ids))
    return dirty


def _tell(tx: Transaction, rewound: Rewound, rows: FoldedRows, records: FoldedRecords) -> bool:
    """Events of this transaction: new points, metrics that some run did not have, runs changed or rewound."""
    by_run = {batch.writer.run_id: batch.writer for batch in rewound.batches}
    by_project: dict[int, list[FoldingWriter]] = defaultdict(list)
    for run_id in rows.last_steps:
        by_project[by_run[run_id].project_id].append(by_run[run_id])
    events = []
    for project_id, of_project in sorted(by_project.items()):
        for start in range(0, len(of_project), RUNS_PER_EVENT):
            some = of_project[start : start + RUNS_PER_EVENT]
            events.append((some[0].team_id, project_id, "points", _points_event(some, rows.last_steps)))
        if rows.new_metrics:
            events.append((of_project[0].team_id, project_id, "keys", json.dumps({"type": "keys"})))
    outbox.append_all(tx, events)
    if records.runs:
        writers.announce(tx, sorted(records.runs))
    if rewound.new:
        rewinding.announce(tx, sorted({row.run_id for row in rewound.new}))
    return bool(events or records.runs or rewound.new)


def _points_event(runs: Sequence[FoldingWriter], last_steps: Mapping[int, int]) -> str:
    told = [{"run_id": run.public_id, "last_step": last_steps[run.run_id]} for run in runs]
    return json.dumps({"type": "points", "runs": told}, ensure_ascii=False)


def _applied_seqs(applied: Sequence[ReadyBatch], batches: SortedBatches) -> dict[int, int]:
    """The last seq of each writer that is applied or buried now."""
    found: dict[int, int] = {}
    for writer_id, seq_hi in [
        *((ready.writer.id, ready.waiting.seq_hi) for ready in applied),
        *((writer.id, waiting.seq_hi) for waiting, writer, _ in batches.bad),
    ]:
        found[writer_id] = max(found.get(writer_id, -1), seq_hi)
    return found


def _dead(waiting: WaitingBatch, writer: FoldingWriter, reason: str) -> DeadBatch:
    place = (writer.team_id, writer.run_id, writer.id, waiting.seq_lo, waiting.seq_hi)
    return DeadBatch(*place, reason, waiting.body)
