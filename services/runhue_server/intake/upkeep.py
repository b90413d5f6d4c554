"""What ingest does each second beside requests."""

import threading

import psycopg
import structlog

from runhue_server.intake.load import Load
from runhue_server.intake.refusals import Refusals

INTERVAL_SECONDS = 1.0
STOP_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Upkeep:
    """One thread that measures the load and stores what was refused."""

    def __init__(self, load: Load, refusals: Refusals) -> None:
        self._load = load
        self._refusals = refusals
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what was refused, for at most `STOP_SECONDS`."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        away = False
        last = False
        while not last:
            last = self._stopping.wait(INTERVAL_SECONDS)
            try:
                self._load.measure()
                self._refusals.flush()
                away = False
            except psycopg.Error as error:
                self._load.database_failed()
                if not away:
                    _log.warning("database_away", error=str(error))
                away = True
