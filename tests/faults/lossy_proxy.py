"""A TCP proxy that loses replies: the server did its work, the client never hears of it."""

import asyncio
import random
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK = 256 * 1024
START_SECONDS = 10.0


class LossyProxy:
    """Passes connections on to `target`; of requests whose head holds `victim`, a share loses its reply.

    Args:
        target: address of the server, e.g. http://127.0.0.1:8080.
        victim: bytes of a request's head, e.g. b"/file_stream".
        share: 0 to 1, how many of those replies are lost.
        seed: the same seed loses the same ones, in the order in which they come.
    """

    def __init__(self, target: str, victim: bytes, share: float, seed: int) -> None:
        parts = urlsplit(target)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._victim = victim
        self._share = share
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lossy-proxy")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.lost = 0
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        port = starting.result(START_SECONDS)
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        dooms: list[bool] = []
        there = asyncio.create_task(self._pass_requests(reader, upstream_writer, dooms))
        try:
            await self._pass_replies(upstream_reader, writer, dooms)
        except OSError:
            pass
        finally:
            there.cancel()
            await asyncio.gather(there, return_exceptions=True)
            for end in (writer, upstream_writer):
                end.transport.abort()

    async def _pass_requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, dooms: list[bool]
    ) -> None:
        while data := await reader.read(CHUNK):
            # A client waits for a reply before its next request, so a head begins a chunk.
            if self._victim in data.partition(b"\r\n")[0] and self._random.random() < self._share:
                dooms.append(True)
            upstream.write(data)
            await upstream.drain()
        upstream.write_eof()

    async def _pass_replies(
        self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, dooms: list[bool]
    ) -> None:
        while data := await upstream.read(CHUNK):
            if dooms:
                self.lost += 1
                return
            writer.write(data)
            await writer.drain()
