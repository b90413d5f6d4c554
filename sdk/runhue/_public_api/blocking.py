"""The steps of calls and watches, performed with blocking sockets."""

import socket
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import httpx

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


class BlockingTransport:
    """Connections to one server, shared by all that one `Api` made; safe to use from many threads."""

    def __init__(self, server: ServerAddress) -> None:
        self.server = server
        self.client = httpx.Client(**httpx_options(server))

    def run(self, call: Call[Result]) -> Result:
        """What the call returns."""
        answer: Response | None = None
        failure: ConnectionFailed | None = None
        never = threading.Event()
        while True:
            try:
                step = call.send(answer) if failure is None else call.throw(failure)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            answer, failure = self.perform(step, never)

    def perform(self, step: Step, wake: threading.Event) -> tuple[Response | None, ConnectionFailed | None]:
        """One step; `wake` ends a sleep early."""
        if not isinstance(step, Send):
            wake.wait(step.seconds)
            return None, None
        try:
            return self._sent(step), None
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            return None, connection_failed(self.server, error)

    def _sent(self, step: Send) -> Response:
        if isinstance(step.request.body, Path):
            with step.request.body.open("rb") as content:
                return response_of(self.client.send(self._built(step.request, content)))
        request = self.request(step.request)
        if step.target is None:
            return response_of(self.client.send(request))
        response = self.client.send(request, stream=True, follow_redirects=True)
        try:
            if not response.is_success:
                response.read()
                return response_of(response)
            with step.target.open("wb") as file:
                for chunk in response.iter_bytes(STREAM_CHUNK):
                    file.write(chunk)
            return Response(response.status_code, response.headers, b"")
        finally:
            response.close()

    def request(self, request: Request) -> httpx.Request:
        """The request as httpx takes it, when its body is no file."""
        return self._built(request, request.body if isinstance(request.body, bytes) else None)

    def _built(self, request: Request, content: "bytes | BinaryIO | None") -> httpx.Request:
        return self.client.build_request(
            request.method,
            request.path,
            params={name: value for name, value in request.params.items() if value is not None},
            headers=dict(request.headers),
            content=content,
        )

    def close(self) -> None:
        self.client.close()


class ColoringUpdates:
    """Published versions of a workspace's colors, first the present one; made by `Workspace.watch`.

    Iterate over it; `close()`, also from another thread, or leaving its `with` block ends the iteration.
    """

    def __init__(self, transport: BlockingTransport, steps: Watching) -> None:
        self._transport = transport
        self._steps = steps
        self._stream: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._closed = threading.Event()
        self._versions = self._iterate()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Coloring:
        return next(self._versions)

    def close(self) -> None:
        """End the iteration, waking a thread that waits in it."""
        self._closed.set()
        stream = self._stream
        if stream is not None and not stream.is_closed:
            _wake_reader(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._versions.close()

    def _iterate(self) -> Generator[Coloring, None, None]:
        answer: Response | bytes | None = None
        failure: ConnectionFailed | None = None
        try:
            while not self._closed.is_set():
                step = self._steps.send(answer) if failure is None else self._steps.throw(failure)
                answer, failure = None, None
                if isinstance(step, Publish):
                    yield step.coloring
                else:
                    answer, failure = self._perform(step)
        finally:
            self._steps.close()
            self._close_stream()

    def _perform(self, step: StreamStep | Step) -> tuple[Response | bytes | None, ConnectionFailed | None]:
        try:
            if isinstance(step, Open):
                return self._open(step.request), None
            if isinstance(step, Receive):
                return next(self._chunks, b""), None
        except (httpx.TransportError, httpx.StreamError) as error:
            return None, connection_failed(self._transport.server, error)
        if isinstance(step, Close):
            self._close_stream()
            return None, None
        return self._transport.perform(step, self._closed)

    def _open(self, request: Request) -> Response:
        self._close_stream()
        sent = self._transport.request(request)
        sent.extensions["timeout"] = stream_timeout(self._transport.server)
        stream = self._transport.client.send(sent, stream=True)
        if stream.status_code != 200:
            stream.read()
            return response_of(stream)
        self._stream, self._chunks = stream, stream.iter_bytes()
        return Response(200, stream.headers, b"")

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._chunks = iter(())


def _wake_reader(stream: httpx.Response) -> None:
    """Shut the stream's socket down, so that a read that waits in another thread returns."""
    network = stream.extensions.get("network_stream")
    raw = None if network is None else network.get_extra_info("socket")
    if raw is not None:
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already
