"""Folding a partition: its waiting batches into the runs they belong to, in one transaction."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
import structlog

from runhue_server.aggregation.batches import ReadyBatch, SortedBatches, sort_batches
from runhue_server.aggregation.records import FoldedRecords, fold_records
from runhue_server.aggregation.rows import FoldedRows, fold_rows, rows_of
from runhue_shared.db import Transaction, colors, outbox, partitions, writers
from runhue_shared.db.chunks import ChunkCorrupt
from runhue_shared.db.dead_letters import DeadBatch, bury, count_rejections
from runhue_shared.db.metrics import MetricIds
from runhue_shared.db.partitions import FoldingWriter, WaitingBatch
from runhue_shared.db.tails import append_tails
from runhue_shared.settings import Settings

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
    psycopg.ProgrammingError,
)
"""What a batch can cause. Anything else (a lost connection, a deadlock, a full disk) is nobody's batch:
the transaction rolls back and is tried again."""

log = structlog.get_logger()


@dataclass(slots=True)
class Folded:
    """What one transaction did, and what to wake after its commit."""

    applied: int = 0
    dead: int = 0
    stopped: bool = False
    left: list[int] = field(default_factory=list)
    scales_dirty: bool = False
    events: bool = False
    tail_grown: bool = False


def fold_partition(tx: Transaction, part: int, names: MetricIds, limits: Settings) -> Folded:
    """Fold what waits in a partition locked by this transaction."""
    result = Folded()
    waiting = partitions.waiting_batches(tx, part, partitions.MAX_ROWS, partitions.MAX_BYTES)
    if not waiting:
        return result
    writers_by_id = partitions.folding_writers(tx, sorted({batch.writer_id for batch in waiting}))
    batches = sort_batches(waiting, writers_by_id, limits)
    applied = _apply_or_bisect(tx, part, batches.ready, names, limits, batches, result)
    handled = len(applied) + len(batches.bad)
    if handled >= RATIO_OF and len(batches.bad) >= BAD_RATIO * handled:
        raise TooManyBadBatches(len(batches.bad), handled, batches.bad[0][2])
    bury(tx, [_dead(*bad) for bad in batches.bad])
    partitions.count_batches(tx, part, len(applied), len(batches.bad))
    partitions.mark_applied(tx, _applied_seqs(applied, batches))
    partitions.delete_batches(tx, part, [*_ids(applied), *(bad[0].id for bad in batches.bad), *batches.done])
    result.applied, result.dead, result.left = len(applied), len(batches.bad), batches.early
    return result


class TooManyBadBatches(RuntimeError):
    """So large a share of a partition's batches is bad that the fault is likely elsewhere."""

    def __init__(self, bad: int, handled: int, reason: str) -> None:
        super().__init__(f"{bad} of {handled} batches could not be applied, the first because: {reason}")


def _apply_or_bisect(
    tx: Transaction,
    part: int,
    ready: Sequence[ReadyBatch],
    names: MetricIds,
    limits: Settings,
    batches: SortedBatches,
    result: Folded,
) -> list[ReadyBatch]:
    """Apply the batches; when one cannot be, find it by halves. Returns those applied."""
    if not ready:
        return []
    try:
        with tx.transaction():
            _apply(tx, part, ready, names, limits, result)
    except POISON as error:
        names.forget()
        if len(ready) == 1:
            log.warning("batch is poison", writer=ready[0].writer.id, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            batches.bad.append((ready[0].waiting, ready[0].writer, reason))
            return []
    else:
        return list(ready)
    half = len(ready) // 2
    return [
        *_apply_or_bisect(tx, part, ready[:half], names, limits, batches, result),
        *_apply_or_bisect(tx, part, ready[half:], names, limits, batches, result),
    ]


def _apply(
    tx: Transaction,
    part: int,
    ready: Sequence[ReadyBatch],
    names: MetricIds,
    limits: Settings,
    result: Folded,
) -> None:
    grown = append_tails(tx, part, dict(rows_of(ready)))
    rows = fold_rows(tx, ready, names, limits)
    records = fold_records(tx, ready, names, limits)
    count_rejections(tx, [*rows.rejections, *records.rejections])
    dirty = _mark_scales(tx, ready, rows, records)
    told = _tell(tx, ready, rows, records)
    result.scales_dirty |= dirty
    result.events |= told
    result.tail_grown |= bool(grown)


def _mark_scales(
    tx: Transaction, ready: Sequence[ReadyBatch], rows: FoldedRows, records: FoldedRecords
) -> bool:
    dirty = colors.mark_metrics(tx, [*rows.pairs, *records.summary_pairs])
    if records.configs:
        dirty |= colors.mark_configs(tx, sorted(records.configs))
    by_project: dict[int, set[int]] = defaultdict(set)
    for batch in ready:
        if batch.writer.run_id in records.runs:
            by_project[batch.writer.project_id].add(batch.writer.run_id)
    for project_id, run_ids in sorted(by_project.items()):
        dirty |= colors.mark_runs(tx, project_id, sorted(run_ids))
    return dirty


def _tell(tx: Transaction, ready: Sequence[ReadyBatch], rows: FoldedRows, records: FoldedRecords) -> bool:
    """Events of this transaction: new points, metrics that some run did not have, changed runs."""
    by_run = {batch.writer.run_id: batch.writer for batch in ready}
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
    return bool(events or records.runs)


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


def _ids(applied: Sequence[ReadyBatch]) -> list[int]:
    return [ready.waiting.id for ready in applied]


def _dead(waiting: WaitingBatch, writer: FoldingWriter, reason: str) -> DeadBatch:
    place = (writer.team_id, writer.run_id, writer.id, waiting.seq_lo, waiting.seq_hi)
    return DeadBatch(*place, reason, waiting.body)
