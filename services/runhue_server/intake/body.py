"""Reading a request's body under a running cap and a clock; neither comes with the server."""

import asyncio
import zlib
from typing import NamedTuple

from starlette.types import Message, Receive

from runhue_server.intake.load import Load
from runhue_server.intake.problems import BodyTooLarge, BodyTooSlow, ClientGone

GRACE_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 16 * 1024


class Body(NamedTuple):
    """A body read whole; `crc` is its CRC-32."""

    content: bytes
    crc: int


class BodyReader:
    """Reads bodies of at most `limit` bytes.

    A body must be whole after `grace` seconds, or later if it keeps up `SLOWEST_BYTES_PER_SECOND`.
    Bytes in memory are counted in `load`.
    """

    def __init__(self, load: Load, limit: int, grace: float = GRACE_SECONDS) -> None:
        self._load = load
        self._limit = limit
        self._grace = grace

    def check_declared(self, declared: str) -> None:
        """Refuse by the Content-Length header, before anything is read.

        Raises:
            BodyTooLarge: it is over the limit.
        """
        if declared.isdecimal() and int(declared) > self._limit:
            raise self._too_large(int(declared))

    async def read(self, receive: Receive) -> Body:
        """The whole body; the caller gives its length back to `load.release`.

        Raises:
            BodyTooLarge: more than `limit` bytes came, whatever the headers said.
            BodyTooSlow: it did not come in time.
            InboxFull: the memory for bodies is full.
            ClientGone: the client hung up.
        """
        started = asyncio.get_running_loop().time()
        held = 0
        crc = 0
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout_at(started + self._grace) as clock:
                while True:
                    message = await receive()
                    chunk = _chunk(message)
                    held += len(chunk)
                    self._load.hold(len(chunk))
                    if held > self._limit:
                        raise self._too_large(held)
                    crc = zlib.crc32(chunk, crc)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        break
                    clock.reschedule(started + self._grace + held / SLOWEST_BYTES_PER_SECOND)
        except BaseException as error:
            self._load.release(held)
            if isinstance(error, TimeoutError):
                raise self._too_slow(held) from None
            raise
        return Body(chunks[0] if len(chunks) == 1 else b"".join(chunks), crc)

    def _too_slow(self, size: int) -> BodyTooSlow:
        return BodyTooSlow(
            f"{size} bytes of the body came in more than {self._grace:g} s",
            limit=SLOWEST_BYTES_PER_SECOND,
            fix="send smaller batches",
        )

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body is {size} bytes or more, the limit is {self._limit}",
            field="body",
            limit=self._limit,
            fix="send smaller batches",
        )


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone("the client hung up")
    chunk: bytes = message.get("body", b"")
    return chunk
