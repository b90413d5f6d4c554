"""Images and masks: what the bytes are, whatever their name says, how large they are, and a small picture."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import found_in, head_of, shown
from runhue_server.media.kinds.image_files import MAX_FRAMES, end_of, gif_frames, type_of_bytes
from runhue_server.media.kinds.image_thumbnails import MAX_SIDE, thumbnail
from runhue_server.media.kinds.svg_files import svg_facts

MAX_PIXELS: Final = 178_956_970
"""Pillow's own limit, twice a quarter of a gigabyte in RGB; one frame may have so many."""

MAX_TEXT_BYTES: Final = 16 << 20
"""So far may a compressed text or color profile in a PNG unpack."""

_ALIASES: Final = {"jpg": "jpeg", "tif": "tiff", "jpe": "jpeg", "jfif": "jpeg"}
_OF_BROWSERS: Final = frozenset({"png", "jpeg", "gif", "bmp", "webp"})
_TURNED: Final = frozenset({5, 6, 7, 8})
_GRAY, _PALETTE, _ONE_CHANNEL_BITS = 0, 3, 8
_CHANNELS: Final = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}

# Once, and not in each fork that looks at an item.
Image.preinit()
_PLUGINS: Final = (PngImagePlugin, TiffImagePlugin, WebPImagePlugin)


def inspect_image(source: Source, workshop: Workshop) -> Facts:
    """Facts of an image; a thumbnail when it is large, or no browser shows it.

    Raises:
        Refused: `empty`, `not_an_image`, `too_many_pixels`, `too_many_frames`, `truncated`, `damaged`, or a
            code of `svg_facts`.
    """
    head = head_of(source)
    found = type_of_bytes(head)
    claimed = _ALIASES.get(source.format, source.format)
    if found is None and claimed == "svg":
        return svg_facts(source.path, source.size)
    if found is None:
        raise _no_image(source.format, head)
    facts: dict[str, Any] = {"format": found}
    if claimed != found:
        facts["claimed"] = source.format
    with _opened(source.path, found) as image:
        _check_pixels(image.size)
        facts |= _layout(image, source.path, found)
        if found not in _OF_BROWSERS or max(image.size) > MAX_SIDE:
            image.draft(None, (MAX_SIDE, MAX_SIDE))
            image.load()
            workshop.put("thumbnail", "image/webp", thumbnail(image))
        else:
            image.load()
    end = end_of(source.path, found)
    return facts | ({"trailing_bytes": source.size - end} if end is not None and end < source.size else {})


def inspect_mask(source: Source, workshop: Workshop) -> Facts:  # noqa: ARG001  # an `Inspector`
    """Size of a mask, and how many pixels have which class.

    Raises:
        Refused: `empty`, `not_an_image`, `not_a_mask`, `too_many_pixels`, `truncated` or `damaged`.
    """
    head = head_of(source)
    if type_of_bytes(head) != "png":
        raise _no_image("png", head)
    with _opened(source.path, "png") as image:
        _check_pixels(image.size)
        _check_one_channel(head[24], head[25])
        image.load()
        counts = image.histogram()
        width, height = image.size
    classes = [{"id": number, "pixels": pixels} for number, pixels in enumerate(counts[:256]) if pixels]
    return {"format": "png", "width": width, "height": height, "classes": classes}


def _no_image(claimed: str, head: bytes) -> Refused:
    name = f"Its name says {shown(claimed, 20)}" if claimed else "It was logged as an image"
    return Refused("not_an_image", f"{name}, but the bytes are {found_in(head)}.")


def _check_pixels(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise Refused(
            "too_many_pixels", f"It is {width:,} by {height:,} pixels; at most {MAX_PIXELS:,} are taken."
        )


def _check_one_channel(bits: int, color: int) -> None:
    if color == _PALETTE or (color == _GRAY and bits == _ONE_CHANNEL_BITS):
        return
    found = f"{bits} bits of {_CHANNELS.get(color, 'an unknown kind')}"
    raise Refused("not_a_mask", f"A mask has one channel of 8 bits, this has {found}.")


def _layout(image: Image.Image, path: Path, found: str) -> dict[str, Any]:  # JSON
    """Width and height are those of the upright picture, as browsers show it."""
    width, height = image.size
    if image.getexif().get(0x0112) in _TURNED:
        width, height = height, width
    frames = _frames(image, path, found)
    if frames > MAX_FRAMES:
        raise Refused("too_many_frames", f"It has more than {MAX_FRAMES:,} frames.")
    animated = frames > 1 and found != "tiff"
    return {"width": width, "height": height, "mode": image.mode, "frames": frames, "animated": animated}


def _frames(image: Image.Image, path: Path, found: str) -> int:
    if found == "gif":
        return max(1, gif_frames(path))
    if found == "tiff":
        return _pages(image)
    return int(getattr(image, "n_frames", 1))


def _pages(image: Image.Image) -> int:
    """Pages of a TIFF; counting stops behind `MAX_FRAMES`."""
    pages = 1
    try:
        while pages <= MAX_FRAMES:
            image.seek(pages)
            pages += 1
    except EOFError:
        image.seek(0)
    return pages


@contextmanager
def _opened(path: Path, found: str) -> Iterator[Image.Image]:
    """The image, by the decoder of its type and no other, with what decoders raise as reasons."""
    # Sizes are checked here, where the reason can name them.
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT_BYTES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[found.upper()]) as image:
                yield image
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise _broken(error) from error


def _broken(error: Exception) -> Refused:
    told = str(error)
    if "Decompressed data too large" in told or "Too much memory used in text chunks" in told:
        return Refused(
            "too_much_text", f"A text or color profile in it unpacks to more than {MAX_TEXT_BYTES:,} bytes."
        )
    if isinstance(error, UnidentifiedImageError):  # its text is the path
        return Refused("damaged", "The image cannot be decoded: its header is broken, or cut off.")
    if isinstance(error, EOFError) or "truncated" in told.lower():
        return Refused("truncated", "The image ends before all of it is there.")
    kind = type(error).__name__
    return Refused("damaged", f"The image cannot be decoded ({kind}): {shown(told, 160)}.")
