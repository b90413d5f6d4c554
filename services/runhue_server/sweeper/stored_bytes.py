"""Stored bytes: uploads that nobody announced, what crashes left, and what nobody needs any more."""

import threading
from collections.abc import Callable
from functools import lru_cache

import structlog

from runhue_server.storage import garbage, parts, uploads
from runhue_server.storage.garbage import Collector
from runhue_shared import db
from runhue_shared.db import project_settings
from runhue_shared.messages import Message
from runhue_shared.settings import settings

BLOBS_AT_ONCE = 20_000
"""How many blobs one sweep looks at: about a second of the database's time."""

FILES_AT_ONCE = 1_000

_log = structlog.get_logger(__name__)


class InThread:
    """Work that can take minutes, done in a thread so that other chores do not wait; one at a time."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._busy = threading.Lock()

    def start(self) -> None:
        """Begin, unless the last one still runs."""
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  # it outlives every outage; the next sweep tries again
            _log.warning("bytes_not_swept", work=self._name, error=str(error))
        finally:
            self._busy.release()


def sweep_uploads() -> list[Message]:
    """Take over what came to the object store, and forget what never came."""
    _uploads.start()
    return []


def collect_garbage() -> list[Message]:
    """Remove bytes that nothing names any more."""
    _garbage.start()
    return []


def remove_nameless() -> list[Message]:
    """Remove bytes that a crash left in the store before they were noted."""
    _nameless.start()
    return []


def expire_media() -> list[Message]:
    """Media of projects that keep them for a time only lose their bytes."""
    while True:
        with db.transaction() as tx:
            count = project_settings.expire_media(tx, FILES_AT_ONCE)
        if count:
            _log.info("media_expired", files=count)
        if count < FILES_AT_ONCE:
            return []


def collect() -> None:
    """One sweep: files of deleted runs, abandoned uploads, then bytes that nothing names."""
    while garbage.remove_files_of_deleted_runs(settings().deleted_run_grace) == garbage.FILES_AT_ONCE:
        pass
    parts.forget_abandoned()
    gone = _collector(settings().blob_grace).collect(BLOBS_AT_ONCE)
    if gone.blobs:
        _log.info("bytes_removed", blobs=gone.blobs, bytes=gone.bytes)


@lru_cache(maxsize=1)
def _collector(grace: float) -> Collector:
    """The process's: it knows how far it has come."""
    return Collector(grace)


def _remove_nameless() -> None:
    gone = garbage.remove_nameless(settings().blob_grace)
    if gone.blobs:
        _log.info("nameless_bytes_removed", blobs=gone.blobs, bytes=gone.bytes)


_uploads = InThread("sweep-uploads", uploads.sweep)
_garbage = InThread("collect-garbage", collect)
_nameless = InThread("remove-nameless", _remove_nameless)
