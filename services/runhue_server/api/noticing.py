"""Note that someone looks at a workspace's colors, so that they are kept fresh."""

import threading
import time

import redis
import structlog

from runhue_shared import db
from runhue_shared.db import workspaces
from runhue_shared.live import WATCH_TTL_SECONDS, mark_watched
from runhue_shared.queue import redis_client

EVERY_SECONDS = WATCH_TTL_SECONDS / 3
MOST_REMEMBERED = 10_000

_noted: dict[int, float] = {}
_lock = threading.Lock()
_log = structlog.get_logger(__name__)


def note_reader(workspace_id: int) -> None:
    """Say it to the coloring worker, at most every 20 s; without Redis colors are refreshed less often."""
    if not _is_due(workspace_id):
        return
    with db.transaction() as tx:
        workspaces.note_read(tx, workspace_id)
    try:
        mark_watched(redis_client(), workspace_id)
    except redis.RedisError as error:
        _log.warning("watch_not_noted", workspace_id=workspace_id, error=str(error))


def _is_due(workspace_id: int) -> bool:
    now = time.monotonic()
    with _lock:
        if _noted.get(workspace_id, -EVERY_SECONDS) > now - EVERY_SECONDS:
            return False
        if len(_noted) >= MOST_REMEMBERED:
            _noted.clear()
        _noted[workspace_id] = now
    return True
