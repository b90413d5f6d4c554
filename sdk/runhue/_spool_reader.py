"""The reading end of a spool: records in order, across segments, torn tails and damage."""

import os
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from runhue._spool import HEADER, SEED_MASK, segments

READ_BYTES = 1024 * 1024


class SpoolReader:
    """Reads records of `folder` in order of seq, as far as the caller allows.

    A damaged stretch is reported once by `on_damage(first_seq, next_seq)`, in which `next_seq`
    is the first seq that can be read again; its records are missing from what is yielded.
    """

    def __init__(self, folder: Path, on_damage: Callable[[int, int], None]) -> None:
        self.folder = folder
        self._on_damage = on_damage
        self._file = -1
        self.rewind()

    def rewind(self) -> None:
        """Go back to the first record of the first segment that is still there."""
        self.close()
        found = segments(self.folder)
        self.next_seq = found[0][0] if found else 0
        self._segment = self.next_seq
        self._offset = 0
        self._held = b""

    def close(self) -> None:
        """Let go of the file; reading opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def read(self, below: int) -> Generator[tuple[int, bytes], None, None]:
        """(seq, payload) of each record with seq < `below` that is on disk, from where reading stopped."""
        while self.next_seq < below:
            for seq, payload in self._records_held(below):
                self.next_seq = seq + 1
                yield seq, payload
            if self.next_seq >= below:
                return
            if not self._read_more() and not self._leave_segment(below):
                return

    def _records_held(self, below: int) -> Iterator[tuple[int, bytes]]:
        held, at = self._held, 0
        expected = self.next_seq
        unpack, crc32, head = HEADER.unpack_from, zlib.crc32, HEADER.size
        try:
            while len(held) - at >= head and expected < below:
                length, crc, seq = unpack(held, at)
                payload = held[at + head : at + head + length]
                # A higher seq with its crc right follows records that were never written.
                if not expected <= seq < below or crc32(payload, seq & SEED_MASK) != crc:
                    return
                at += head + length
                expected = seq + 1
                yield seq, payload
        finally:
            self._held = held[at:]
            self._offset += at

    def _read_more(self) -> bool:
        """Read on in the segment; False at its end as it is now."""
        if self._file < 0:
            path = dict(segments(self.folder)).get(self._segment)
            if path is None:
                return False
            self._file = os.open(path, os.O_RDONLY)
        more = os.pread(self._file, READ_BYTES, self._offset + len(self._held))
        self._held += more
        return bool(more)

    def _leave_segment(self, below: int) -> bool:
        """At the end of what is on disk: go past damage, or to the next segment."""
        if self._held and self._skip_damage(below):
            return True
        following = [first for first, _ in segments(self.folder) if first > self._segment]
        if not following or following[0] >= below:
            return False
        if following[0] > self.next_seq:
            self._on_damage(self.next_seq, following[0])
        self.close()
        self._segment = self.next_seq = following[0]
        self._offset = 0
        self._held = b""
        return True

    def _skip_damage(self, below: int) -> bool:
        """Find the next whole record behind a damaged one; False when there is none in the segment."""
        at, seq = next(_whole_records(self._held, self.next_seq, below), (0, 0))
        if at == 0:
            return False
        self._on_damage(self.next_seq, seq)
        self._held = self._held[at:]
        self._offset += at
        self.next_seq = seq
        return True


def _whole_records(held: bytes, after: int, below: int) -> Iterator[tuple[int, int]]:
    """(position, seq) of whole records in `held` whose seq lies in (after, below)."""
    for at in range(1, len(held) - HEADER.size + 1):
        length, crc, seq = HEADER.unpack_from(held, at)
        if not after < seq < below:
            continue
        payload = held[at + HEADER.size : at + HEADER.size + length]
        if len(payload) == length and zlib.crc32(payload, seq & SEED_MASK) == crc:
            yield at, seq


def repair(folder: Path) -> int:
    """Cut the torn tail off a dead process's spool; returns the seq that follows its last record."""
    found = segments(folder)
    if not found:
        return 0
    first, path = found[-1]
    content = path.read_bytes()
    end, following = _last_whole_record(content, first)
    if end < len(content):
        os.truncate(path, end)
    return following


def _last_whole_record(content: bytes, first: int) -> tuple[int, int]:
    """(position behind it, its seq + 1) of the last record that is whole; (0, first) for none."""
    at, expected = 0, first
    while len(content) - at >= HEADER.size:
        length, crc, seq = HEADER.unpack_from(content, at)
        payload = content[at + HEADER.size : at + HEADER.size + length]
        if seq >= expected and len(payload) == length and zlib.crc32(payload, seq & SEED_MASK) == crc:
            at += HEADER.size + length
            expected = seq + 1
            continue
        skipped = next(_whole_records(content[at:], expected - 1, expected + len(content)), None)
        if skipped is None:
            break
        at, expected = at + skipped[0], skipped[1]
    return at, expected
