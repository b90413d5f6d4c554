"""Note that someone looks at a workspace's colors, so that they are kept fresh."""

import threading
import time

import structlog

from runhue_server.web.problems import SERVERS_AWAY
from runhue_shared import db
from runhue_shared.db import workspaces
from runhue_shared.live import WATCH_TTL_SECONDS, mark_watched
from runhue_shared.queue import redis_client

EVERY_SECONDS = WATCH_TTL_SECONDS / 3
MOST_REMEMBERED = 10_000

_log = structlog.get_logger(__name__)


class Readers:
    """What this process said of readers; workspaces are noted at most every 20 s."""

    def __init__(self) -> None:
        self._noted: dict[int, float] = {}
        self._lock = threading.Lock()

    def note(self, workspace_id: int) -> None:
        """Say that someone reads; while servers are away, colors are only refreshed less often."""
        if not self._is_due(workspace_id):
            return
        try:
            with db.transaction() as tx:
                workspaces.note_read(tx, workspace_id)
            mark_watched(redis_client(), workspace_id)
        except SERVERS_AWAY as error:
            _log.warning("watch_not_noted", workspace_id=workspace_id, error=str(error))

    def _is_due(self, workspace_id: int) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._noted.get(workspace_id, -EVERY_SECONDS) > now - EVERY_SECONDS:
                return False
            if len(self._noted) >= MOST_REMEMBERED:
                self._noted.clear()
            self._noted[workspace_id] = now
        return True
