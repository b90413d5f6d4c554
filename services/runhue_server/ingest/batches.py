"""`POST /ingest/v1/writers/{writer_id}/batches`, as bare ASGI: it is called thousands of times a second."""

import asyncio
import re
import sys
import time

from starlette.types import Receive, Scope, Send

from runhue_server.intake.accept import Answer, Arrival, Committer
from runhue_server.intake.body import BodyReader
from runhue_server.intake.load import Load
from runhue_server.intake.problems import (
    BodyTooLarge,
    BodyTooSlow,
    CrcMismatch,
    Malformed,
    WriterNotFound,
    malformed_number,
)
from runhue_server.intake.refusals import Refusals
from runhue_server.web.auth import principal_of
from runhue_server.web.problems import as_problem, problem_response
from runhue_shared.db.inbox import LAST_SEQ
from runhue_shared.db.keys import Principal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PATH_START = "/ingest/v1/writers/"
PATH_END = "/batches"
LONGEST_NUMBER = 18
_USUAL_QUERY = re.compile(rb"seq_lo=(\d{1,12})&seq_hi=(\d{1,12})\Z")
LAST_CRC = 2**32 - 1


def is_batch_path(path: str) -> bool:
    """Whether a request path is this route's."""
    return path.startswith(PATH_START) and path.endswith(PATH_END)


class BatchRoute:
    """Accepts batches: durable when answered 200, never parsed here."""

    def __init__(
        self,
        committer: Committer,
        load: Load,
        refusals: Refusals,
        reader: BodyReader,
        max_decompressed_bytes: int,
    ) -> None:
        self._committer = committer
        self._load = load
        self._refusals = refusals
        self._reader = reader
        self._max_decompressed_bytes = max_decompressed_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Exception as error:  # noqa: BLE001  # every error has an answer
            answer = as_problem(error)
        if isinstance(answer, bytes):
            await _send_json(send, answer)
            return
        # What a client still sends after its answer is thrown away by the server, unless it takes for ever.
        response = problem_response(answer)
        if isinstance(answer, BodyTooSlow):
            response.headers["connection"] = "close"
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        principal = await principal_of(headers.get(b"authorization", b"").decode("latin-1"), "ingest")
        writer_id = _writer_id(scope["path"])
        try:
            return await self._accept(scope, headers, receive, principal, writer_id)
        except (Malformed, CrcMismatch, BodyTooLarge) as problem:
            self._refusals.note(principal.team_id, writer_id, problem)
            raise

    async def _accept(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, sender: Principal, writer_id: int
    ) -> Answer:
        self._load.admit()
        seq_lo, seq_hi = _range(scope["query_string"])
        declared_crc = _header(headers, b"x-runhue-crc32", "X-Runhue-CRC32", LAST_CRC)
        raw_length = self._raw_length(headers)
        self._reader.check_declared(headers.get(b"content-length", b"").decode("latin-1"))
        content, crc = await self._reader.read(receive)
        try:
            if crc != declared_crc:
                raise _crc_mismatch(crc, declared_crc)
            check_frame(content, raw_length)
            loop = asyncio.get_running_loop()
            batch = Arrival(
                sender,
                writer_id,
                seq_lo,
                seq_hi,
                crc,
                content,
                loop,
                loop.create_future(),
                time.monotonic(),
            )
            self._committer.submit(batch)
            return await batch.answer
        finally:
            self._load.release(len(content))

    def _raw_length(self, headers: dict[bytes, bytes]) -> int:
        length = _header(headers, b"x-runhue-raw-length", "X-Runhue-Raw-Length", LAST_SEQ)
        limit = self._max_decompressed_bytes
        if length > limit:
            raise BodyTooLarge(
                f"X-Runhue-Raw-Length is {length}, the limit is {limit}",
                field="X-Runhue-Raw-Length",
                limit=limit,
                fix="send smaller batches",
            )
        return length


def check_frame(content: bytes, raw_length: int) -> None:
    """Look at the first bytes only: a zstd frame, whose size, if it says one, is the one declared.

    Raises:
        Malformed: it is not. A frame that lies is found when it is folded.
    """
    try:
        size = zstd.get_frame_info(content).decompressed_size
    except zstd.ZstdError:
        raise Malformed("the body is not zstd", field="body", fix="send zstd(msgpack(LogBatch))") from None
    if size is not None and size != raw_length:
        raise Malformed(
            f"X-Runhue-Raw-Length is {raw_length}, the body says that it unpacks to {size} bytes",
            field="X-Runhue-Raw-Length",
            fix="send the length before compression",
        )


def _crc_mismatch(crc: int, declared: int) -> CrcMismatch:
    return CrcMismatch(
        f"X-Runhue-CRC32 is {declared}, the body that arrived has {crc}",
        field="X-Runhue-CRC32",
        fix="send the CRC-32 of the body as compressed, in decimal; if it was, send the batch again",
    )


def _writer_id(path: str) -> int:
    text = path[len(PATH_START) : -len(PATH_END)]
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise WriterNotFound(repr(text[:40]))
    return int(text)


def _whole_number(field: str, text: str, last: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and int(text) <= last):
        raise malformed_number(field, text, last)
    return int(text)


def _header(headers: dict[bytes, bytes], name: bytes, shown: str, last: int) -> int:
    return _whole_number(shown, headers.get(name, b"").decode("latin-1"), last)


def _range(query: bytes) -> tuple[int, int]:
    found = _USUAL_QUERY.match(query)
    if found is None:
        given = dict(pair.partition("=")[::2] for pair in query.decode("latin-1").split("&"))
        seq_lo = _whole_number("seq_lo", given.get("seq_lo", ""), LAST_SEQ)
        seq_hi = _whole_number("seq_hi", given.get("seq_hi", ""), LAST_SEQ)
    else:
        seq_lo, seq_hi = int(found[1]), int(found[2])
    if seq_hi < seq_lo:
        raise Malformed(
            f"seq_hi is {seq_hi}, before seq_lo {seq_lo}", field="seq_hi", fix="send seq_lo <= seq_hi"
        )
    return seq_lo, seq_hi


_JSON_HEADER = (b"content-type", b"application/json")


async def _send_json(send: Send, content: bytes) -> None:
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON_HEADER, length]})
    await send({"type": "http.response.body", "body": content})
