"""Uploads that nobody announced, and what crashes left of others."""

import threading

import structlog

from runhue_server.storage import uploads
from runhue_shared.messages import Message

_busy = threading.Lock()
_log = structlog.get_logger(__name__)


def sweep_uploads() -> list[Message]:
    """Sweep in a thread: hashing what came can take minutes, and other chores do not wait for it."""
    if _busy.acquire(blocking=False):
        threading.Thread(target=_sweep, name="sweep-uploads", daemon=True).start()
    return []


def _sweep() -> None:
    try:
        uploads.sweep()
    except Exception as error:  # noqa: BLE001  # it outlives every outage; the next sweep tries again
        _log.warning("uploads_not_swept", error=str(error))
    finally:
        _busy.release()
