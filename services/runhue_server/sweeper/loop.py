"""The sweeper's loop. It looks, wakes and tidies; whatever it does may be done twice, by two sweepers."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from runhue_server.sweeper.stored_bytes import (
    collect_garbage,
    expire_media,
    remove_nameless,
    sweep_uploads,
)
from runhue_shared import db
from runhue_shared.db import artifact_versions, colors, inbox, inspections, outbox, writers
from runhue_shared.messages import (
    LogBatchStored,
    MediaStored,
    Message,
    OutboxFilled,
    RunTailGrown,
    ScalesDirty,
)
from runhue_shared.queue import enqueue
from runhue_shared.settings import settings
from runhue_shared.telemetry import touch_heartbeat

TAILS_SECONDS = 15.0
LIVENESS_SECONDS = 5.0
HEARTBEAT_AGE_SECONDS = 10.0
"""A running run's own last sign of life is at most about this old; its writers' are exact."""

REUNION_SECONDS = 60.0
FORGET_SECONDS = 60.0
UPLOADS_SECONDS = 60.0
GARBAGE_SECONDS = 60.0
EXPIRY_SECONDS = 600.0
NAMELESS_SECONDS = 24 * 3600.0
NAMELESS_PATIENCE = 3600.0
"""Going through the whole store is dear: a sweeper that is restarted does not do it at once."""

EXPIRED_AT_ONCE = 100

_log = structlog.get_logger(__name__)


def wake_for_batches() -> list[Message]:
    """Messages for partitions that have batches to fold."""
    with db.transaction() as tx:
        return [LogBatchStored(part=part) for part in inbox.parts_with_work(tx)]


def wake_for_events() -> list[Message]:
    """The message for committed events that are not published."""
    with db.transaction() as tx:
        return [OutboxFilled()] if outbox.is_filled(tx) else []


def wake_for_colors() -> list[Message]:
    """The message for scales whose runs changed."""
    with db.transaction() as tx:
        return [ScalesDirty()] if colors.dirty_scales_due(tx) else []


def wake_for_tails() -> list[Message]:
    """Messages for partitions with tails; the compactor decides which are worth it."""
    with db.transaction() as tx:
        return [RunTailGrown(part=part) for part in writers.parts_with_tails(tx)]


def wake_for_media() -> list[Message]:
    """The message for stored bytes that nobody looked at."""
    with db.transaction() as tx:
        return [MediaStored()] if inspections.is_due(tx) else []


def crash_silent_runs() -> list[Message]:
    """Running runs that nobody spoke for become crashed, and everyone is told."""
    with db.transaction() as tx:
        crashed = writers.crash_silent(tx, settings().heartbeat_timeout)
        writers.announce(tx, [run.id for run in crashed])
        for project_id in sorted({run.project_id for run in crashed}):
            colors.mark_runs(tx, project_id, [run.id for run in crashed if run.project_id == project_id])
    return [OutboxFilled(), ScalesDirty()] if crashed else []


def note_heartbeats() -> list[Message]:
    """Running runs show when their writers last spoke."""
    with db.transaction() as tx:
        writers.note_heartbeats(tx, HEARTBEAT_AGE_SECONDS)
    return []


def forget_old() -> list[Message]:
    """Versions of colors that nobody can ask for any more go."""
    with db.transaction() as tx:
        colors.forget_old(tx)
    return []


def forget_expired_artifacts() -> list[Message]:
    """Artifacts that were to be kept for a time only go when it is over."""
    with db.transaction() as tx:
        artifact_versions.forget_expired(tx, EXPIRED_AT_ONCE)
    return []


@dataclass
class Chore:
    """Something to do every `interval` seconds (0: each sweep). One failing does not stop the others."""

    do: Callable[[], list[Message]]
    interval: float = 0.0
    patience: float = 0.0
    """Seconds to let pass after the start, and after an outage, before doing it."""
    due: float = 0.0
    failing: bool = field(default=False)

    def sweep(self, now: float) -> None:
        """Do it when it is due, and send what it asks for; an outage is logged once, at its start and end."""
        if not self.due:
            self.due = now + self.patience
        if now < self.due:
            return
        self.due = now + self.interval
        try:
            for message in self.do():
                enqueue(message)
        except Exception as error:  # noqa: BLE001  # it outlives every outage of Postgres and Redis
            if not self.failing:
                _log.warning("chore_failed", chore=self.do.__name__, error=str(error))
            self.failing = True
            self.due = now + max(self.interval, self.patience)
            return
        if self.failing:
            _log.info("chore_works_again", chore=self.do.__name__)
        self.failing = False


def chores() -> list[Chore]:
    """All chores, the most urgent first."""
    return [
        Chore(wake_for_batches),
        Chore(wake_for_events),
        Chore(wake_for_colors),
        Chore(wake_for_media),
        Chore(wake_for_tails, TAILS_SECONDS),
        Chore(note_heartbeats, LIVENESS_SECONDS),
        # Writers that could not reach us are not silent: they get time to speak again.
        Chore(crash_silent_runs, LIVENESS_SECONDS, min(settings().heartbeat_timeout, REUNION_SECONDS)),
        Chore(forget_old, FORGET_SECONDS),
        Chore(forget_expired_artifacts, FORGET_SECONDS),
        Chore(sweep_uploads, UPLOADS_SECONDS),
        Chore(expire_media, EXPIRY_SECONDS),
        Chore(collect_garbage, GARBAGE_SECONDS),
        Chore(remove_nameless, NAMELESS_SECONDS, NAMELESS_PATIENCE),
    ]


def run(stop: threading.Event) -> None:
    """Sweep every `sweep_interval` seconds until `stop` is set."""
    todo = chores()
    while not stop.is_set():
        for chore in todo:
            if not stop.is_set():
                chore.sweep(time.monotonic())
            touch_heartbeat()
        stop.wait(settings().sweep_interval)
    db.close_pool()
