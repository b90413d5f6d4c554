"""Publishing: committed events from the outbox to their project's stream, in order, at least once."""

import redis

from runhue_shared import db, live
from runhue_shared.db import outbox

BATCH = 500


def publish_outbox(client: "redis.Redis") -> int:
    """Publish every committed event; returns how many.

    An event is deleted after it is published, so a crash between the two repeats it; readers ignore what they
    have (docs/api.md).

    Raises:
        redis.RedisError: Redis is away; what is not published stays for the next call.
    """
    published = 0
    while count := _publish_batch(client):
        published += count
    return published


def _publish_batch(client: "redis.Redis") -> int:
    done: list[int] = []
    failure: redis.RedisError | None = None
    with db.transaction() as tx:
        outbox.lock_relay(tx)
        try:
            for event in outbox.oldest(tx, BATCH):
                live.publish(client, event.project_id, event.type, event.payload)
                done.append(event.id)
        except redis.RedisError as error:
            failure = error  # what is published must not be published again because of what is not
        outbox.delete(tx, done)
    if failure is not None:
        raise failure
    return len(done)
