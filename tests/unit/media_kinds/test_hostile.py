"""Whatever bytes come, an inspector gives facts or says why not; never anything else."""

import json
import random
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from runhue_server.media.contract import Refused
from runhue_shared.media_kinds import Kind
from tests.unit.media_kinds.looking import Looked, check_text, refused
from tests.unit.media_kinds.samples import SMALL, Sample, glb, npy

NAMES = [f"{kind}-{format_}-{number}" for number, (kind, format_, _) in enumerate(SMALL)]
OURS: tuple[Kind, ...] = (
    *("audio", "video", "html", "molecule", "object3d", "points", "plotly", "graph", "array"),
)
FORMAT = {kind: format_ for kind, format_, _ in SMALL}


def looked_or_refused(kind: Kind, format_: str, content: bytes) -> None:
    """Facts that are JSON, or a refusal that can be stored."""
    try:
        check_text(json.dumps(Looked(kind, format_, content).facts, allow_nan=False, ensure_ascii=False))
    except Refused as reason:
        check_text(reason.reason)


def cuts(content: bytes) -> Iterator[bytes]:
    """Beginnings: some within what is likely a header, and some over the whole length."""
    lengths = {*range(0, min(len(content), 64), 7), *(len(content) * part // 12 for part in range(12))}
    return (content[:length] for length in sorted(lengths))


@pytest.mark.parametrize("sample", SMALL, ids=NAMES)
def test_a_file_cut_anywhere_gives_facts_or_a_reason(sample: Sample) -> None:
    """No beginning of a file leads to anything but facts or a refusal."""
    for beginning in cuts(sample.content()):
        looked_or_refused(sample.kind, sample.format, beginning)


@pytest.mark.parametrize("sample", SMALL, ids=NAMES)
def test_flipped_bytes_give_facts_or_a_reason(sample: Sample) -> None:
    """No damage of some bytes leads to anything but facts or a refusal."""
    content = sample.content()
    chance = random.Random(zlib.crc32(content))
    for count in (1, 1, 1, 2, 4, 8, 16, 64, 256):
        damaged = bytearray(content)
        for _ in range(count):
            damaged[chance.randrange(min(len(damaged), chance.choice((64, 1024, 1 << 30))))] = (
                chance.randrange(256)
            )
        looked_or_refused(sample.kind, sample.format, bytes(damaged))


@pytest.mark.parametrize("kind", OURS)
def test_no_bytes_are_said_to_be_none(kind: Kind) -> None:
    """An empty file is refused as empty."""
    assert refused(kind, FORMAT[kind], b"").code == "empty"


@pytest.mark.parametrize("kind", OURS)
def test_any_kind_of_file_may_come_under_any_name(kind: Kind) -> None:
    """A file of another kind gives facts or a reason, and binary ones a reason that names what was found."""
    for sample in SMALL:
        looked_or_refused(kind, FORMAT[kind], sample.content())
    reason = refused(kind, FORMAT[kind], b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert "a PNG image" in reason.reason or "not UTF-8" in reason.reason


@pytest.mark.parametrize("kind", ["points", "plotly", "graph"])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"type": "\xff\xfe"}', "not_text"),
        (b'{"data": [}', "not_json"),
        (b"PK\x03\x04 nothing", "not_json"),
    ],
)
def test_json_that_is_none_is_refused(kind: Kind, content: bytes, code: str) -> None:
    """Deep, undecodable and broken JSON each have their code."""
    assert refused(kind, FORMAT[kind], content).code == code


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("plotly", b'{"data": [{"type": "\\ud800\\u0000x"}], "layout": {"title": "\\udfff\\u0000"}}'),
        ("graph", b'{"nodes": [{"id": "\\ud800"}], "edges": []}'),
        (
            "points",
            json.dumps(
                {"type": "lidar/beta", "boxes": [{"label": "\ud800\0", "corners": 8 * [[0, 0, 0]]}]}
            ).encode(),
        ),
        ("html", b"<title>\0&#xD800;&#0;</title><img src='https://a\0.example'>"),
    ],
)
def test_text_that_no_database_takes_is_cleaned(kind: Kind, content: bytes) -> None:
    """Half surrogates and zero bytes never reach facts or reasons."""
    looked_or_refused(kind, FORMAT[kind], content)


def test_a_polyglot_is_what_its_kind_reads() -> None:
    """An archive behind an array changes nothing of the array; one behind a binary glTF is refused."""
    archive = b"PK\x03\x04" + bytes(64)

    assert Looked("array", "npy", npy(np.zeros(3)) + archive).facts["values"] == 3
    assert "it has" in refused("object3d", "glb", glb() + archive).reason
