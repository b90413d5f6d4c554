"""How busy ingest is, who is turned away for it, and what senders are told."""

import time

from prometheus_client import Gauge

from runhue_server.intake.problems import InboxFull
from runhue_server.web.problems import Unavailable
from runhue_shared import db
from runhue_shared.db import inbox
from runhue_shared.settings import MEBIBYTE, Settings

MAX_HELD_BYTES = 512 * MEBIBYTE
"""Bodies in memory, read or being read, above which new ones are turned away."""

SLOWEST_FLUSH = 10
"""Under full pressure senders wait this many times the configured flush interval."""

FULL_PRESSURE_SECONDS = 1.0
"""A commit that takes this long, waiting included, is full pressure."""

SMOOTHING = 0.2
POOL_SECONDS = 2.0

_depth = Gauge("runhue_ingest_inbox_depth", "Batches that wait to be folded, as last counted")
_held = Gauge("runhue_ingest_held_bytes", "Bytes of bodies in memory")


class Load:
    """Inbox depth, commit time and memory of this process; `hold` and `release` are the event loop's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._inbox_depth = 0
        self._commit_seconds = 0.0
        self._held_bytes = 0
        self._database_away = False

    def admit(self) -> None:
        """Let a batch in.

        Raises:
            Unavailable: the database is known to be away.
            InboxFull: the inbox or the memory for bodies is full.
        """
        self.require_database()
        high_water = self._settings.inbox_high_water_rows
        if self._inbox_depth > high_water:
            raise InboxFull(f"more than {high_water} batches wait to be folded", high_water)

    def require_database(self) -> None:
        """Raises Unavailable: the database is known to be away; waiting for it would hold the client up."""
        if self._database_away:
            raise Unavailable

    def hold(self, size: int) -> None:
        """Count bytes of a body that came in; `release` must follow, also after a refusal.

        Raises:
            InboxFull: the memory for bodies is full.
        """
        self._held_bytes += size
        if self._held_bytes > MAX_HELD_BYTES:
            raise InboxFull(f"{MAX_HELD_BYTES} bytes of bodies wait to be stored", MAX_HELD_BYTES)

    def release(self, size: int) -> None:
        """Forget bytes counted by `hold`."""
        self._held_bytes -= size

    def committed(self, oldest: float) -> None:
        """Note a commit now; `oldest` is when (monotonic) the first of its batches arrived."""
        self._database_away = False
        seconds = time.monotonic() - oldest
        self._commit_seconds += SMOOTHING * (seconds - self._commit_seconds)

    def database_failed(self) -> None:
        """Turn batches away until `committed` or `measure` finds the database back."""
        self._database_away = True

    @property
    def flush_interval_ms(self) -> int:
        """How long a sender should collect before it sends again."""
        fullness = self._inbox_depth / self._settings.inbox_high_water_rows
        pressure = min(max(fullness, self._commit_seconds / FULL_PRESSURE_SECONDS), 1.0)
        return round(self._settings.flush_interval_ms * (1 + (SLOWEST_FLUSH - 1) * pressure))

    def measure(self) -> None:
        """Count the inbox. Called each second.

        Raises:
            psycopg.OperationalError: the database is away.
        """
        with db.transaction(POOL_SECONDS) as tx:
            self._inbox_depth = inbox.depth(tx, self._settings.inbox_high_water_rows + 1)
        self._database_away = False
        # What was slow stays remembered only while it goes on.
        self._commit_seconds *= 1 - SMOOTHING
        _depth.set(self._inbox_depth)
        _held.set(self._held_bytes)
