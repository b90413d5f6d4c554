"""What image files are, told from their structure without decoding: type, frames, and where they end."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAX_FRAMES: Final = 10_000

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def type_of_bytes(head: bytes) -> str | None:
    """png, jpeg, gif, bmp, webp or tiff, by how the bytes begin."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for start, name in _SIGNATURES if head.startswith(start)), None)


def end_of(path: Path, format_: str) -> int | None:
    """Behind how many bytes the image is over; None when that is not known, or it does not end."""
    find = {"png": _png_end, "jpeg": _jpeg_end, "webp": _webp_end, "gif": _gif_end}.get(format_)
    if find is None:
        return None
    with _mapped(path) as content:
        return find(content)


def gif_frames(path: Path) -> int:
    """How many images a GIF has; counting stops behind `MAX_FRAMES`."""
    with _mapped(path) as content:
        return _gif_walk(content)[0]


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _png_end(content: mmap.mmap) -> int | None:
    place = 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4])
        end = place + 12 + length
        if content[place + 4 : place + 8] == b"IEND":
            return end if end <= len(content) else None
        place = end
    return None


def _webp_end(content: mmap.mmap) -> int | None:
    size = int.from_bytes(content[4:8], "little")
    end = 8 + size + size % 2
    return end if end <= len(content) else None


def _jpeg_end(content: mmap.mmap) -> int | None:
    place = 2
    while (place := content.find(b"\xff", place)) >= 0 and place + 1 < len(content):
        marker = content[place + 1]
        if marker == 0xD9:
            return place + 2
        if marker == 0xFF:
            place += 1
        elif marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD7:  # a byte of the picture, or no segment
            place += 2
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return None


def _gif_end(content: mmap.mmap) -> int | None:
    return _gif_walk(content)[1]


def _gif_walk(content: mmap.mmap) -> tuple[int, int | None]:
    """(images, the end); the end is None when the bytes are over before, or there are too many images."""
    place = 13 + _color_table(content[10]) if len(content) > 13 else len(content)
    images = 0
    while place < len(content) and images <= MAX_FRAMES:
        block = content[place]
        if block == _TRAILER:
            return images, place + 1
        if block == _IMAGE and place + 10 < len(content):
            images += 1
            place += 11 + _color_table(content[place + 9])
        elif block == _EXTENSION:
            place += 2
        else:
            break
        place = _behind_sub_blocks(content, place)
    return images, None


def _color_table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_sub_blocks(content: mmap.mmap, place: int) -> int:
    while place < len(content) and content[place]:
        place += 1 + content[place]
    return place + 1
