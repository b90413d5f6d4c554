"""From arrays, figures and files to pictures, and from pictures to the bytes of a file."""

import io
from pathlib import Path
from types import ModuleType
from typing import Any

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.tensors import as_numpy
from runhue._media.text import suffix_of

ENCODERS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP"}
"""File types that a picture can be written as, by pillow's name."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
WRITABLE = {
    "PNG": frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}),
    "JPEG": frozenset({"1", "L", "RGB", "CMYK"}),
    "BMP": frozenset({"1", "L", "P", "RGB"}),
}
NAME = "Image"


def picture_of_bytes(content: bytes, name: str) -> Any:  # PIL.Image.Image
    """The picture in a file's bytes, decoded.

    Raises:
        BadMedia: they hold none.
    """
    pillow = library("PIL.Image", NAME)
    try:
        picture = pillow.open(io.BytesIO(content))
        picture.load()
    except pillow.UnidentifiedImageError as error:
        formats = "png, jpg, bmp, gif, webp, tiff and svg are taken"
        raise BadMedia(f"{NAME}: {name} holds no image that can be read: {formats}") from error
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise BadMedia(f"{NAME}: {name} holds no image that can be read: {error}") from error
    return picture


def size_of_file(content: bytes, path: Path) -> tuple[int, int] | tuple[None, None]:
    """(width, height) in pixels of an image file; SVG has none.

    Raises:
        BadMedia: it is none that can be read.
    """
    if suffix_of(path) != "svg":
        width, height = picture_of_bytes(content, str(path)).size
        return width, height
    if b"<svg" not in content and b":svg" not in content:
        raise BadMedia(f"{NAME}: {path} holds no <svg> element")
    return None, None


def picture_of(
    data: Any, mode: str | None, *, scale: bool = True
) -> Any:  # array, figure or PIL image -> PIL.Image.Image
    """The picture of an array (HxW, HxWx1, x3, x4; torch: CxHxW), a PIL image or a matplotlib figure.

    Raises:
        BadMedia: none of these, or of another shape.
    """
    pillow = library("PIL.Image", NAME)
    if isinstance(data, pillow.Image):
        return data if mode in {None, data.mode} else data.convert(mode)
    if is_figure(data):
        return _drawn(data)
    if not hasattr(data, "shape"):
        kind = type(data).__name__
        raise BadMedia(f"{NAME} takes an array, a PIL image, a path or a matplotlib figure, got {kind}")
    array = as_numpy(data, NAME)
    pixels = _pixels(array, is_torch=type(data).__module__.startswith("torch"), mode=mode, scale=scale)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    try:
        return pillow.fromarray(pixels).convert(mode or MODES[channels])
    except (ValueError, TypeError) as error:
        raise BadMedia(f"{NAME}: mode {mode!r} cannot be made of shape {pixels.shape}: {error}") from error


def is_figure(data: object) -> bool:
    """True for what matplotlib draws, also for pyplot itself, which stands for its current figure."""
    name = data.__name__ if isinstance(data, ModuleType) else type(data).__module__
    return name.partition(".")[0] == "matplotlib"


def _drawn(data: Any) -> Any:  # matplotlib figure, artist or pyplot -> PIL.Image.Image
    if hasattr(data, "gcf"):
        data = data.gcf()
    figure = data if hasattr(data, "savefig") else data.get_figure()
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return picture_of_bytes(content.getvalue(), "the figure")


def _pixels(array: Any, *, is_torch: bool, mode: str | None, scale: bool) -> Any:  # numpy.ndarray
    """uint8 of shape (H, W) or (H, W, channels)."""
    shape = array.shape
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    allowed = {1, 2, 3, 4} if mode == "LA" else {1, 3, 4}
    if array.ndim == 3 and (is_torch or (array.shape[0] == 1 and array.shape[2] not in allowed)):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in allowed):
        order = "(1|3|4, height, width)" if is_torch else "(height, width[, 1|3|4])"
        raise BadMedia(f"{NAME}: an array must have shape {order}, got {tuple(shape)}")
    if array.size == 0:
        raise BadMedia(f"{NAME}: the array is empty, its shape is {tuple(shape)}")
    return to_uint8(array, scale=scale)


def to_uint8(array: Any, *, scale: bool = True) -> Any:  # numpy.ndarray
    """Pixels 0 to 255.

    uint8 stays as it is, bool becomes 0 and 255. Values below 0 spread over the whole range, floats of
    at most 1 are scaled by 255; then everything is cut to 0..255. NaN is 0. Source: the wandb client
    up to 0.21, and its documentation. Without `scale` values are only cut.
    """
    numpy = library("numpy", NAME)
    kind = array.dtype.kind
    if kind not in "biuf":
        raise BadMedia(f"{NAME}: an array must hold numbers, got {array.dtype}")
    if array.dtype == numpy.uint8:
        return numpy.ascontiguousarray(array)
    if kind == "b":
        return array.astype(numpy.uint8) * numpy.uint8(255)
    values = array.astype(numpy.float64)
    finite = values[numpy.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if scale and low < 0:
        values = (values - low) / ((high - low) or 1.0)
    if scale and (low < 0 or (kind == "f" and high <= 1)):
        values = values * 255
    values = numpy.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    return values.clip(0, 255).astype(numpy.uint8)


def encoded(picture: Any, file_type: str) -> bytes:  # PIL.Image.Image
    """The bytes of a file of that type; the same picture gives the same bytes.

    Raises:
        BadMedia: the picture is too large for the type.
    """
    encoder = ENCODERS[file_type]
    if picture.mode not in WRITABLE[encoder]:
        picture = _writable(picture, with_alpha=encoder == "PNG")
    content = io.BytesIO()
    try:
        # Without what a reader put into `info`: a transparent color, a profile, a time.
        bare = picture.copy()
        bare.info = {}
        bare.save(content, format=encoder)
    except (OSError, ValueError) as error:
        raise BadMedia(f"{NAME}: {picture.size} cannot be written as {file_type}: {error}") from error
    return content.getvalue()


def _writable(picture: Any, *, with_alpha: bool) -> Any:  # PIL.Image.Image
    """The picture in a mode that every type has."""
    if picture.mode in {"F", "I"}:
        array = library("numpy", NAME).asarray(picture)
        return library("PIL.Image", NAME).fromarray(to_uint8(array))
    return picture.convert("RGBA" if with_alpha and "A" in picture.getbands() else "RGB")
