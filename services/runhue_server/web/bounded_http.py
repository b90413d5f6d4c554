"""uvicorn's HTTP with a bound on request heads: httptools has none, and any client could fill the memory."""

from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runhue_server.web.problems import MEDIA_TYPE, Problem

MAX_HEAD_BYTES = 1024 * 1024
"""Request line and headers; a filter, columns and keys may have 100,000 characters each in the line."""


class HeadTooLarge(Problem):
    """The request line and headers are larger than any request needs."""

    status = 431
    code = "headers_too_large"


class BoundedHeads(HttpToolsProtocol):
    """Hangs up with 431 when a head is larger than `MAX_HEAD_BYTES`, give or take what comes in one read."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # uvicorn's own
        super().__init__(*arguments, **more)
        self._in_head = True
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what comes until a head is complete."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._refuse()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def _refuse(self) -> None:
        problem = HeadTooLarge(
            f"the request line and headers are larger than {MAX_HEAD_BYTES} bytes",
            field="headers",
            limit=MAX_HEAD_BYTES,
            fix="send less in the address and the headers",
        )
        body = msgspec.json.encode(problem.members())
        head = (
            "HTTP/1.1 431 Request Header Fields Too Large\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
