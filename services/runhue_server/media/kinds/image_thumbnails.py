"""Small pictures for galleries: the same bytes of WebP for the same picture, and nothing else of its file."""

import io
from typing import Final

import numpy as np
from PIL import Image, ImageOps

MAX_SIDE: Final = 256
_QUALITY: Final = 82
_NUMBERS: Final = frozenset({"F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
_LARGEST_16: Final = 65535.0


def thumbnail(image: Image.Image) -> bytes:
    """WebP of at most `MAX_SIDE` pixels on the longer side, upright; larger than the picture it never is.

    Pictures of 16 bits keep their scale; other numbers are spread from the smallest to the largest.
    """
    orientation = image.getexif().get(0x0112, 1)
    small = _plain(image)
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return webp(_colors(_upright(small, orientation)))


def webp(image: Image.Image) -> bytes:
    """A picture in RGB or RGBA as WebP, without what its file told of it."""
    bare = image.copy()
    bare.info = {}
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=_QUALITY, method=4)
    return written.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that is scaled well."""
    if image.mode in _NUMBERS:
        return _gray(image)
    if image.mode in {"P", "PA"} or "transparency" in image.info:
        return image.convert("RGBA" if _has_alpha(image) else "RGB")
    if image.mode == "1":
        return image.convert("L")
    return image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"PA", "LA", "La", "RGBA", "RGBa"} or "transparency" in image.info


def _gray(image: Image.Image) -> Image.Image:
    """Numbers as gray; what is no finite number is black."""
    image = image if image.mode in {"F", "I"} else image.convert("I")
    whole = image.mode == "I"
    values = np.array(image, dtype=np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if whole and low >= 0 and high <= _LARGEST_16:
        low, high = 0.0, _LARGEST_16
    values -= np.float32(low)
    values *= np.float32(255.0 / ((high - low) or 1.0))
    return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    exif = Image.Exif()
    exif[0x0112] = orientation if orientation in range(2, 9) else 1
    image.info = {"exif": exif.tobytes()}
    return ImageOps.exif_transpose(image)


def _colors(image: Image.Image) -> Image.Image:
    if image.mode in {"RGB", "RGBA"}:
        return image
    return image.convert("RGBA" if _has_alpha(image) else "RGB")
