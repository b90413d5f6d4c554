"""Exports hold a database connection while their client reads, so only some run at once."""

import threading
from collections.abc import Callable

from runhue_server.web.problems import RETRY_SECONDS, Problem

EXPORTS_AT_ONCE = 8

_slots = threading.BoundedSemaphore(EXPORTS_AT_ONCE)


class TooManyExports(Problem):
    """Every slot is taken; the same request may be sent again."""

    status = 503
    code = "too_many_exports"


def export_slot() -> Callable[[], None]:
    """Take a slot; call what is returned, once, to give it back.

    Raises:
        TooManyExports: all are taken.
    """
    if not _slots.acquire(blocking=False):
        raise TooManyExports(
            f"{EXPORTS_AT_ONCE} exports are running",
            limit=EXPORTS_AT_ONCE,
            fix="send the same request again",
            retry_after=RETRY_SECONDS,
        )
    return _slots.release
