"""One writer's way from its spool to the server, without threads: send, acknowledge, discard."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from runhue._assembly import Assembler, Batch
from runhue._errors import SequenceGap, ServerBusy, ServerError, ServerRefused
from runhue._file_delivery import FileDelivery
from runhue._spool import REJECTED, segments, write_private
from runhue._spool_reader import SpoolReader
from runhue._transport import Transport
from runhue_shared.events import LogBatchAccepted, StartWriter, WriterStarted, encode_batch

BATCH_BYTES = 1024 * 1024
"""Spool bytes in one batch: some 5,000 rows of ten numbers, at which the cost of a request has vanished."""

BATCH_FILES = 64
BATCH_FILE_BYTES = 64 * 1024 * 1024
"""Files are delivered ahead of their batch: with more of them its rows would wait too long."""

GAPS_IN_A_ROW = 3
SPLIT_STATUS = frozenset({400, 413, 422})


class Delivery:
    """Sends what the spool in `folder` holds, in order, each record once in effect.

    `durable_seq` is the last seq that the server has stored; `is_behind` is True when the last batch
    was full, so that more waits. `warn` gets one sentence for each
    thing that the user should know. Not thread-safe.
    """

    def __init__(
        self, folder: Path, start: StartWriter, transport: Transport, warn: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.start = start
        self.started: WriterStarted | None = None
        self.durable_seq = -1
        self.finish_sent = False
        self.is_behind = False
        self._gaps = 0
        self.flush_interval = 1.0
        self.stop_requested = False
        self._max_batch_bytes = BATCH_BYTES
        self._transport = transport
        self._warn = warn
        self._warned: set[str] = set()
        self._reader = SpoolReader(folder, self._report_damage)
        self._assembler = Assembler(0)
        self._waiting: list[Batch] = []
        self._files = FileDelivery(folder, transport, warn, self._stay_alive)

    def begin(self) -> WriterStarted:
        """Introduce the writer to the server; again after a fault is fine.

        Raises:
            ServerError: any of its kinds.
        """
        started = self._transport.start_writer(self.start)
        self.started = started
        self.flush_interval = started.flush_interval_ms / 1000
        self._max_batch_bytes = min(BATCH_BYTES, started.max_batch_bytes)
        self._pass_on(started.warnings)
        self._continue_from(started.next_seq)
        return started

    def deliver(self, below: int) -> bool:
        """Send one batch of the records with seq < `below`, or some of its files, which go ahead of it.

        Returns:
            False when there is nothing to send.

        Raises:
            ServerError: nothing is lost, call again; a refusal of single records raises nothing.
        """
        if self.started is None:
            self.begin()
        if not self._waiting:
            batch = self._next_batch(below)
            if not len(batch):
                return False
            self._waiting.append(batch)
        self._send(self._waiting[0])
        return True

    def heartbeat(self) -> None:
        """Tell the server that the writer lives.

        Raises:
            ServerError: any of its kinds.
        """
        if self.started is not None:
            self._obey(self._transport.heartbeat(self.started.writer_id))

    def _stay_alive(self) -> None:
        try:
            self.heartbeat()
        except ServerError:
            return  # the file under way will say what is wrong

    def close(self) -> None:
        """Let go of the spool's files."""
        self._reader.close()

    def _continue_from(self, seq: int) -> None:
        self._waiting.clear()
        self._reader.rewind()
        self._assembler = Assembler(seq)
        self.durable_seq = seq - 1
        if self._reader.next_seq > seq:
            self._report_damage(seq, self._reader.next_seq)

    def _next_batch(self, below: int) -> Batch:
        size = 0
        self.is_behind = False
        records = self._reader.read(below)
        for seq, payload in records:
            size += len(payload) if seq > self.durable_seq else 0
            try:
                self._assembler.feed(seq, payload)
            except (msgspec.DecodeError, ValueError) as error:
                self._warn(f"record {seq} of {self.folder} cannot be read and is skipped: {error}")
            if size >= self._max_batch_bytes or _has_enough_files(self._assembler.batch):
                self.is_behind = True
                break
        records.close()
        return self._assembler.take_batch()

    def _report_damage(self, first: int, following: int) -> None:
        self._assembler.cover(following - 1)
        self._warn(
            f"records {first} to {following - 1} of {self.folder} are damaged or missing and are skipped;"
            " the rest is sent"
        )

    def _send(self, batch: Batch) -> None:
        if self.started is None:
            raise RuntimeError("deliver() begins before it sends")
        if not self._files.deliver(self.started.writer_id, batch.files):
            return
        try:
            accepted = self._transport.send_batch(self.started.writer_id, batch.log_batch())
        except SequenceGap as gap:
            self._close_gap(gap)
            return
        except ServerRefused as refusal:
            self._divide(batch, refusal)
            return
        self._gaps = 0
        self._waiting.pop(0)
        self._obey(accepted)
        self._acknowledge(batch, accepted.durable_seq)

    def _close_gap(self, gap: SequenceGap) -> None:
        self._gaps += 1
        if self._gaps > GAPS_IN_A_ROW:
            raise ServerBusy(f"the server asks for record {gap.expected_seq} again and again")
        self._continue_from(gap.expected_seq)

    def _obey(self, accepted: LogBatchAccepted) -> None:
        self.flush_interval = accepted.flush_interval_ms / 1000
        self._max_batch_bytes = min(BATCH_BYTES, accepted.max_batch_bytes)
        self.stop_requested = self.stop_requested or accepted.stop
        self._pass_on(accepted.warnings)

    def _pass_on(self, warnings: list[str]) -> None:
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._warn(warning)

    def _acknowledge(self, batch: Batch, durable_seq: int) -> None:
        if durable_seq < batch.seq_hi:
            self._continue_from(durable_seq + 1)
            return
        self.durable_seq = durable_seq
        self._files.forget(batch.files)
        finished = self._assembler.finished_seq
        self.finish_sent = finished is not None and finished <= durable_seq
        self._discard()

    def _discard(self) -> None:
        """Delete segments whose every record is durable and not part of the open row."""
        needed = self.durable_seq + 1
        if self._assembler.open_since is not None:
            needed = min(needed, self._assembler.open_since)
        found = segments(self.folder)
        for (_, path), (following, _) in itertools.pairwise(found):
            if following <= needed:
                path.unlink(missing_ok=True)

    def _divide(self, batch: Batch, refusal: ServerRefused) -> None:
        """The server will never take this batch: halve it, down to the record at fault."""
        if refusal.status not in SPLIT_STATUS or batch.is_empty:
            raise refusal
        if len(batch) > 1:
            self._waiting[0:1] = batch.halves()
            return
        self._reject(batch, refusal)
        empty = Batch(batch.seq_lo)
        empty.seq_hi = batch.seq_hi
        self._waiting[0] = empty

    def _reject(self, batch: Batch, refusal: ServerRefused) -> None:
        folder = self.folder / REJECTED
        folder.mkdir(exist_ok=True)
        body, _ = encode_batch(batch.log_batch())
        reason = {"code": refusal.code, "field": refusal.field, "reason": str(refusal)}
        write_private(folder / f"{batch.seq_lo:020d}.batch", body)
        write_private(folder / f"{batch.seq_lo:020d}.json", json.dumps(reason).encode())
        self._warn(f"the server refuses one record for good, kept in {folder}: {refusal}")


def _has_enough_files(batch: Batch) -> bool:
    return len(batch.files) >= BATCH_FILES or batch.file_bytes >= BATCH_FILE_BYTES
