"""The queue: `enqueue()` a message, `handles()` one. The only import of Celery.

Messages only wake workers, so everything here may lose one: the sweeper finds work
that nobody was woken for (docs/adr/0001). Settings are those under which prototypes
recovered from half-open connections and killed workers within seconds.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import redis
from celery import Celery
from celery.worker import state

from runhue_shared.messages import Message
from runhue_shared.settings import settings

AnyMessage = TypeVar("AnyMessage", bound=Message)

WAKE_TTL_SECONDS = 10
"""A wake-up that got lost blocks its like for at most this long."""

_handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
_handlers_lock = threading.Lock()


@lru_cache(maxsize=1)
def celery_app() -> Celery:
    """The process's Celery app, with every handler imported so far registered as a task."""
    app = Celery("runhue", broker=_broker_url(), set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_soft_shutdown_timeout=10,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 30,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "health_check_interval": 5,
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
        },
    )
    with _handlers_lock:
        for name, run in _handlers.items():
            app.task(run, name=name)
    return app


def _broker_url() -> str:
    # Kombu names a Unix socket redis+socket://, redis-py unix://.
    url = settings().redis_url
    return "redis+socket://" + url.removeprefix("unix://") if url.startswith("unix://") else url


@lru_cache(maxsize=1)
def redis_client() -> "redis.Redis":
    """The process's Redis connections; every call is bounded to 5 s."""
    return redis.Redis.from_url(
        settings().redis_url,
        socket_timeout=5,
        socket_connect_timeout=3,
        health_check_interval=5,
        decode_responses=False,
    )


def handles(kind: type[AnyMessage]) -> Callable[[Callable[[AnyMessage], None]], Callable[[AnyMessage], None]]:
    """Register the one handler of a message class.

    The wake-up's mark is cleared before the handler reads, so that work committed
    meanwhile wakes it again.
    """

    def register(handler: Callable[[AnyMessage], None]) -> Callable[[AnyMessage], None]:
        if kind.task in _handlers:
            raise ValueError(f"{kind.task} already has a handler")

        def run(payload: dict[str, Any]) -> None:
            message = kind.model_validate(payload)
            redis_client().delete(_mark(message))
            handler(message)

        run.__name__ = handler.__name__
        _handlers[kind.task] = run
        return handler

    return register


def enqueue(message: Message) -> None:
    """Wake the workers of `message.queue`, unless the same wake-up already waits.

    Raises:
        redis.RedisError, kombu.exceptions.OperationalError: Redis is away; the caller may
            ignore it, the sweeper sends the message again.
    """
    client = redis_client()
    mark = _mark(message)
    if not client.set(mark, b"1", nx=True, ex=WAKE_TTL_SECONDS):
        return
    try:
        celery_app().send_task(
            message.task, args=[message.model_dump(mode="json")], queue=message.queue, retry=False
        )
    except Exception:
        client.delete(mark)
        raise


def is_stopping() -> bool:
    """Whether this process is a worker that was asked to stop and only brings its message to an end."""
    return any(
        asked is not None and asked is not False for asked in (state.should_stop, state.should_terminate)
    )


def _mark(message: Message) -> str:
    return f"runhue:wake:{message.wake_key}"
