"""Stored bytes that are media by their path are looked at soon; asked for where a path comes to name them."""

import threading
import time
from collections.abc import Iterable
from typing import Final

import structlog

from runhue_shared.db import Transaction, inspections
from runhue_shared.media_kinds import claim_of
from runhue_shared.messages import MediaStored
from runhue_shared.queue import enqueue

SOON_SECONDS: Final = 0.1

_log = structlog.get_logger(__name__)


def have_inspected(tx: Transaction, team_id: int, named: Iterable[tuple[str, bytes]]) -> None:
    """Have blobs inspected that these (path, SHA-256) now name, those that are media. Idempotent.

    The worker is woken soon, by a thread of this process.
    """
    claims = [(sha256, claim) for path, sha256 in named if (claim := claim_of(path)) is not None]
    if inspections.want(tx, team_id, claims, stored=True):
        _waker.wake()


class _Waker:
    """Sends one wake-up for all that comes within `SOON_SECONDS`.

    By then the transaction that asked is over, mostly; if not the sweeper wakes the worker.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="media-waker", daemon=True)
                self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait():
            time.sleep(SOON_SECONDS)
            self._wanted.clear()
            try:
                enqueue(MediaStored())
            except Exception as error:  # noqa: BLE001  # whatever Redis does, the sweeper sends it again
                _log.warning("wake_up_lost", task=MediaStored.task, error=str(error))


_waker: Final = _Waker()
