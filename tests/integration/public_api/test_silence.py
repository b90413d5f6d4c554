"""A server that opens a stream and then says nothing, not even a heartbeat."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runhue._public_api import server
from runhue._public_api.blocking import BlockingTransport, ColoringUpdates
from runhue._public_api.coloring_calls import WorkspacePath
from runhue._public_api.nonblocking import AsyncColoringUpdates, AsyncTransport
from runhue._public_api.server import ServerAddress
from runhue._public_api.watching import ColoringWatch
from tests.integration.public_api.running import until
from tests.unit.public_api.model_server import WORKSPACE, ModelServer

PATH = WorkspacePath(WORKSPACE, "main", "mnist")


class SilentServer(ThreadingHTTPServer):
    """Answers reads; its streams say where they are and then hang until the server is closed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SilentHandler)
        self.model = ModelServer()
        self.closing = threading.Event()
        self.streams = 0

    def address(self) -> ServerAddress:
        return ServerAddress(f"http://127.0.0.1:{self.server_address[1]}", "key", 5.0)


class SilentHandler(BaseHTTPRequestHandler):
    server: SilentServer

    def do_GET(self) -> None:
        self.send_response(200)
        if "/stream" in self.path:
            self.server.streams += 1
            self.end_headers()
            self.wfile.write(b"id: 0-0\n\n")
            self.wfile.flush()
            self.server.closing.wait(60)
            return
        body = self.server.model.page() if "/coloring" in self.path else json.dumps({"runs": []}).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentServer]:
    monkeypatch.setattr(server, "HEARTBEAT_TIMEOUT", 0.2)
    with SilentServer() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.closing.set()
        running.shutdown()
        thread.join()


def test_a_silent_stream_is_opened_again(silent: SilentServer) -> None:
    """Without a heartbeat in time the watch reconnects and shows what it missed."""
    transport = BlockingTransport(silent.address())
    with ColoringUpdates(transport, ColoringWatch(PATH, lambda: 0.0).steps()) as updates:
        first = next(updates)
        silent.model.change({"r1": 0.5})
        second = next(updates)

    transport.close()
    assert (first.version, second.version) == (1, 2)
    assert silent.streams > 1


def test_a_silent_stream_is_opened_again_without_blocking(silent: SilentServer) -> None:
    """The same for asyncio."""

    async def versions() -> list[int]:
        transport = AsyncTransport(silent.address())
        steps = ColoringWatch(PATH, lambda: 0.0).steps()
        async with (
            AsyncColoringUpdates(transport, steps, owns_transport=True) as updates,
            asyncio.timeout(30),
        ):
            first = await anext(updates)
            silent.model.change({"r1": 0.5})
            return [first.version, (await anext(updates)).version]

    assert asyncio.run(versions()) == [1, 2]


def test_closing_does_not_wait_for_a_heartbeat(silent: SilentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits in a silent stream is woken by close() from another."""
    monkeypatch.setattr(server, "HEARTBEAT_TIMEOUT", 600.0)
    transport = BlockingTransport(silent.address())
    updates = ColoringUpdates(transport, ColoringWatch(PATH, lambda: 0.0).steps())
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.extend(coloring.version for coloring in updates))
    thread.start()
    until(lambda: seen)

    updates.close()

    thread.join(10)
    transport.close()
    assert not thread.is_alive()
