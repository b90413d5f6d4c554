"""What wakes the media worker. The handler may run twice: what was inspected does not wait any more."""

import time
from functools import lru_cache
from typing import Final

import psycopg
import psycopg_pool
import structlog
from kombu.exceptions import OperationalError as QueueAway
from redis.exceptions import RedisError

from runhue_server.media.inspection import NoRoom, inspect
from runhue_server.media.inspection_notes import Notes
from runhue_server.media.sandbox import BoundedProcess, EndedWithoutResult, Limits, NotStarted
from runhue_shared import db
from runhue_shared.blobs.store import StoreAway
from runhue_shared.db import inspections
from runhue_shared.db.inspections import Waiting
from runhue_shared.messages import MediaStored
from runhue_shared.queue import enqueue, handles, is_stopping
from runhue_shared.settings import settings
from runhue_shared.telemetry import touch_heartbeat

WORK_SECONDS: Final = 2.0
"""After so long a message ends, and another one goes on: heartbeats and signals come between."""

AT_ONCE: Final = 32
LEASE_SECONDS: Final = 20.0
HOLD_SECONDS: Final = 5.0
"""Leases are short, and made longer while somebody is at it: what a killed worker had is soon taken again."""

TROUBLE_SECONDS: Final = 10.0
"""So long do items wait that could not be looked at for what is wrong with this machine, or the store."""

NO_ROOM_SECONDS: Final = 600.0
"""So long waits an item that is too large for the room on the disk, while others are looked at."""

WORK_FOLDER: Final = "inspecting"

DATABASE_AWAY: Final = (psycopg.OperationalError, psycopg_pool.PoolTimeout)

_log = structlog.get_logger(__name__)


class Stopping(Exception):
    """This worker was asked to stop: others take what it was at."""


class Shift:
    """What this process does with its messages; it lasts from one to the next.

    Items of a batch that a worker dies with are taken alone the next time, so that a harmless one is not
    blamed for its neighbor.
    """

    def __init__(self) -> None:
        limits = Limits(settings().media_seconds, settings().media_memory_bytes)
        self.process = BoundedProcess(limits, settings().data_dir / WORK_FOLDER, self._while_waiting)
        self._notes = Notes()
        self._current: list[Waiting] = []
        self._rest: list[Waiting] = []
        self._until = 0.0
        self._held_at = 0.0

    def work(self) -> None:
        """Inspect what is due, for about `WORK_SECONDS`; an item that was begun is brought to its end."""
        self._until = time.monotonic() + WORK_SECONDS
        self._notes.write()
        goes_on = True
        while goes_on and time.monotonic() < self._until:
            goes_on = self._batch(left_over=True) + self._batch(left_over=False) > 0

    def _batch(self, *, left_over: bool) -> int:
        """Take some items and inspect them; how many. 0 when there is no sense in going on."""
        with db.transaction() as tx:
            taken = inspections.take(tx, 1 if left_over else AT_ONCE, LEASE_SECONDS, left_over=left_over)
        self._held_at = time.monotonic()
        self._rest = taken[::-1]
        try:
            while self._rest:
                self._inspect(self._rest.pop())
                self._while_waiting()
        except (StoreAway, NotStarted) as error:
            _log.warning("inspections_wait", error=str(error))
            self._give_back(TROUBLE_SECONDS)
            return 0
        except Stopping:
            self._give_back()
            return 0
        finally:
            self._notes.write()
        return len(taken)

    def _inspect(self, job: Waiting) -> None:
        self._current = [job]
        try:
            self._notes.add(inspect(self.process, job, self._while_waiting))
        except EndedWithoutResult as error:
            _log.warning("inspection_ended", kind=job.kind, sha256=job.sha256.hex(), error=str(error))
            self._notes.give_back([job], counts=True)
        except NoRoom as error:
            _log.warning("inspection_waits", kind=job.kind, sha256=job.sha256.hex(), error=str(error))
            self._notes.give_back([job], NO_ROOM_SECONDS)
        except (StoreAway, NotStarted):
            self._notes.give_back([job], TROUBLE_SECONDS)
            raise
        except Stopping:
            self._notes.give_back([job])
            raise
        finally:
            self._current = []

    def _while_waiting(self) -> None:
        """Say that this process lives and is at it, and leave to others what it has no time for."""
        touch_heartbeat()
        if is_stopping():
            raise Stopping
        if time.monotonic() > self._until:
            self._give_back()
        try:
            self._notes.write_old()
            self._hold()
        except DATABASE_AWAY as error:
            _log.warning("results_wait", error=str(error))

    def _give_back(self, seconds: float = 0.0) -> None:
        self._notes.give_back(self._rest, seconds)
        self._rest = []

    def _hold(self) -> None:
        jobs = [*self._current, *self._rest]
        if not jobs or time.monotonic() - self._held_at < HOLD_SECONDS:
            return
        self._held_at = time.monotonic()
        with db.transaction() as tx:
            inspections.hold(tx, jobs, LEASE_SECONDS)


@lru_cache(maxsize=1)
def shift() -> Shift:
    """The process's shift; nothing is started before there is something to do."""
    return Shift()


@handles(MediaStored)
def inspect_media(_message: MediaStored) -> None:
    """Inspect stored bytes for a while; queue up again when more wait."""
    shift().work()
    with db.transaction() as tx:
        more = inspections.is_due(tx)
    if more:
        _send()


def _send() -> None:
    """Go on soon, or leave it to the sweeper when the queue is away."""
    try:
        enqueue(MediaStored())
    except (RedisError, QueueAway) as error:
        _log.warning("wake-up not sent", task=MediaStored.task, error=str(error))
