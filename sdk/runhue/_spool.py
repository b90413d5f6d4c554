"""The spool: what a process said to its run, on disk before `log()` returns.

One folder per writer: `manifest.json` (who writes to what, never the API key), `lock`, `files/`
(see _files), and segments named by their first seq. A segment is records end to end:

    length u32 | crc32 u32 | seq u64 | payload (msgpack, see _records)      little-endian

The crc covers the payload and is seeded with the seq. Each record is one unbuffered write,
so what was written survives `kill -9` of the process.
"""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from runhue._files import SpoolFiles
from runhue._records import Record, encode
from runhue_shared.events import StartWriter

FORMAT = 1
HEADER = struct.Struct("<IIQ")
SEED_MASK = 0xFFFF_FFFF
SEGMENT_BYTES = 16 * 1024 * 1024
BACKLOG_BYTES = 64 * 1024 * 1024
MANIFEST = "manifest.json"
REJECTED = "rejected"

_pack = HEADER.pack
_crc32 = zlib.crc32


class Manifest(msgspec.Struct):
    """Who writes to what: enough to send the spool from another process."""

    start: StartWriter
    base_url: str
    mode: str = "online"
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Store the manifest whole or not at all, readable by its owner only."""
    write_private(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a spool folder.

    Raises:
        FileNotFoundError: the folder is no spool.
        msgspec.DecodeError: the file is damaged.
        ValueError: written by a newer release.
    """
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    if manifest.format != FORMAT:
        raise ValueError(f"spool format of {folder} is {manifest.format}, this release reads {FORMAT}")
    return manifest


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by `content` in one step, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    temporary.replace(path)


def segment_path(folder: Path, first_seq: int) -> Path:
    """File of the segment whose first record has `first_seq`."""
    return folder / f"{first_seq:020d}.segment"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """(first seq, file) of each segment that is there, in order."""
    return sorted((int(path.stem), path) for path in folder.glob("*.segment"))


class Spool:
    """The writing end. `append` is not thread-safe: callers hold one lock around it.

    `next_seq` is the seq of the next record; every record below `written_seq` is on disk. The
    others wait in memory while the disk is full. A reader that sets `reader_waits` gets one call
    of `wake` at the next record. `is_writing` is True within `append`, where a signal handler may
    find itself; what it appends then follows the record that it interrupted, and `after_append`
    is called, once, when that is done.
    """

    def __init__(self, folder: Path, first_seq: int = 0, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.next_seq = first_seq
        self.written_seq = first_seq
        self.reader_waits = False
        self.is_writing = False
        self.wake: Callable[[], None] = _nothing
        self.after_append: Callable[[], None] | None = None
        self.on_fault: Callable[[OSError], None] = _ignore_fault
        self.files = SpoolFiles(folder)
        self._segment_bytes = segment_bytes
        self._size = 0
        self._interrupting: list[bytes] = []
        self._backlog: list[bytes] = []
        self._backlog_bytes = 0
        self._file = self._open_segment()

    def _open_segment(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.open(segment_path(self.folder, self.next_seq), flags, 0o600)

    def append(self, record: Record | tuple[object, ...]) -> bytes:
        """Write one record; returns its payload.

        Raises:
            OverflowError, UnicodeEncodeError, TypeError: a value has no msgpack form; nothing was written.
            MemoryError: the disk is full, and so is the memory for what waits.
        """
        payload = encode(record)
        if self.is_writing:
            self._interrupting.append(payload)
            return payload
        self.is_writing = True
        try:
            self._write(payload)
            while self._interrupting:
                self._write(self._interrupting.pop(0))
        finally:
            self.is_writing = False
        if self.after_append is not None:
            following, self.after_append = self.after_append, None
            following()
        return payload

    def _write(self, payload: bytes) -> None:
        # The seq is taken before it is used: an exception in between leaves a gap, which readers
        # pass over, where the other order could give one seq to two records.
        seq = self.next_seq
        self.next_seq = seq + 1
        data = _pack(len(payload), _crc32(payload, seq & SEED_MASK), seq) + payload
        if self._backlog:
            self._hold_back(data, None)
            self.retry_backlog()
            return
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._hold_back(data, error)
            return
        if written != len(data):
            self._cut_off(written)
            self._hold_back(data, OSError("the disk is full"))
            return
        self._size += written
        self.written_seq = seq + 1
        if self._size >= self._segment_bytes:
            self._rotate()
        if self.reader_waits:
            self.reader_waits = False
            self.wake()

    def _rotate(self) -> None:
        try:
            following = self._open_segment()
        except OSError as error:
            self.on_fault(error)
            return
        os.close(self._file)
        self._file = following
        self._size = 0

    def _cut_off(self, written: int) -> None:
        """Take the part of a record that was written off the file again."""
        os.ftruncate(self._file, os.fstat(self._file).st_size - written)

    def _hold_back(self, data: bytes, error: OSError | None) -> None:
        if self._backlog_bytes + len(data) > BACKLOG_BYTES:
            limit = BACKLOG_BYTES >> 20
            raise MemoryError(f"the disk is full and {limit} MiB of log data wait in memory") from error
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        if error is not None:
            self.on_fault(error)

    @property
    def unwritten(self) -> int:
        """How many records wait in memory for room on the disk."""
        return len(self._backlog)

    def retry_backlog(self) -> bool:
        """Write what a full disk held back; True when nothing waits any more."""
        while self._backlog:
            data = self._backlog[0]
            try:
                written = os.write(self._file, data)
            except OSError:
                return False
            if written != len(data):
                self._cut_off(written)
                return False
            self._size += written
            self._backlog.pop(0)
            self._backlog_bytes -= written
            self.written_seq = HEADER.unpack_from(data)[2] + 1
        return True

    def close(self) -> None:
        """Write to the disk itself and close; closing twice is fine."""
        if self._file >= 0:
            self.retry_backlog()
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def abandon(self) -> None:
        """Close this process's copy of the file after a fork: the parent goes on writing. Again is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class NoSpool:
    """The spool of mode `disabled`: keeps nothing."""

    is_writing = False
    unwritten = 0

    def __init__(self) -> None:
        self.next_seq = 0
        self.written_seq = 0
        self.after_append: Callable[[], None] | None = None
        self.files = SpoolFiles(None)

    def append(self, record: Record | tuple[object, ...]) -> bytes:
        """Check that the record could be stored, and forget it."""
        self.next_seq += 1
        self.written_seq = self.next_seq
        return encode(record)

    def close(self) -> None:
        """Nothing to close."""

    def abandon(self) -> None:
        """Nothing to abandon."""


def _nothing() -> None:
    pass


def _ignore_fault(_: OSError) -> None:
    pass
