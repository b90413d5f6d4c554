"""What wakes the aggregation worker. Handlers may run twice: what is done is gone from the inbox."""

from collections.abc import Sequence

import structlog
from kombu.exceptions import OperationalError as QueueAway
from redis.exceptions import RedisError

from runhue_server.aggregation.compact import compact_partition
from runhue_server.aggregation.fold import Folded, TooManyBadBatches, fold_partition
from runhue_shared import db
from runhue_shared.db import partitions
from runhue_shared.db.metrics import MetricIds
from runhue_shared.messages import LogBatchStored, Message, OutboxFilled, RunTailGrown, ScalesDirty
from runhue_shared.queue import enqueue, handles
from runhue_shared.settings import settings

LOCK_SECONDS = 5.0
COMPACT_SECONDS = 1.0

log = structlog.get_logger()

_names = MetricIds()


@handles(LogBatchStored)
def fold_log_batches(message: LogBatchStored) -> None:
    """Fold one quantum of the partition's batches; if more wait, queue up again behind other partitions.

    When another worker holds the partition there is nothing to do: it looks again after its commit.
    """
    try:
        with db.transaction() as tx:
            if not partitions.try_lock(tx, message.part) or partitions.is_stopped(tx, message.part):
                return
            folded = fold_partition(tx, message.part, _names, settings())
    except TooManyBadBatches as error:
        _names.forget()
        _stop(message.part, str(error))
        return
    except BaseException:
        _names.forget()
        raise
    _names.keep()
    _wake(message.part, folded)


@handles(RunTailGrown)
def compact_tails(message: RunTailGrown) -> None:
    """Compact runs of the partition whose tails are large, for a second or so; queue up again if more are.

    Waits its turn for the partition, so that folding without pause cannot keep it out.
    """
    with db.transaction() as tx:
        if not partitions.wait_for_lock(tx, message.part, LOCK_SECONDS):
            return
        left = compact_partition(tx, message.part, COMPACT_SECONDS)
    if left:
        _send(RunTailGrown(part=message.part))
    _wake_if_more(message.part, [])


def _stop(part: int, reason: str) -> None:
    log.error("partition stops", part=part, reason=reason)
    with db.transaction() as tx:
        partitions.stop_partition(tx, part, reason)


def _wake(part: int, folded: Folded) -> None:
    if folded.scales_dirty:
        _send(ScalesDirty())
    if folded.events:
        _send(OutboxFilled())
    if folded.tail_grown:
        _send(RunTailGrown(part=part))
    _wake_if_more(part, folded.left)


def _wake_if_more(part: int, left: Sequence[int]) -> None:
    """Send the wake-ups that found the partition locked once more; `left` are batches that must wait."""
    with db.transaction() as tx:
        more = not partitions.is_stopped(tx, part) and partitions.has_more(tx, part, left)
    if more:
        _send(LogBatchStored(part=part))


def _send(message: Message) -> None:
    """Wake someone, or leave it to the sweeper when the queue is away."""
    try:
        enqueue(message)
    except (RedisError, QueueAway) as error:
        log.warning("wake-up not sent", task=message.task, error=str(error))
