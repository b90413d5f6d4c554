"""Answering with stored bytes: whole or a range, with headers under which no file can act in a browser."""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from runhue_server.storage.problems import store_answers
from runhue_server.storage.receive import in_thread
from runhue_shared.blobs.configured import blob_store

FOR_EVER = "private, max-age=86400, immutable"
"""For addresses that name bytes by their hash; they expire themselves."""

ASK_AGAIN = "private, no-cache"
"""For addresses whose bytes may be others tomorrow: the ETag tells."""

REDIRECT_BYTES = 1024 * 1024
"""Smaller ones are sent by us: a second request would take longer than the bytes."""

REDIRECT_SECONDS = 3600
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_SHOWN = re.compile(
    r"(image/(?!svg)|audio/|video/|text/(plain|csv|markdown)|application/(json|pdf|x-ndjson))"
)
"""What a browser may show on its own; all else is a download, above all what can hold scripts."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class Sent(NamedTuple):
    """A blob of a team and the name it is sent under; `size` in bytes."""

    team_id: int
    sha256: bytes
    size: int
    name: str
    mimetype: str

    @property
    def etag(self) -> str:
        """The strong entity tag: the SHA-256 in hex, quoted."""
        return f'"{self.sha256.hex()}"'


class Unsatisfiable(Exception):
    """The range begins behind the last byte."""


async def send_blob(
    request: Request,
    blob: Sent,
    cache: str,
    *,
    redirect: bool = False,
    more: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """The answer to GET or HEAD: 200, 206, 304, 416, or 307 to the object store.

    `more` are further headers, or others instead of the usual ones.
    Multiple ranges are answered with the whole, which RFC 9110 (section 14.2) leaves to the server.
    A request that carries a key is never redirected: the object store refuses two ways to prove one's right.

    Raises:
        BytesLost: the store does not have the blob.
        Unavailable: the store is away.
    """
    headers = {**_headers(blob, cache), **more}
    if _has(request.headers.get("if-none-match", ""), blob.etag):
        return Response(status_code=304, headers=headers)
    try:
        part = _wanted_range(request, blob)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{blob.size}"})
    start, end = part or (0, blob.size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    headers["Content-Length"] = str(end - start)
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if redirect and blob.size >= REDIRECT_BYTES and "authorization" not in request.headers:
        with store_answers():
            address = await in_thread(blob_store().sign_get, blob.team_id, blob.sha256, REDIRECT_SECONDS)
        if address is not None:
            return RedirectResponse(address, headers={"Cache-Control": ASK_AGAIN})
    pieces = blob_store().read(blob.team_id, blob.sha256, start, end)
    with store_answers():
        # Before the status is sent: what is not there must not look like an empty file.
        first = await in_thread(next, pieces, b"")
    return _Pieces(_all(first, pieces), status, headers)


class _Pieces(StreamingResponse):
    """Closes its source at once when the client goes away."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], status: int, headers: dict[str, str]) -> None:
        super().__init__(pieces, status, headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()


async def _all(first: bytes, rest: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    piece = first
    try:
        while piece:
            yield piece
            piece = await in_thread(next, rest, b"")
    finally:
        close = getattr(rest, "close", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await in_thread(close)


def _headers(blob: Sent, cache: str) -> dict[str, str]:
    shown = "inline" if _SHOWN.match(blob.mimetype) else "attachment"
    name = quote(blob.name.rpartition("/")[2], safe="")
    charset = "; charset=utf-8" if blob.mimetype.startswith("text/") else ""
    return {
        "Content-Type": blob.mimetype + charset,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{name}",
        "ETag": blob.etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": cache,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }


def _has(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or tags == ["*"]


def _wanted_range(request: Request, blob: Sent) -> tuple[int, int] | None:
    """(first byte, byte behind the last) of the one range asked for; None for the whole."""
    found = _RANGE.match(request.headers.get("range", ""))
    if found is None or found[0] == "bytes=-":
        return None
    if request.headers.get("if-range", blob.etag) != blob.etag:
        return None
    if not found[1]:
        start, end = max(0, blob.size - int(found[2])), blob.size
    else:
        start = int(found[1])
        end = min(blob.size, int(found[2]) + 1) if found[2] else blob.size
        if found[2] and int(found[2]) < start:  # no range at all (RFC 9110, section 14.1.2)
            return None
    if start >= end:
        raise Unsatisfiable
    return start, end
