"""What wakes the coloring worker. Handlers may run twice: marks and events are deleted with their effect."""

import structlog
from kombu.exceptions import OperationalError as QueueAway
from redis.exceptions import RedisError

from runhue_server.coloring.relay import publish_outbox
from runhue_server.coloring.schedule import recolor_due_scales
from runhue_shared.messages import OutboxFilled, ScalesDirty
from runhue_shared.queue import enqueue, handles, redis_client

log = structlog.get_logger()


@handles(ScalesDirty)
def recolor(_message: ScalesDirty) -> None:
    """Recolor what is due and publish it; queue up again when there was more than one turn of work."""
    if recolor_due_scales(redis_client()):
        try:
            enqueue(ScalesDirty())
        except (RedisError, QueueAway) as error:
            log.warning("wake-up not sent", task=ScalesDirty.task, error=str(error))


@handles(OutboxFilled)
def publish_events(_message: OutboxFilled) -> None:
    """Publish committed events; when Redis is away they stay, and the sweeper wakes again."""
    try:
        publish_outbox(redis_client())
    except RedisError as error:
        log.warning("events wait for Redis", error=str(error))
