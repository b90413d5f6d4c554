"""What `/metrics` of the API tells: its requests, and the work that waits behind it."""

import time
from collections.abc import Iterable, Iterator
from functools import lru_cache

import psycopg
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runhue_shared import db
from runhue_shared.db import diagnosis

_requests = Counter("runhue_api_requests", "Requests answered", ["method", "route", "status"])
_seconds = Histogram(
    "runhue_api_request_seconds", "Time to the end of an answer; streams are left out", ["route"]
)


class MeasuredRequests:
    """ASGI middleware that counts and times requests by their route, never by what is in the path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            _requests.labels(scope["method"], route, status).inc()
            if not route.endswith("/stream"):
                _seconds.labels(route).observe(time.perf_counter() - began)


class WaitingWork(Collector):
    """Gauges read from the database when they are asked for; none while it is away."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with db.transaction() as tx:
                waiting = diagnosis.waiting(tx)
                stopped = len(diagnosis.stopped_partitions(tx))
                dead = diagnosis.dead_letters(tx)
        except (psycopg.Error, PoolTimeout):
            return
        yield GaugeMetricFamily("runhue_inbox_batches", "Accepted batches not folded yet", waiting.batches)
        yield GaugeMetricFamily("runhue_inbox_oldest_seconds", "Age of the oldest of them", waiting.oldest)
        yield GaugeMetricFamily(
            "runhue_stopped_partitions", "Partitions that fold nothing until resumed", stopped
        )
        yield GaugeMetricFamily(
            "runhue_dead_letters", "Batches set aside because they could not be folded", dead
        )

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: else registering would ask a database that may be away."""
        return ()


@lru_cache(maxsize=1)
def measure_waiting_work() -> None:
    """Add the gauges to this process's metrics, once."""
    REGISTRY.register(WaitingWork())
