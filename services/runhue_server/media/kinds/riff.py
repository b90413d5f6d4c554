"""Whether a WAV file holds as much as its header says."""

from typing import BinaryIO, Final

from runhue_server.media.contract import Refused, Source

_UNKNOWN_FROM: Final = 0x7FFFF000
"""Sizes from here on are written by programs that cannot go back to the header."""

_MAX_CHUNKS: Final = 10_000


def check_wav(source: Source) -> None:
    """Raises:
    Refused: `truncated`, the samples are fewer bytes than said; `damaged`, there are no samples at all.
    """
    with source.path.open("rb") as file:
        told = _told(file)
        there = source.size - file.tell()
    if 0 < told < _UNKNOWN_FROM and told > there:
        raise Refused("truncated", f"The file says it has {told:,} bytes of samples; {there:,} are there.")


def _told(file: BinaryIO) -> int:
    """Bytes that the chunk of samples says it has; the file is then at its first byte."""
    file.seek(12)
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            return length
        file.seek(length + length % 2, 1)
    raise Refused("damaged", "The WAV file has no chunk of samples.")
