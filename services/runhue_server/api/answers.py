"""Answers as JSON: doubles read back bit for bit, NaN and infinities are strings, integers keep digits."""

import json
import math
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
import orjson
from starlette.background import BackgroundTask
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

JSON = "application/json"

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


class Streamed(StreamingResponse):
    """A response in parts whose generator is closed at once when the client goes away.

    `closed` is called then, also when nothing was sent.
    """

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        media_type: str,
        headers: Mapping[str, str] | None = None,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(parts, media_type=media_type, headers=headers)
        self._parts = parts
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()
            with anyio.CancelScope(shield=True):
                await self._parts.aclose()


async def from_thread(parts: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    """What a blocking generator makes, made in the thread pool; it is closed there too."""
    try:
        async for part in iterate_in_threadpool(parts):
            yield part
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(parts.close)


def encode(value: Any) -> bytes:
    """`value` as JSON. Times become Unix seconds; integers of any size keep their digits."""
    plain = _plain(value)
    try:
        return orjson.dumps(plain, option=orjson.OPT_NON_STR_KEYS)
    except (orjson.JSONEncodeError, TypeError):  # integers beyond 64 bits, strings with lone surrogates
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()


def answer(
    value: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    then: Callable[[], None] | None = None,
) -> Response:
    """A JSON response; `then` is called once it has been sent."""
    background = None if then is None else BackgroundTask(then)
    return Response(encode(value), status, headers, media_type=JSON, background=background)


def decode_document(text: str) -> Any:
    """A stored JSON document, in which NaN and the infinities are bare words."""
    return json.loads(text)


def seconds(moment: datetime | None) -> float | None:
    """Unix seconds of a time; None stays None."""
    return None if moment is None else moment.astimezone(UTC).timestamp()


def non_finite_as_text(value: float) -> float | str:
    """A double as JSON can carry it (docs/api.md, Numbers)."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float:
        return value if math.isfinite(value) else non_finite_as_text(value)
    if isinstance(value, dict):
        return {
            key: member if type(member) in _AS_THEY_ARE else _plain(member) for key, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return seconds(value) if isinstance(value, datetime) else value
