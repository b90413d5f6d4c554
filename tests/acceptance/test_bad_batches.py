"""Batches that are wrong on the wire are refused or kept as dead letters; no row around them is lost."""

import gzip
import secrets
import struct
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from runhue_shared.events import Cells, ConfigEdit, Finish, LogBatch, NumberBlock, Rows, encode_batch
from tests.acceptance.bad_input import BEFORE, Doors, only_the_good_rows, refused, until
from tests.builders import batch_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.stack

MEBIBYTE = 2**20
GIBIBYTE = 2**30
LAST_SEQ = 2**40 - 1
UNPACKED_LIMIT = 256 * MEBIBYTE
BODY_LIMIT = 64 * MEBIBYTE
GOOD = batch_of([(1, {"loss": 0.5})], 1)
BODY, RAW_LENGTH = encode_batch(GOOD)
RAW = msgspec.msgpack.encode(GOOD)


@lru_cache
def bomb(*, declared: bool) -> bytes:
    """1 GiB of zeros in a frame of 32 KiB that says so, or says nothing."""
    compressor = zstd.ZstdCompressor()
    if declared:
        compressor.set_pledged_input_size(GIBIBYTE)
    zeros = bytes(MEBIBYTE)
    return b"".join(compressor.compress(zeros) for _ in range(1024)) + compressor.flush()


class AtTheDoor(NamedTuple):
    """A request that ingest refuses: what of `Sender.send_body` differs from a good one."""

    name: str
    status: int
    code: str
    field: str | None
    limit: int | None = None
    body: Callable[[], Any] = lambda: BODY
    raw_length: int | str = RAW_LENGTH
    seq_lo: int | str = 1
    seq_hi: int | str = 1
    crc: int | str | None = None
    counted: bool = True


def chunks() -> Any:  # an iterator, which httpx sends without a length
    return (bytes(MEBIBYTE) for _ in range(70))


DOOR = [
    AtTheDoor(
        "bomb that says its size", 413, "body_too_large", "X-Runhue-Raw-Length", UNPACKED_LIMIT,
        lambda: bomb(declared=True), GIBIBYTE,
    ),
    AtTheDoor(
        "bomb with a header that lies", 422, "malformed", "X-Runhue-Raw-Length",
        body=lambda: bomb(declared=True), raw_length=100,
    ),
    AtTheDoor("gzip", 422, "malformed", "body", body=lambda: gzip.compress(RAW)),
    AtTheDoor("empty body", 422, "malformed", "body", body=lambda: b"", raw_length=0),
    AtTheDoor("plain msgpack", 422, "malformed", "body", body=lambda: RAW),
    AtTheDoor("random bytes", 422, "malformed", "body", body=lambda: secrets.token_bytes(500)),
    AtTheDoor("length of another body", 422, "malformed", "X-Runhue-Raw-Length", raw_length=RAW_LENGTH + 1),
    AtTheDoor("body over 64 MiB", 413, "body_too_large", "body", BODY_LIMIT, lambda: bytes(BODY_LIMIT + 1)),
    AtTheDoor("endless body", 413, "body_too_large", "body", BODY_LIMIT, chunks, crc=1),
    AtTheDoor("crc of another body", 422, "crc_mismatch", "X-Runhue-CRC32", crc=7),
    AtTheDoor("crc in words", 422, "malformed", "X-Runhue-CRC32", 2**32 - 1, crc="seven"),
    AtTheDoor("crc beyond 32 bits", 422, "malformed", "X-Runhue-CRC32", 2**32 - 1, crc=2**32),
    AtTheDoor("length in words", 422, "malformed", "X-Runhue-Raw-Length", LAST_SEQ, raw_length="many"),
    AtTheDoor("seq backwards", 422, "malformed", "seq_hi", seq_lo=5),
    AtTheDoor("seq beyond 2^63", 422, "malformed", "seq_lo", LAST_SEQ, seq_lo=2**63, seq_hi=2**63),
    AtTheDoor("seq_hi beyond 2^63", 422, "malformed", "seq_hi", LAST_SEQ, seq_hi=2**64),
    AtTheDoor("seq beyond the last", 422, "malformed", "seq_lo", LAST_SEQ, seq_lo=2**40, seq_hi=2**40),
    AtTheDoor("negative seq", 422, "malformed", "seq_lo", LAST_SEQ, seq_lo=-1),
    AtTheDoor("seq of other digits", 422, "malformed", "seq_lo", LAST_SEQ, seq_lo="\u0661"),
    AtTheDoor("gap", 409, "sequence_gap", "seq_lo", seq_lo=7, seq_hi=7, counted=False),
    AtTheDoor("overlap", 409, "sequence_gap", "seq_lo", seq_lo=0, seq_hi=1, counted=False),
]  # fmt: skip


@pytest.mark.parametrize("bad", DOOR, ids=[row.name for row in DOOR])
def test_refused_at_the_door(doors: Doors, bad: AtTheDoor) -> None:
    """A request that is no batch is refused by name, counted on its run, and no row beside it is lost."""
    run = doors.new_run()

    answer = doors.log_around(run, lambda writer: send_bad(doors, writer, bad))

    refused(answer, bad.status, bad.code, bad.field, bad.limit)
    assert doors.settled(run)["dead_letters"] == []
    only_the_good_rows(doors, run)


def test_refusals_are_counted_on_their_run(doors: Doors) -> None:
    """The run's health counts what was refused for good by code and field; a gap is no such refusal."""
    run = doors.new_run()
    writer = doors.writer(run)
    expected = Counter((bad.code, bad.field) for bad in DOOR if bad.counted)

    assert doors.wire.send_rows(writer, [(0, {"loss": BEFORE})]).status_code == 200
    for bad in DOOR:
        send_bad(doors, writer, bad)

    until(lambda: doors.rejections(run) == expected)


def send_bad(doors: Doors, writer: int, bad: AtTheDoor) -> httpx.Response:
    arguments = bad.raw_length, bad.seq_lo, bad.seq_hi, bad.crc
    return doors.wire.send_body(writer, bad.body(), *arguments)


LENGTH = {"X-Runhue-Raw-Length": str(RAW_LENGTH)}
CRC = {"X-Runhue-CRC32": str(zlib.crc32(BODY))}
PARTS: list[tuple[str, dict[str, str], int, str, str | None]] = [
    ("{}/batches?seq_lo=1&seq_hi=1", {}, 422, "malformed", "X-Runhue-CRC32"),
    ("{}/batches?seq_lo=1&seq_hi=1", CRC, 422, "malformed", "X-Runhue-Raw-Length"),
    ("{}/batches", CRC | LENGTH, 422, "malformed", "seq_lo"),
    ("{}/batches?seq_lo=1", CRC | LENGTH, 422, "malformed", "seq_hi"),
    ("{}99999999/batches?seq_lo=1&seq_hi=1", CRC | LENGTH, 404, "writer_not_found", None),
    ("seven/batches?seq_lo=1&seq_hi=1", CRC | LENGTH, 404, "writer_not_found", None),
    ("seven/heartbeat", {}, 404, "writer_not_found", None),
    ("-1/heartbeat", {}, 404, "writer_not_found", None),
    ("{}/heartbeats", {}, 404, "not_found", None),
]


@pytest.mark.parametrize(("path", "headers", "status", "code", "field"), PARTS)
def test_request_with_parts_missing(
    doors: Doors, path: str, headers: dict[str, str], status: int, code: str, field: str | None
) -> None:
    """A header, a parameter or a writer that is not there is named."""
    run = doors.new_run()

    def send(writer: int) -> httpx.Response:
        url = f"/ingest/v1/writers/{path.format(writer)}"
        return doors.wire.http.post(url, headers=headers, content=BODY)

    answer = doors.log_around(run, send)

    refused(answer, status, code, field)
    doors.settled(run)
    only_the_good_rows(doors, run)


def rows_of(
    seqs: Sequence[int], steps: Sequence[int], *blocks: NumberBlock, cells: Sequence[Cells] = ()
) -> LogBatch:
    """A batch with seq 1 whose columns are as told, however wrong."""
    rows = Rows(array("I", seqs).tobytes(), array("q", steps).tobytes(), list(blocks), list(cells))
    return LogBatch(1, 1, rows=rows)


def block(values: int = 1, **parts: Any) -> NumberBlock:  # fields of NumberBlock
    return NumberBlock(["loss"], struct.pack(f"<{values}d", *range(values)), **parts)


def big(key: int, at: int, digits: str) -> NumberBlock:
    return block(kinds=b"\x01", big=[(key, at, digits)])


def no_utf8(batch: LogBatch) -> bytes:
    """The batch with bytes that are no UTF-8 in the place of TEXT."""
    return msgspec.msgpack.encode(batch).replace(b"TEXT", b"\xff\xfe\xed\xa0")


DEEP = {"seq": 1, "values": {"x": msgspec.Raw(b"\x91" * 100_000 + b"\xc0")}}
EXPLODED: Any = "exploded"

FOLDING: list[tuple[str, Any, str]] = [  # name, what is encoded (bytes are as they are), part of the reason
    ("nested 100,000 deep", {"seq_lo": 1, "seq_hi": 1, "config": [DEEP]}, "recursion"),
    ("random bytes, well packed", b"\x07" + secrets.token_bytes(400), "not a log batch"),
    ("lists 100,000 deep", b"\x91" * 100_000 + b"\xc0", "Expected `object`"),
    ("nothing", b"", "truncated"),
    ("cut msgpack", RAW[:-3], "truncated"),
    ("bytes behind the batch", RAW + b"\xc0", "not a log batch"),
    ("another format", LogBatch(1, 1, format=9), "format is 9"),
    ("field of the wrong type", {"seq_lo": "1", "seq_hi": 1}, "seq_lo"),
    ("field name that is no text", {"seq_lo": 1, "seq_hi": 1, 7: 7}, "not a log batch"),
    ("seq beyond 2^63 inside", {"seq_lo": 2**63, "seq_hi": 1}, "9223372036854775808"),
    ("no UTF-8 in a key", no_utf8(batch_of([(1, {"TEXT": "x"})], 1)), "utf-8"),
    ("no UTF-8 in a value", no_utf8(batch_of([(1, {"note": "TEXT"})], 1)), "utf-8"),
    ("seqs of another batch", LogBatch(0, 0), "seq 0..0, sent as 1..1"),
    ("seq backwards inside", LogBatch(1, 0), "seq 1..0"),
    ("record outside the batch", LogBatch(1, 1, config=[ConfigEdit(7, {"a": 1})]), "has seq 7"),
    ("end that there is not", LogBatch(1, 1, finish=[Finish(1, 0, EXPLODED, 1.0)]), "exploded"),
    ("negative step", rows_of([0], [-1], block()), "negative"),
    ("least step", rows_of([0], [-(2**63)], block()), "negative"),
    ("more steps than rows", rows_of([0], [1, 2], block()), "4 bytes of seq"),
    ("half a step", LogBatch(1, 1, rows=Rows(b"abc", b"defg")), "3 bytes of seq"),
    ("offset outside the batch", rows_of([9], [1], block()), "beyond seq_hi"),
    ("more values than rows", rows_of([0], [1], block(2)), "16 bytes of numbers"),
    ("fewer values than rows", rows_of([0, 0], [1, 2], block(1)), "8 bytes of numbers"),
    ("position outside the rows", rows_of([0], [1], block(rows=struct.pack("<I", 5))), "row positions"),
    ("half a position", rows_of([0], [1], block(rows=b"ab")), "row positions"),
    ("kind that there is not", rows_of([0], [1], block(kinds=b"\x07")), "kinds"),
    ("mask of another key", rows_of([0], [1], block(kinds=b"\x00", masks={4: b"\x01"})), "masks"),
    ("big integer outside", rows_of([0], [1], big(3, 0, "1")), "big integer"),
    ("big integer in words", rows_of([0], [1], big(0, 0, "1e5")), "big integer"),
    ("big integer of 5,000 digits", rows_of([0], [1], big(0, 0, "1" * 5000)), "digits"),
    ("values for other rows", rows_of([0], [1], cells=[Cells("note", bytes(8), ["x"])]), "'note'"),
]


@pytest.mark.parametrize(("content", "reason"), [row[1:] for row in FOLDING], ids=[row[0] for row in FOLDING])
def test_refused_at_folding(doors: Doors, content: Any, reason: str) -> None:  # anything that encodes
    """A durable body that makes no sense becomes a dead letter with its reason; rows around it are stored."""
    raw = content if isinstance(content, bytes) else msgspec.msgpack.encode(content)

    check_dead(doors, zstd.compress(raw), len(raw), reason)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: BODY[:-5], "cut short"),
        (lambda: BODY + b"more", "4 bytes follow"),
        (lambda: BODY + BODY, "follow the zstd frame"),
        (lambda: bomb(declared=False), f"larger than {UNPACKED_LIMIT}"),
    ],
    ids=["cut frame", "bytes behind the frame", "second frame", "bomb that says nothing"],
)
def test_frame_that_lies(doors: Doors, body: Callable[[], bytes], reason: str) -> None:
    """A frame that begins well and is something else becomes a dead letter, without its size in memory."""
    check_dead(doors, body(), RAW_LENGTH, reason)


def check_dead(doors: Doors, body: bytes, raw_length: int, reason: str) -> None:
    run = doors.new_run()

    answer = doors.log_around(run, lambda writer: doors.wire.send_body(writer, body, raw_length, 1, 1))

    assert answer.status_code == 200, answer.text
    [letter] = doors.settled(run)["dead_letters"]
    assert (letter["seq_lo"], letter["seq_hi"]) == (1, 1)
    assert reason in letter["reason"]
    only_the_good_rows(doors, run)


def test_empty_batch(doors: Doors) -> None:
    """A batch without records is nothing: no dead letter, no row."""
    run = doors.new_run()

    assert doors.log_batch_around(run, LogBatch(1, 1)).status_code == 200

    assert doors.settled(run)["dead_letters"] == []
    only_the_good_rows(doors, run)


def test_poison_holds_no_other_run_up(doors: Doors) -> None:
    """Forty bad batches of one run become forty dead letters; every row of it and of others is stored."""
    run, other = doors.new_run(), doors.new_run()
    writer, theirs = doors.writer(run), doors.writer(other)

    for seq in range(0, 80, 2):
        assert doors.wire.send_rows(writer, [(seq, {"loss": seq / 7})], seq).status_code == 200
        body, raw_length = encode_batch(LogBatch(seq, seq))  # says another seq than it is sent under
        assert doors.wire.send_body(writer, body, raw_length, seq + 1, seq + 1).status_code == 200
        assert doors.wire.send_rows(theirs, [(seq, {"loss": seq / 7})], seq // 2).status_code == 200

    assert len(doors.settled(run)["dead_letters"]) == 40
    for each in (run, other):
        doors.settled(each)
        assert [row["loss"] for row in doors.rows(each)] == [seq / 7 for seq in range(0, 80, 2)]


def test_logs_hold_no_values(doors: Doors) -> None:
    """A batch that fails while it is folded leaves a trace in the log, without what it holds."""
    secret = "a-key-that-nobody-else-may-read"
    held = NumberBlock([secret], bytes(8))

    digits = big(0, 0, "7" * 5000)
    assert doors.log_batch_around(doors.new_run(), rows_of([0], [1], held, digits)).status_code == 200

    log = doors.stack.data_dir / "logs" / "aggregation.log"
    until(lambda: "batch is poison" in log.read_text(encoding="utf-8"))
    assert "Traceback" in log.read_text(encoding="utf-8")
    for name in ("aggregation", "ingest", "api"):
        text = (log.parent / f"{name}.log").read_text(encoding="utf-8")
        assert secret not in text
        assert doors.stack.api_key not in text
