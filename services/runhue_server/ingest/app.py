"""The ingest service as an ASGI app."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runhue_server.ingest import file_packs, file_parts, files
from runhue_server.ingest.batches import BatchRoute, is_batch_path
from runhue_server.intake import liveness, start_rules
from runhue_server.intake.accept import Committer
from runhue_server.intake.body import GRACE_SECONDS, BodyReader
from runhue_server.intake.load import Load
from runhue_server.intake.problems import WriterNotFound
from runhue_server.intake.refusals import Refusals
from runhue_server.intake.starts import start_writer
from runhue_server.intake.upkeep import Upkeep
from runhue_server.intake.wake import Waker
from runhue_server.storage.receive import assembling, in_thread
from runhue_server.storage.routes import storage_routes
from runhue_server.web.auth import principal_of
from runhue_server.web.health import health_routes
from runhue_server.web.problems import install
from runhue_shared import db
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import SeenWriter
from runhue_shared.events import LogBatchAccepted
from runhue_shared.settings import MEBIBYTE, settings

START_BYTES = 4 * MEBIBYTE
GC_THRESHOLD = 20_000
STARTS_AT_ONCE = 8
"""Fewer than the pool has connections, so that commits never wait for starts."""


class Ingest:
    """The service: threads that commit, wake and look after the load, and the routes in front of them."""

    def __init__(self, *, body_grace: float = GRACE_SECONDS) -> None:
        self._settings = settings()
        self._load = Load(self._settings)
        self._waker = Waker()
        self._refusals = Refusals()
        self._committer = Committer(self._load, self._waker, self._settings.max_batch_bytes)
        self._upkeep = Upkeep(self._load, self._refusals)
        self._starts = anyio.CapacityLimiter(STARTS_AT_ONCE)
        self._start_body = BodyReader(self._load, START_BYTES, body_grace)
        self._offer_body = BodyReader(self._load, files.OFFER_BYTES, body_grace)
        self._pack_body = BodyReader(self._load, file_packs.PACK_BYTES, body_grace)
        self._batch_body = BodyReader(self._load, self._settings.max_body_bytes, body_grace)

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """The threads, from start-up to shutdown; what was taken in is committed before it ends."""
        threads = (self._waker, self._committer, self._upkeep)
        for thread in threads:
            thread.start()
        # What start-up made stays; looking through it again and again cost 5 % of the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        try:
            yield
        finally:
            for thread in reversed(threads):
                await anyio.to_thread.run_sync(thread.stop)
            db.close_pool()

    async def start(self, request: Request) -> Response:
        """`POST /ingest/v1/runs`."""
        self._load.require_database()
        principal = await _principal(request)
        body = await self._start_body.read(request.receive)
        self._load.release(len(body.content))
        wanted = start_rules.decode(body.content)
        start_rules.check(wanted, self._settings.max_config_bytes, self._settings.max_json_depth)
        answer = await anyio.to_thread.run_sync(
            start_writer, principal, wanted, self._settings, self._waker, limiter=self._starts
        )
        return _json(answer)

    async def heartbeat(self, request: Request) -> Response:
        """`POST /ingest/v1/writers/{writer_id}/heartbeat`."""
        self._load.require_database()
        principal = await _principal(request)
        writer_id = _writer_id(request)
        seen = await anyio.to_thread.run_sync(liveness.hear, principal, writer_id, limiter=self._starts)
        await self._revive(seen)
        return _json(
            LogBatchAccepted(
                durable_seq=seen.durable_seq,
                applied_seq=seen.applied_seq,
                flush_interval_ms=self._load.flush_interval_ms,
                max_batch_bytes=self._settings.max_batch_bytes,
                stop=seen.stop_requested,
            )
        )

    async def offer_file(self, request: Request) -> Response:
        """`POST /ingest/v1/writers/{writer_id}/files`."""
        self._load.require_database()
        principal = await _principal(request)
        writer_id = _writer_id(request)
        body = await self._offer_body.read(request.receive)
        self._load.release(len(body.content))
        answer, seen = await in_thread(
            files.answer_offer, principal, writer_id, files.decode(body.content), self._settings
        )
        await self._revive(seen)
        return _json(answer)

    async def take_pack(self, request: Request) -> Response:
        """`POST /ingest/v1/writers/{writer_id}/file-packs`."""
        self._load.require_database()
        principal = await _principal(request)
        writer_id = _writer_id(request)
        self._pack_body.check_declared(request.headers.get("content-length", ""))
        body = await self._pack_body.read(request.receive)
        try:
            packed = file_packs.decode(body.content)
            answer, seen = await in_thread(
                file_packs.store_pack, principal, writer_id, packed, self._settings
            )
        finally:
            self._load.release(len(body.content))
        await self._revive(seen)
        return _json(answer)

    async def complete_file(self, request: Request) -> Response:
        """`POST /ingest/v1/writers/{writer_id}/uploads/{upload_id}/complete`."""
        self._load.require_database()
        principal = await _principal(request)
        upload_id = request.path_params["upload_id"]
        seen = await assembling(file_parts.complete, principal, _writer_id(request), upload_id)
        await self._revive(seen)
        return _json(files.FileAnswer(stored=True))

    async def _revive(self, seen: SeenWriter) -> None:
        if seen.state == "crashed":
            self._waker.wake(await anyio.to_thread.run_sync(liveness.revive, [seen.run_id]))

    def app(self) -> ASGIApp:
        """All routes; the one for batches is reached without the framework's layers."""
        batches = BatchRoute(
            self._committer,
            self._load,
            self._refusals,
            self._batch_body,
            self._settings.max_decompressed_bytes,
        )
        others = Starlette(
            routes=[
                Route("/ingest/v1/runs", self.start, methods=["POST"]),
                Route("/ingest/v1/writers/{writer_id}/heartbeat", self.heartbeat, methods=["POST"]),
                Route("/ingest/v1/writers/{writer_id}/files", self.offer_file, methods=["POST"]),
                Route("/ingest/v1/writers/{writer_id}/file-packs", self.take_pack, methods=["POST"]),
                Route(file_parts.PATH, self.complete_file, methods=["POST"]),
                *storage_routes(),
                *health_routes(required=frozenset({"postgres"})),
            ],
            lifespan=self.running,
        )
        install(others)

        async def ingest(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "POST" and is_batch_path(scope["path"]):
                await batches(scope, receive, send)
            else:
                await others(scope, receive, send)

        return ingest


def create_app() -> ASGIApp:
    """The app for uvicorn: `runhue_server.ingest.app:create_app`, as a factory."""
    return Ingest().app()


def _writer_id(request: Request) -> int:
    text = request.path_params["writer_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise WriterNotFound(repr(text[:40]))
    return int(text)


async def _principal(request: Request) -> Principal:
    return await principal_of(request.headers.get("authorization", ""), "ingest")


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
