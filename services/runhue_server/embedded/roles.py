"""What each server process runs. Heavy modules are imported by the role that needs them.

`up`, containers and tests start these by `python -m runhue_server serve api` and the like.
"""

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from runhue_server.embedded.errors import EvictionPolicyError, StackError
from runhue_server.embedded.redis import check_policy

if TYPE_CHECKING:
    from collections.abc import Callable

APPS = {
    "ingest": "runhue_server.ingest.app:create_app",
    "gateway": "runhue_server.gateway.app:create_app",
    "api": "runhue_server.api.app:create_app",
    "fixtures": "runhue_server.fixtures.app:create_app",
}
QUEUES = {
    "aggregation": "runhue_server.aggregation.tasks",
    "coloring": "runhue_server.coloring.tasks",
    "media": "runhue_server.media.tasks",
}
SWEEPER = "runhue_server.sweeper.loop"
HEARTBEAT_SECONDS = 2
GRACEFUL_SECONDS = 6
BACKLOG = 2048


def serve(name: str, host: str, port: int, descriptor: int | None = None) -> None:
    """Run the ASGI service `name` until SIGTERM.

    Args:
        name: a key of `APPS`.
        port: 1 to 65535; not used when `descriptor` is given.
        descriptor: a listening socket that the supervisor keeps, so that connections wait through a restart.
    """
    import uvicorn

    from runhue_server.web.bounded_http import BoundedHeads
    from runhue_shared.telemetry import configure_logging

    _refuse_evicting_redis()
    configure_logging(name)
    config = uvicorn.Config(
        APPS[name],
        factory=True,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        # From the event loop: a loop that hangs stops beating.
        callback_notify=_beat,
        timeout_notify=HEARTBEAT_SECONDS,
    )
    sockets = [socket.socket(fileno=descriptor)] if descriptor is not None else None
    uvicorn.Server(config).run(sockets=sockets)


async def _beat() -> None:
    from runhue_shared.telemetry import touch_heartbeat

    touch_heartbeat()


def run_worker(queue: str) -> None:
    """Run the Celery worker of `queue` until SIGTERM: one task at a time, in this process.

    Args:
        queue: a key of `QUEUES`.
    """
    import importlib

    from runhue_shared.queue import celery_app
    from runhue_shared.telemetry import configure_logging

    _refuse_evicting_redis()
    configure_logging(queue)
    importlib.import_module(QUEUES[queue])
    app = celery_app()
    app.steps["consumer"].add(_heartbeat_step())
    worker = app.Worker(
        hostname=f"{queue}@{socket.gethostname()}-{os.getpid()}",
        queues=[queue],
        pool="solo",
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    sys.exit(worker.exitcode or 0)


def _heartbeat_step() -> type:
    from celery import bootsteps

    from runhue_shared.telemetry import touch_heartbeat

    class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
        """Beats from the loop that takes messages: one that hangs on a dead connection stops beating."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, consumer: Any) -> None:  # celery's consumer has no type
            def beat() -> None:
                # A connection that dies under an ack is only logged by kombu, and its sockets leave the loop,
                # which would then sleep for ever; an error makes the consumer connect again.
                if not consumer.hub.readers:
                    raise ConnectionError("the connection to Redis is gone")
                touch_heartbeat()

            touch_heartbeat()
            self.entry = consumer.timer.call_repeatedly(HEARTBEAT_SECONDS, beat)

        def stop(self, consumer: Any) -> None:  # noqa: ARG002
            self.entry.cancel()

    return Heartbeat


def run_sweeper() -> None:
    """Run the sweeper until SIGTERM or SIGINT."""
    import importlib

    from runhue_shared.telemetry import configure_logging

    configure_logging("sweeper")
    stop = threading.Event()
    on_signals(stop.set)
    importlib.import_module(SWEEPER).run(stop)


def on_signals(action: "Callable[[], None]") -> None:
    """Call `action` at SIGTERM and at SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: action())


def migrate() -> list[str]:
    """Bring the database up to date and make the first team's key; the names of the migrations applied.

    Raises:
        StackError: a setting cannot be used, or Postgres does not answer.
    """
    import psycopg

    from runhue_shared.db import keys
    from runhue_shared.db import migrate as migrations
    from runhue_shared.settings import BadSettings, settings

    try:
        current = settings()
    except BadSettings as error:
        raise StackError(str(error)) from error
    if not current.database_url:
        raise StackError("RUNHUE_DATABASE_URL is not set: give the address of the Postgres to migrate")
    try:
        applied = migrations.migrate(current.database_url)
    except psycopg.OperationalError as error:
        raise StackError(f"the Postgres of RUNHUE_DATABASE_URL cannot be used: {error}") from error
    keys.ensure_first_key(current.database_url, current.data_dir)
    return applied


def collect_garbage(*, dry_run: bool) -> "list[tuple[str, tuple[int, int]]]":
    """Remove stored bytes that nothing names, or say what would go: (what, (how many, bytes)).

    Raises:
        StackError: the database or the blob store is away.
    """
    import psycopg

    from runhue_server.storage import garbage
    from runhue_shared import db
    from runhue_shared.blobs.store import StoreAway
    from runhue_shared.settings import settings

    grace = settings().blob_grace
    unnamed, nameless = (
        (garbage.unnamed, garbage.nameless) if dry_run else (garbage.collect_all, garbage.remove_nameless)
    )
    try:
        return [("blobs that nothing names", unnamed(grace)), ("blobs that no row knows", nameless(grace))]
    except (psycopg.OperationalError, StoreAway) as error:
        raise StackError(f"bytes are removed with database and blob store at hand only: {error}") from error
    finally:
        db.close_pool()


def resume_partition(part: int) -> bool:
    """Let a stopped partition of the inbox be folded again; False when it was not stopped."""
    from runhue_shared import db
    from runhue_shared.db import partitions

    # No wake-up is sent: the sweeper finds the partition within a second.
    with db.transaction() as tx:
        return partitions.resume_partition(tx, part)


def _refuse_evicting_redis() -> None:
    """Refuse a Redis that drops keys; one that is away now is waited for elsewhere."""
    from runhue_shared.settings import settings

    try:
        check_policy(settings().redis_url)
    except EvictionPolicyError:
        raise
    except StackError as error:
        sys.stderr.write(f"{error}\n")
