"""Reading a file's bytes from a request to disk, under a running cap and a clock; memory stays flat."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.types import Message

from runhue_server.intake.body import GRACE_SECONDS, SLOWEST_BYTES_PER_SECOND
from runhue_server.intake.problems import BUSY_SECONDS, ClientGone, Malformed
from runhue_server.storage.problems import FileTooLarge, HashMismatch, UploadTooSlow, store_answers
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import ANYTHING, Expected, StoredBlob

WRITE_BYTES = 1024 * 1024
"""How much of one upload is in memory before it is written; the last piece comes on top."""

THREADS = 12
"""Uploads and downloads that touch disks or buckets at once; more wait their turn for each piece."""

ASSEMBLED_AT_ONCE = 4
"""Files put together of parts at once: one can take a minute, in which smaller ones come and go."""

ROWS_AT_ONCE = 4
"""So few that whoever commits batches always finds a connection in the pool."""

MD5_BYTES = 16

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

storage_threads = anyio.CapacityLimiter(THREADS)
assembling_threads = anyio.CapacityLimiter(ASSEMBLED_AT_ONCE)
row_threads = anyio.CapacityLimiter(ROWS_AT_ONCE)


async def assembling(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call what puts a file together of its parts."""
    return await anyio.to_thread.run_sync(function, *arguments, limiter=assembling_threads)


async def with_rows(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call what blocks on the database, shortly."""
    return await anyio.to_thread.run_sync(function, *arguments, limiter=row_threads)


async def receive_blob(
    request: Request, team_id: int, max_bytes: int, expected: Expected = ANYTHING
) -> StoredBlob:
    """Store a request's body; it is durable on return.

    The header Content-MD5 is checked when it came.

    Raises:
        FileTooLarge: more than `max_bytes` came, or were announced.
        HashMismatch: the bytes are not the expected ones.
        UploadTooSlow, ClientGone: it did not come whole.
        Malformed: Content-MD5 is none.
        Unavailable: the store is full or away.
    """
    expected = _with_header(expected, request.headers.get("content-md5"))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise FileTooLarge(max_bytes)
    with store_answers():
        store = blob_store()
        spool = await in_thread(Spool, store.spool_directory)
        try:
            async for piece in _pieces(request, max_bytes):
                await in_thread(spool.write, piece)
            return await in_thread(store.keep, team_id, spool, expected)
        finally:
            spool.close()


async def in_thread(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call what blocks on a disk or a bucket."""
    return await anyio.to_thread.run_sync(function, *arguments, limiter=storage_threads)


async def _pieces(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    started = asyncio.get_running_loop().time()
    held, size, more = bytearray(), 0, True
    while more:
        message = await _next(request, started, size)
        if message["type"] == "http.disconnect":
            raise ClientGone("the client hung up")
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > max_bytes:
            raise FileTooLarge(max_bytes)
        held += chunk
        if len(held) >= WRITE_BYTES or (held and not more):
            yield bytes(held)
            held.clear()


async def _next(request: Request, started: float, size: int) -> Message:
    try:
        async with asyncio.timeout_at(started + GRACE_SECONDS + size / SLOWEST_BYTES_PER_SECOND):
            return await request.receive()
    except TimeoutError:
        raise UploadTooSlow(
            f"{size} bytes of the file came in more than {GRACE_SECONDS:g} s",
            limit=SLOWEST_BYTES_PER_SECOND,
            fix="send it again, faster",
            retry_after=BUSY_SECONDS,
        ) from None


def _with_header(expected: Expected, content_md5: str | None) -> Expected:
    if content_md5 is None:
        return expected
    try:
        md5 = base64.b64decode(content_md5, validate=True)
    except (binascii.Error, ValueError):
        md5 = b""
    if len(md5) != MD5_BYTES:
        raise Malformed(
            f"Content-MD5 is {content_md5[:60]!r}",
            field="Content-MD5",
            fix="send the base64 of the 16 bytes of the MD5",
        )
    if expected.md5 not in (None, md5):
        raise HashMismatch(
            "Content-MD5 is not the MD5 that was announced", field="Content-MD5", fix="ask for a new address"
        )
    return msgspec.structs.replace(expected, md5=md5)
