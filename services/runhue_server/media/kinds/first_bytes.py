"""What bytes are, told from the bytes: by how they begin, and not by what their name says."""

from typing import Final

from runhue_server.media.contract import Refused, Source

HEAD_BYTES: Final = 4096

_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"OggS", "an Ogg stream"),
    (b"fLaC", "FLAC sound"),
    (b"ID3", "MP3 sound"),
    (b"FORM", "AIFF sound"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM stream"),
    (b"FLV\x01", "a Flash video"),
    (b"\x93NUMPY", "a numpy array"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"glTF", "a binary glTF"),
    (b"#!", "a script"),
)


def head_of(source: Source, count: int = HEAD_BYTES) -> bytes:
    """The first bytes of the file.

    Raises:
        Refused: `empty`, there are none.
    """
    with source.path.open("rb") as file:
        head = file.read(count)
    if not head:
        raise Refused("empty", "The file is empty.")
    return head


def found_in(head: bytes) -> str:
    """What bytes with this beginning are, as words for a reason."""
    if head.startswith(b"RIFF"):
        return {b"WAVE": "WAV sound", b"WEBP": "a WebP image", b"AVI ": "an AVI video"}.get(
            head[8:12], "a RIFF file"
        )
    if head[4:8] == b"ftyp":
        return "an MP4 or QuickTime file"
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning):
            return words
    return _plain_words(head)


def _plain_words(head: bytes) -> str:
    if is_binary(head):
        return "binary data"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] in {b"{", b"["}:
        return "text like JSON"
    return "markup" if start[:1] == b"<" else "text"


def is_binary(head: bytes) -> bool:
    """Whether bytes are no text: they hold control characters that no text has."""
    return any(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in head[:HEAD_BYTES])


def shown(text: object, limit: int = 80) -> str:
    """Text of a file as facts and reasons may hold it: valid Unicode without control characters.

    Longer text is cut, with an ellipsis.
    """
    cut = str(text)[: limit + 1]
    clean = "".join(sign if sign.isprintable() else "\ufffd" for sign in cut)
    return clean if len(clean) <= limit else clean[:limit] + "…"


def check_size(source: Source, most: int) -> None:
    """Raises:
    Refused: `empty`, or `too_large`, more than `most` bytes.
    """
    if source.size == 0:
        raise Refused("empty", "The file is empty.")
    if source.size > most:
        raise Refused("too_large", f"The file has {source.size:,} bytes; at most {most:,} are looked at.")
