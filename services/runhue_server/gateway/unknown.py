"""What clients ask for and the gateway does not know: counted in memory, stored by a thread of its own."""

import re
import threading
from collections import Counter
from typing import Literal

import psycopg
import structlog

from runhue_shared import db
from runhue_shared.db import gateway_unknown

Kind = Literal["operation", "field", "argument", "type", "input", "path"]

FLUSH_SECONDS = 3.0
STOP_SECONDS = 5.0
MOST_HELD = 5_000
"""Different unknown things in memory; more are not counted until these are stored."""

LONGEST_NAME = 200
LONGEST_CLIENT = 64
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]")

_log = structlog.get_logger(__name__)


class UnknownLog:
    """One thread that stores the counts; `note_unknown` never waits for the database."""

    def __init__(self) -> None:
        self._counts: Counter[gateway_unknown.Unknown] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unknown", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what was counted, for at most `STOP_SECONDS`."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def note_unknown(self, operation: str, kind: Kind, name: str, client: str) -> None:
        """Count one thing that a request asked for. `client`: see `short_client`; never raises."""
        key = gateway_unknown.Unknown(_shown(operation), kind, _shown(name), client)
        with self._lock:
            if key in self._counts or len(self._counts) < MOST_HELD:
                self._counts[key] += 1

    def flush(self) -> None:
        """Store the counts.

        Raises:
            psycopg.Error: they could not be stored, and are kept.
        """
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with db.transaction() as tx:
                gateway_unknown.count(tx, counts)
        except psycopg.Error:
            with self._lock:
                self._counts += counts
            raise

    def _run(self) -> None:
        last = False
        while not last:
            last = self._stopping.wait(FLUSH_SECONDS)
            try:
                self.flush()
            except psycopg.Error as error:
                _log.warning("unknown_not_counted", error=str(error))


def short_client(user_agent: str) -> str:
    """What a `User-Agent` says of the client and its version, without what it says of the machine."""
    return _shown(user_agent.partition(" (")[0].strip())[:LONGEST_CLIENT]


def _shown(text: str) -> str:
    return _NOT_SHOWN.sub("?", text[:LONGEST_NAME])
