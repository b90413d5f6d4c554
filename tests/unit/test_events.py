"""What crosses HTTP: batches read back as they were sent, and hostile bodies are refused."""

import sys

import pytest

from runhue_shared.events import (
    Cells,
    ConfigEdit,
    LogBatch,
    MalformedBatch,
    decode_batch,
    encode_batch,
    encode_rows,
    flatten,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1_000_000


def test_a_batch_reads_back_as_it_was_sent() -> None:
    """Rows, cells and edits survive the wire."""
    rows = encode_rows([(0, 0, {"loss": 0.5, "note": "a"}), (1, 7, {"loss": 2, "tags": ["x", None]})])
    batch = LogBatch(5, 7, rows=rows, config=[ConfigEdit(2, {"lr": 0.1})])

    body, _ = encode_batch(batch)

    assert decode_batch(body, LIMIT) == batch


def test_ints_beyond_64_bits_outside_of_metrics_become_doubles() -> None:
    """A list, a config value and a nested one are the nearest double, and the batch is not refused."""
    rows = encode_rows([(0, 0, {"sizes": [2**70, -(2**70), 3], "count": 2**70})])
    config = [ConfigEdit(1, {"seed": 2**64, "deep": {"huge": 10**400}})]

    decoded = decode_batch(encode_batch(LogBatch(0, 1, rows=rows, config=config))[0], LIMIT)

    assert decoded.config[0].values == {"seed": float(2**64), "deep": {"huge": float("inf")}}
    assert decoded.rows is not None
    assert decoded.rows.cells == [Cells("sizes", b"\0\0\0\0", [[float(2**70), -float(2**70), 3]])]
    assert decoded.rows.numbers[0].big == [(0, 0, str(2**70))]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "cut short"),
        (b"not zstd at all", "not zstd"),
        (zstd.compress(b"\xc1"), "not a log batch"),
        (zstd.compress(b"x" * 500)[:-4], "cut short|not zstd"),
        (zstd.compress(bytes(LIMIT + 1)), "larger than 1000000 bytes"),
        (zstd.compress(b"\x91" * 200_000), "not a log batch"),
    ],
)
def test_hostile_bodies_are_refused_with_the_reason(body: bytes, reason: str) -> None:
    """No body is unpacked beyond the limit, and each refusal says what is wrong."""
    with pytest.raises(MalformedBatch, match=reason):
        decode_batch(body, LIMIT)


def test_the_least_nested_of_two_equal_names_wins() -> None:
    """Whatever their order (docs/color.md S9)."""
    assert flatten({"a": {"b": 2}, "a.b": 1}) == flatten({"a.b": 1, "a": {"b": 2}}) == {"a.b": 1}


def test_a_media_value_stays_whole() -> None:
    """A dict with `_type` is a value, not a nesting."""
    image = {"_type": "image-file", "path": "media/a.png"}

    assert flatten({"examples": {"first": image}}) == {"examples.first": image}


def test_the_later_spelling_in_a_row_wins() -> None:
    """Keys that differ in case are one metric (docs/color.md S9)."""
    rows = encode_rows([(0, 0, {"Acc": 0.1, "acc": 0.9})])

    assert [block.keys for block in rows.numbers] == [["acc"]]
