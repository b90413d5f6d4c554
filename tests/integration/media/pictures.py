"""Pictures for tests, and files that only look like some."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIECE = 1 << 22


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture of random colors."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def written(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:  # Pillow's options
    """The image as bytes of a file."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def png(width: int = 8, height: int = 6, seed: int = 0) -> bytes:
    """A PNG of random colors."""
    return written(noise(width, height, seed))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int, bits: int = 8, color: int = 2) -> bytes:
    """Signature and first chunk of a PNG."""
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))


def endless_png(width: int, height: int) -> bytes:
    """A black picture in RGB, as few bytes as PNG takes for it."""
    return header(width, height) + chunk(b"IDAT", zeros(height * (3 * width + 1))) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """So many zero bytes, compressed."""
    packer = zlib.compressobj(1)
    whole, rest = divmod(count, PIECE)
    piece = bytes(PIECE)
    packed = [packer.compress(piece) for _ in range(whole)]
    return b"".join([*packed, packer.compress(bytes(rest)), packer.flush()])


def with_chunk(content: bytes, kind: bytes, inside: bytes) -> bytes:
    """A PNG with one more chunk, right behind its header."""
    return content[:33] + chunk(kind, inside) + content[33:]
