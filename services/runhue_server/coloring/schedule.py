"""When scales are flushed: often while someone watches, seldom when nobody does, and never in a storm."""

import time
from collections.abc import Callable, Sequence

import psycopg
import redis
import structlog

from runhue_server.coloring.relay import publish_outbox
from runhue_shared import db
from runhue_shared.db.colorings import count_buckets
from runhue_shared.db.colors import (
    WaitingScale,
    interval_of,
    note_recheck_barriers,
    rechecks_due,
    waiting_scales,
)
from runhue_shared.db.recolor import flush_scales, recheck_scale
from runhue_shared.live import watch_key

log = structlog.get_logger()

MOST_SCALES = 100
"""Scales flushed in one transaction."""

NEAR_SECONDS = 0.3
"""What becomes due within this is waited for; the sweeper wakes for the rest."""

HELD_SECONDS = 0.05

BUSY_SECONDS = 5.0
"""How long one wake-up keeps a worker; far below the queue's visibility timeout."""

# Of the whole server rather than of one scale: trying the next scale would not help.
_CONNECTION_STATES = ("08", "53", "57P")


def recolor_due_scales(client: "redis.Redis", busy_seconds: float = BUSY_SECONDS) -> bool:
    """Flush scales as they become due, until none is soon; True when time was up before.

    Raises:
        psycopg.OperationalError: Postgres is away; the marks are still there.
    """
    stop_at = time.monotonic() + busy_seconds
    broken: set[int] = set()
    before: list[int] = []
    recheck_new_scales(broken)
    while time.monotonic() < stop_at:
        with db.transaction() as tx:
            waiting = [scale for scale in waiting_scales(tx) if scale.scale_id not in broken]
        waits = _waits(waiting, _watched(client, waiting))
        due = [scale_id for wait, _, scale_id in waits if wait == 0][:MOST_SCALES]
        if due:
            if due == before:
                time.sleep(HELD_SECONDS)  # another worker holds them
            broken |= flush(due)
            _publish(client)
            broken |= count([scale_id for scale_id in due if scale_id not in broken])
            before = due
        elif waits and waits[0][0] <= NEAR_SECONDS:
            time.sleep(waits[0][0])
        else:
            return False
    return True


def recheck_new_scales(broken: set[int]) -> None:
    """Look once more at every run of scales that are new, when it is safe to; adds those it cannot."""
    with db.transaction() as tx:
        note_recheck_barriers(tx)
    with db.transaction() as tx:
        due = rechecks_due(tx)
    for scale_id in due:
        try:
            with db.transaction() as tx:
                recheck_scale(tx, scale_id)
        except (psycopg.Error, ArithmeticError, ValueError) as error:
            _give_up(scale_id, error)
            broken.add(scale_id)


def flush(scale_ids: Sequence[int]) -> set[int]:
    """Flush scales in one transaction; when that fails, each in its own. Returns those that cannot be."""
    return _each_if_not_all(flush_scales, scale_ids)


def count(scale_ids: Sequence[int]) -> set[int]:
    """Count the buckets of huge scales, which no event waits for; fails as `flush`."""
    return _each_if_not_all(count_buckets, scale_ids)


def _each_if_not_all(
    act: Callable[[db.Transaction, Sequence[int]], object], scale_ids: Sequence[int]
) -> set[int]:
    try:
        with db.transaction() as tx:
            act(tx, scale_ids)
    except (psycopg.Error, ArithmeticError, ValueError) as error:
        if len(scale_ids) == 1:
            _give_up(scale_ids[0], error)
            return set(scale_ids)
        return set().union(*(_each_if_not_all(act, [scale_id]) for scale_id in scale_ids))
    return set()


def _give_up(scale_id: int, error: Exception) -> None:
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(
        _CONNECTION_STATES
    ):
        raise error
    log.error("scale cannot be recolored", scale=scale_id, error=str(error))


def _waits(scales: Sequence[WaitingScale], watched: set[int]) -> list[tuple[float, float, int]]:
    """(seconds to wait, minus seconds since the last flush, scale id), what should go first first."""
    return sorted(
        (
            scale.due_in(interval_of(scale, watched=not watched.isdisjoint(scale.workspace_ids))),
            -scale.flush_age,
            scale.scale_id,
        )
        for scale in scales
    )


def _watched(client: "redis.Redis", scales: Sequence[WaitingScale]) -> set[int]:
    """Workspaces someone looks at now; none when Redis is away."""
    workspaces = [workspace_id for scale in scales for workspace_id in scale.workspace_ids]
    if not workspaces:
        return set()
    try:
        marks = client.mget([watch_key(workspace_id) for workspace_id in workspaces])
    except redis.RedisError as error:
        log.warning("nobody seems to watch", error=str(error))
        return set()
    return {workspace_id for workspace_id, mark in zip(workspaces, marks, strict=True) if mark is not None}


def _publish(client: "redis.Redis") -> None:
    try:
        publish_outbox(client)
    except redis.RedisError as error:
        log.warning("events wait for Redis", error=str(error))
