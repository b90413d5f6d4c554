"""The gateway as one object: what it runs beside requests, and what its routes are given."""

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from runhue_server.gateway.context import Context, base_url_of, signed_in
from runhue_server.gateway.submit import Submitter
from runhue_server.gateway.unknown import UnknownLog
from runhue_server.intake.accept import Committer
from runhue_server.intake.load import Load
from runhue_server.intake.refusals import Refusals
from runhue_server.intake.upkeep import Upkeep
from runhue_server.intake.wake import Waker
from runhue_shared import db
from runhue_shared.settings import settings

THREADS = 14
"""Fewer than the pool has connections, so that commits never wait for resolvers."""

GC_THRESHOLD = 20_000

P = ParamSpec("P")
T = TypeVar("T")


class Gateway:
    """Made once a process; `submitter` is there while `running`.

    Attributes:
        refusals: counts what of a run can never be stored.
        unknown: counts what clients ask for and we do not know.
    """

    submitter: Submitter

    def __init__(self) -> None:
        self.settings = settings()
        self.load = Load(self.settings)
        self.waker = Waker()
        self.refusals = Refusals()
        self.unknown = UnknownLog()
        self._committer = Committer(self.load, self.waker, self.settings.max_batch_bytes)
        self._upkeep = Upkeep(self.load, self.refusals)
        self._threads = anyio.CapacityLimiter(THREADS)

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """The threads, from start-up to shutdown; what was taken in is committed before it ends."""
        self.submitter = Submitter(self._committer, self.load, self.waker, asyncio.get_running_loop())
        threads = (self.waker, self._committer, self._upkeep, self.unknown)
        for thread in threads:
            thread.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        try:
            yield
        finally:
            for thread in reversed(threads):
                await anyio.to_thread.run_sync(thread.stop)
            db.close_pool()

    async def context(self, request: HTTPConnection) -> Context:
        """Who asks, and from where.

        Raises:
            Unauthenticated: the key is missing, unknown, expired or revoked.
            Forbidden: it neither reads nor logs.
            psycopg.OperationalError: the database is away.
        """
        principal = await signed_in(request.headers.get("authorization", ""))
        return Context(
            principal,
            dict(request.headers),
            base_url_of(request, self.settings),
            self.settings,
            self.submitter,
        )

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks in one of the gateway's threads."""
        call = functools.partial(function, *args, **kwargs)
        return await anyio.to_thread.run_sync(call, limiter=self._threads)
