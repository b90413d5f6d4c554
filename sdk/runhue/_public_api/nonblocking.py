"""The steps of calls and watches, performed with asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
from msgspec.structs import replace

from runhue._public_api.coloring import Coloring
from runhue._public_api.exchange import Call, ConnectionFailed, Request, Response, Send, Step
from runhue._public_api.server import (
    ServerAddress,
    connection_failed,
    httpx_options,
    response_of,
    stream_timeout,
)
from runhue._public_api.watching import Close, Open, Publish, Receive, StreamStep, Watching

Result = TypeVar("Result")

STREAM_CHUNK = 65_536
UPLOAD_CHUNK = 1024 * 1024


class AsyncTransport:
    """Connections to one server, shared by all that one `AsyncApi` made; for one event loop."""

    def __init__(self, server: ServerAddress) -> None:
        self.server = server
        self.client = httpx.AsyncClient(**httpx_options(server))

    async def run(self, call: Call[Result]) -> Result:
        """What the call returns."""
        answer: Response | None = None
        failure: ConnectionFailed | None = None
        while True:
            try:
                step = call.send(answer) if failure is None else call.throw(failure)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            answer, failure = await self.perform(step)

    async def perform(self, step: Step) -> tuple[Response | None, ConnectionFailed | None]:
        """One step."""
        if not isinstance(step, Send):
            await asyncio.sleep(step.seconds)
            return None, None
        try:
            return await self._sent(step), None
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            return None, connection_failed(self.server, error)

    async def _sent(self, step: Send) -> Response:
        if isinstance(step.request.body, Path):
            return response_of(await self.client.send(self._upload(step.request, step.request.body)))
        request = self.request(step.request)
        if step.target is None:
            return response_of(await self.client.send(request))
        response = await self.client.send(request, stream=True, follow_redirects=True)
        try:
            if not response.is_success:
                await response.aread()
                return response_of(response)
            with await asyncio.to_thread(step.target.open, "wb") as file:
                async for chunk in response.aiter_bytes(STREAM_CHUNK):
                    await asyncio.to_thread(file.write, chunk)
            return Response(response.status_code, response.headers, b"")
        finally:
            await response.aclose()

    def _upload(self, request: Request, source: Path) -> httpx.Request:
        sized = {**request.headers, "Content-Length": str(source.stat().st_size)}
        return self._built(replace(request, headers=sized), _chunks(source))

    def request(self, request: Request) -> httpx.Request:
        """The request as httpx takes it, when its body is no file."""
        return self._built(request, request.body if isinstance(request.body, bytes) else None)

    def _built(self, request: Request, content: bytes | AsyncIterator[bytes] | None) -> httpx.Request:
        return self.client.build_request(
            request.method,
            request.path,
            params={name: value for name, value in request.params.items() if value is not None},
            headers=dict(request.headers),
            content=content,
        )

    async def close(self) -> None:
        await self.client.aclose()


async def _chunks(source: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(source.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, UPLOAD_CHUNK):
            yield chunk


class AsyncColoringUpdates:
    """Published versions of a workspace's colors, first the present one; made by `AsyncWorkspace.watch`.

    Iterate over it with `async for`; `close()` or leaving its `async with` block ends the iteration.
    """

    def __init__(self, transport: AsyncTransport, steps: Watching, *, owns_transport: bool = False) -> None:
        self._transport = transport
        self._owns_transport = owns_transport
        self._steps = steps
        self._stream: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._closed = asyncio.Event()
        self._versions = self._iterate()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Coloring:
        return await anext(self._versions)

    def close(self) -> None:
        """End the iteration, waking a task that waits in it."""
        self._closed.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await self._versions.aclose()

    async def _iterate(self) -> AsyncGenerator[Coloring, None]:
        answer: Response | bytes | None = None
        failure: ConnectionFailed | None = None
        try:
            while not self._closed.is_set():
                step = self._steps.send(answer) if failure is None else self._steps.throw(failure)
                answer, failure = None, None
                if isinstance(step, Publish):
                    yield step.coloring
                else:
                    answer, failure = await self._unless_closed(step)
        finally:
            self._steps.close()
            await self._close_stream()
            if self._owns_transport:
                await self._transport.close()

    async def _unless_closed(
        self, step: StreamStep | Step
    ) -> tuple[Response | bytes | None, ConnectionFailed | None]:
        """The step, given up when the watch is closed meanwhile."""
        performing = asyncio.ensure_future(self._perform(step))
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((performing, closing), return_when=asyncio.FIRST_COMPLETED)
            return performing.result() if performing.done() else (None, ConnectionFailed("closed"))
        finally:
            for task in (performing, closing):
                task.cancel()
            await asyncio.gather(performing, closing, return_exceptions=True)

    async def _perform(
        self, step: StreamStep | Step
    ) -> tuple[Response | bytes | None, ConnectionFailed | None]:
        try:
            if isinstance(step, Open):
                return await self._open(step.request), None
            if isinstance(step, Receive):
                return (b"" if self._chunks is None else await anext(self._chunks, b"")), None
        except (httpx.TransportError, httpx.StreamError) as error:
            return None, connection_failed(self._transport.server, error)
        if isinstance(step, Close):
            await self._close_stream()
            return None, None
        return await self._transport.perform(step)

    async def _open(self, request: Request) -> Response:
        await self._close_stream()
        sent = self._transport.request(request)
        sent.extensions["timeout"] = stream_timeout(self._transport.server)
        stream = await self._transport.client.send(sent, stream=True)
        if stream.status_code != 200:
            await stream.aread()
            return response_of(stream)
        self._stream, self._chunks = stream, stream.aiter_bytes()
        return Response(200, stream.headers, b"")

    async def _close_stream(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None
            self._chunks = None
