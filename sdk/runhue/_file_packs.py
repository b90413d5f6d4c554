"""Small files in one request: the form of `POST /ingest/v1/writers/{writer_id}/file-packs`.

A request for each picture costs a server more than storing it does.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from runhue._records import FileSaved

SMALL_BYTES = 256 * 1024
"""Larger files go on their own: the server may have their bytes already, and is asked first."""

PACK_BYTES = 2 * 1024 * 1024
PACK_FILES = 64


class Offer(msgspec.Struct):
    """A file as ingest is told of it: `sha256` in hex, `size` in bytes."""

    path: str
    sha256: str
    size: int


class PackedAnswer(msgspec.Struct):
    """What became of one file: stored, or refused for good with HTTP's `status`."""

    stored: bool
    status: int | None = None
    code: str | None = None
    detail: str | None = None


class PackAnswer(msgspec.Struct):
    """One answer for each file, in the order of the pack."""

    files: list[PackedAnswer]


def is_small(file: FileSaved) -> bool:
    """Whether the file is sent in a pack, be it the only one."""
    return file.size <= SMALL_BYTES


def packs(files: Sequence[FileSaved]) -> Iterator[list[FileSaved]]:
    """The files in groups that are sent together; one that is not small is a group of its own."""
    pack: list[FileSaved] = []
    size = 0
    for file in files:
        if not is_small(file):
            yield [file]
            continue
        if pack and (len(pack) >= PACK_FILES or size + file.size > PACK_BYTES):
            yield pack
            pack, size = [], 0
        pack.append(file)
        size += file.size
    if pack:
        yield pack


def encode_pack(files: Sequence[FileSaved], folder: Path) -> bytes:
    """The body of a request: a head that lists the files, and their bytes from `folder`.

    Raises:
        OSError: a file cannot be read.
    """
    head = msgspec.json.encode([Offer(file.path, file.sha256, file.size) for file in files])
    contents = ((folder / file.name).read_bytes() for file in files)
    return b"".join(itertools.chain([len(head).to_bytes(4, "little"), head], contents))
