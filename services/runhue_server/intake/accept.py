"""Group commit: batches of all requests that wait share one transaction and one fsync."""

import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import msgspec
import psycopg
import structlog
from prometheus_client import Counter, Histogram
from psycopg_pool import PoolTimeout

from runhue_server.intake.liveness import revive
from runhue_server.intake.load import Load
from runhue_server.intake.problems import RunDeleted, SequenceGap, WriterNotFound
from runhue_server.intake.wake import Waker
from runhue_server.web.problems import Broken, Problem, Unavailable
from runhue_shared import db
from runhue_shared.db import inbox
from runhue_shared.db.inbox import InboxRow, WriterProgress, WriterRow
from runhue_shared.db.keys import Principal
from runhue_shared.events import LogBatchAccepted
from runhue_shared.messages import LogBatchStored
from runhue_shared.settings import MEBIBYTE

GROUP_BATCHES = 1000
GROUP_BYTES = 32 * MEBIBYTE
ATTEMPTS = 3
POOL_SECONDS = 2.0
LOCKED_PAUSE = 0.002
LOCKED_SECONDS = 10.0
"""A batch waits this long for a writer that is locked (by folding); then its sender is to come again."""

STOP_SECONDS = 15.0

_outcomes = Counter("runhue_ingest_batches", "Batches answered", ["outcome"])
_bytes = Counter("runhue_ingest_stored_bytes", "Bytes of bodies made durable")
_groups = Histogram(
    "runhue_ingest_group_batches", "Batches in one commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
_seconds = Histogram("runhue_ingest_commit_seconds", "Time of one group's transaction")
_log = structlog.get_logger(__name__)

Answer = bytes | Problem
"""JSON of `LogBatchAccepted`, or why not."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A batch that was read whole. `arrived` is monotonic seconds; `answer` belongs to `loop`.

    `marks`: what the writer's row keeps of how far the sender's own files are durable with this batch. Such a
    batch was cut by this server, so it is new or it is refused: it cannot be known by its seq alone.
    """

    sender: Principal
    writer_id: int
    seq_lo: int
    seq_hi: int
    crc: int
    body: bytes
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Answer]"
    arrived: float
    marks: str | None = None


class WriterAdvance:
    """One writer within a group: which of its batches are new, which are durable already."""

    __slots__ = ("duplicates", "durable_seq", "marks", "received", "writer")

    def __init__(self, writer: WriterRow) -> None:
        self.writer = writer
        self.durable_seq = writer.durable_seq
        self.marks: str | None = None
        self.received = 0
        self.duplicates = 0

    def take(self, batch: Arrival) -> bool:
        """Whether the batch is new and must be stored; False when it is durable already.

        Raises:
            WriterNotFound: the writer is another team's, or of a project that the key is not for.
            RunDeleted: its run is gone.
            SequenceGap: records before the batch are missing, or some of the batch are durable: taking
                the rest would need its body cut, which the sender does.
        """
        sender = batch.sender
        if self.writer.team_id != sender.team_id or not sender.reaches(self.writer.project_id):
            raise WriterNotFound(batch.writer_id)
        if self.writer.deleted:
            raise RunDeleted
        if batch.seq_hi <= self.durable_seq and batch.marks is None:
            self.duplicates += 1
            return False
        if batch.seq_lo != self.durable_seq + 1:
            raise SequenceGap(batch.seq_lo, self.durable_seq + 1)
        self.durable_seq = batch.seq_hi
        self.marks = batch.marks or self.marks
        self.received += 1
        return True


@dataclass(slots=True)
class Settled:
    """What one transaction made of a group."""

    advances: dict[int, WriterAdvance]
    refused: list[tuple[Arrival, Problem]] = field(default_factory=list)
    covered: list[Arrival] = field(default_factory=list)
    locked: list[Arrival] = field(default_factory=list)
    rows: list[InboxRow] = field(default_factory=list)


def settle(tx: db.Transaction, group: Iterable[Arrival]) -> Settled:
    """Decide on each batch in the order of arrival and store the new ones.

    Batches of writers that someone else has locked are left to the next group.
    """
    group = list(group)
    wanted = {batch.writer_id for batch in group}
    found = inbox.lock_free_writers(tx, list(wanted))
    locked = inbox.existing_writers(tx, list(wanted - found.keys())) if len(found) < len(wanted) else set()
    settled = Settled({writer_id: WriterAdvance(row) for writer_id, row in found.items()})
    for batch in group:
        if batch.writer_id in locked:
            settled.locked.append(batch)
        else:
            _place(settled, batch)
    progress = [
        WriterProgress(
            advance.writer.id, advance.durable_seq, advance.received, advance.duplicates, advance.marks
        )
        for advance in settled.advances.values()
        if advance.received or advance.duplicates
    ]
    if progress:
        inbox.store(tx, settled.rows, progress)
    return settled


def _place(settled: Settled, batch: Arrival) -> None:
    advance = settled.advances.get(batch.writer_id)
    try:
        if advance is None:
            raise WriterNotFound(batch.writer_id)
        is_new = advance.take(batch)
    except Problem as problem:
        settled.refused.append((batch, problem))
        return
    settled.covered.append(batch)
    if is_new:
        writer = advance.writer
        settled.rows.append(
            InboxRow(
                writer.part,
                writer.team_id,
                writer.run_id,
                writer.id,
                batch.seq_lo,
                batch.seq_hi,
                batch.crc,
                batch.body,
            )
        )


class Committer:
    """One thread that commits what waits; while it does, the next group gathers."""

    def __init__(self, load: Load, waker: Waker, max_batch_bytes: int) -> None:
        self._load = load
        self._waker = waker
        self._max_batch_bytes = max_batch_bytes
        self._waiting: SimpleQueue[Arrival | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, for at most `STOP_SECONDS`."""
        self._waiting.put(None)
        self._thread.join(STOP_SECONDS)

    def submit(self, batch: Arrival) -> None:
        """Have the batch committed; `batch.answer` is set after the COMMIT."""
        self._waiting.put(batch)

    def _run(self) -> None:
        locked: list[Arrival] = []
        running = True
        while running or locked:
            group, running = self._take(locked, running)
            locked = self._commit(group) if group else []
            if group and len(locked) == len(group):
                time.sleep(LOCKED_PAUSE)

    def _take(self, locked: list[Arrival], running: bool) -> tuple[list[Arrival], bool]:
        """(the next group, batches left over from the last one first; whether more may come)."""
        group = list(locked)
        size = 0
        while running and len(group) < GROUP_BATCHES and size < GROUP_BYTES:
            try:
                batch = self._waiting.get(block=not group)
            except Empty:
                break
            if batch is None:
                running = False
            else:
                group.append(batch)
                size += len(batch.body)
        return group, running

    def _commit(self, group: list[Arrival]) -> list[Arrival]:
        """Commit and answer a group; returns the batches whose writers were locked."""
        started = time.monotonic()
        try:
            settled = self._settle(group)
        except psycopg.Error as error:
            _log.warning("commit_failed", error=str(error), batches=len(group))
            self._answer([(batch, Unavailable()) for batch in group])
            return []
        except Exception as error:  # noqa: BLE001  # the thread must live; senders keep what is not durable
            _log.error("commit_failed", exc_info=error, batches=len(group))
            self._answer([(batch, Broken("the batch could not be stored")) for batch in group])
            return []
        self._load.committed(group[0].arrived)
        self._waker.wake({LogBatchStored(part=part) for part in {row.part for row in settled.rows}})
        self._tell(settled)
        self._revive(settled)
        _seconds.observe(time.monotonic() - started)
        _groups.observe(len(group))
        return self._keep(settled.locked)

    def _settle(self, group: list[Arrival]) -> Settled:
        """One transaction. Tried again when the connection broke: what did commit counts as durable then."""
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                with db.transaction(POOL_SECONDS) as tx:
                    settled = settle(tx, group)
                break
            except PoolTimeout:
                self._load.database_failed()
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._load.database_failed()
                if not attempts_left:
                    raise
        return settled

    def _tell(self, settled: Settled) -> None:
        interval = self._load.flush_interval_ms
        answers: list[tuple[Arrival, Answer]] = list(settled.refused)
        for batch in settled.covered:
            advance = settled.advances[batch.writer_id]
            accepted = LogBatchAccepted(
                durable_seq=advance.durable_seq,
                applied_seq=advance.writer.applied_seq,
                flush_interval_ms=interval,
                max_batch_bytes=self._max_batch_bytes,
                stop=advance.writer.stop_requested,
            )
            answers.append((batch, msgspec.json.encode(accepted)))
        self._answer(answers)
        _bytes.inc(sum(len(row.body) for row in settled.rows))
        _outcomes.labels("stored").inc(len(settled.rows))
        _outcomes.labels("duplicate").inc(len(settled.covered) - len(settled.rows))

    def _revive(self, settled: Settled) -> None:
        crashed = {
            advance.writer.run_id
            for advance in settled.advances.values()
            if advance.received and advance.writer.state == "crashed"
        }
        if crashed:
            try:
                self._waker.wake(revive(crashed))
            except psycopg.Error as error:
                _log.warning("revive_failed", error=str(error))  # the next batch finds them crashed again

    def _keep(self, locked: list[Arrival]) -> list[Arrival]:
        """Those of the locked batches that may wait longer."""
        oldest = time.monotonic() - LOCKED_SECONDS
        late = [batch for batch in locked if batch.arrived < oldest]
        self._answer([(batch, Unavailable("the writer is locked right now")) for batch in late])
        return [batch for batch in locked if batch.arrived >= oldest]

    def _answer(self, answers: Iterable[tuple[Arrival, Answer]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Arrival, Answer]]] = {}
        for batch, answer in answers:
            by_loop.setdefault(batch.loop, []).append((batch, answer))
            if isinstance(answer, Problem):
                _outcomes.labels(answer.code).inc()
        for loop, theirs in by_loop.items():
            loop.call_soon_threadsafe(_deliver, theirs)


def _deliver(answers: list[tuple[Arrival, Answer]]) -> None:
    for batch, answer in answers:
        if not batch.answer.done():  # cancelled: its client is gone
            batch.answer.set_result(answer)
