"""Batches refused for good are counted on their run's page."""

import threading

from runhue_server.web.problems import Problem
from runhue_shared import db
from runhue_shared.db import rejections

MAX_WAITING = 1000


class Refusals:
    """Refusals collected between two flushes; reasons beyond `MAX_WAITING` are dropped."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int, str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def note(self, team_id: int, writer_id: int, problem: Problem) -> None:
        """Count one refusal of a writer's batch."""
        reason = (team_id, writer_id, problem.code, problem.field or "")
        with self._lock:
            _, count = self._waiting.get(reason, ("", 0))
            if count or len(self._waiting) < MAX_WAITING:
                self._waiting[reason] = (problem.detail, count + 1)

    def flush(self) -> None:
        """Store what was collected.

        Raises:
            psycopg.OperationalError: the database is away; what was collected is lost.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        with db.transaction() as tx:
            # In one order in every process, so that two flushes do not wait for each other.
            for (team_id, writer_id, code, field), (message, count) in sorted(waiting.items()):
                run_id = rejections.run_of_writer(tx, team_id, writer_id)
                if run_id is not None:
                    rejections.add(tx, team_id, run_id, code, field, message, count)
