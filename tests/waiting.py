"""Waiting for what other threads and processes do, with a deadline."""

import time
from collections.abc import Callable

from runhue_shared import db


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def somebody_waits_for(table: str) -> bool:
    """Whether a statement waits for a lock on the table, so that it will go on when this lock is gone."""
    with db.transaction() as tx:
        rows = tx.execute("SELECT 1 FROM pg_locks WHERE relation = %s::regclass AND NOT granted", (table,))
        return rows.fetchone() is not None
