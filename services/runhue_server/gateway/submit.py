"""Batches that the gateway made enter by the same accept as those of our own SDK."""

import asyncio
import time
import zlib

import msgspec

from runhue_server.intake.accept import Arrival, Committer
from runhue_server.intake.load import Load
from runhue_server.intake.wake import Waker
from runhue_server.web.problems import Problem, Unavailable
from runhue_shared.db.keys import Principal
from runhue_shared.events import LogBatch, LogBatchAccepted, encode_batch

ANSWER_SECONDS = 30.0

_accepted = msgspec.json.Decoder(LogBatchAccepted)


class Submitter:
    """Hands batches to the committer. `loop` is the one that the committer answers to."""

    def __init__(
        self, committer: Committer, load: Load, waker: Waker, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._committer = committer
        self._load = load
        self.waker = waker
        self._loop = loop

    async def submit(
        self, principal: Principal, writer_id: int, batch: LogBatch, marks: str
    ) -> LogBatchAccepted:
        """Return once the batch is durable, with `marks` on its writer.

        Raises:
            SequenceGap: `batch.seq_lo` is not the writer's durable_seq + 1: read the writer and cut anew.
            WriterNotFound, RunDeleted: as for batches of the SDK.
            InboxFull, Unavailable: busy; the client may send the same again.
        """
        self._load.admit()
        body, _ = await asyncio.to_thread(encode_batch, batch)
        self._load.hold(len(body))
        try:
            arrival = Arrival(
                principal,
                writer_id,
                batch.seq_lo,
                batch.seq_hi,
                zlib.crc32(body),
                body,
                asyncio.get_running_loop(),
                asyncio.get_running_loop().create_future(),
                time.monotonic(),
                marks,
            )
            self._committer.submit(arrival)
            answer = await arrival.answer
        finally:
            self._load.release(len(body))
        if isinstance(answer, Problem):
            raise answer
        return _accepted.decode(answer)

    def submit_from_thread(
        self, principal: Principal, writer_id: int, batch: LogBatch, marks: str
    ) -> LogBatchAccepted:
        """`submit` for resolvers, which run in threads."""
        waiting = asyncio.run_coroutine_threadsafe(
            self.submit(principal, writer_id, batch, marks), self._loop
        )
        try:
            return waiting.result(ANSWER_SECONDS)
        except TimeoutError:
            waiting.cancel()
            raise Unavailable("the batch was not stored in time") from None
