"""Wake workers after a commit; a lost wake-up costs latency only."""

import kombu.exceptions
import redis
import structlog

from runhue_shared.messages import Message, OutboxFilled, ScalesDirty
from runhue_shared.queue import enqueue

_log = structlog.get_logger(__name__)


def wake(*messages: Message) -> None:
    """Send wake-ups; when Redis is away the sweeper finds the work."""
    for message in messages:
        try:
            enqueue(message)
        except (redis.RedisError, kombu.exceptions.OperationalError) as error:
            _log.warning("wake_up_lost", task=message.task, error=str(error))


def wake_coloring() -> None:
    """Runs may have changed value, and events wait."""
    wake(ScalesDirty(), OutboxFilled())
