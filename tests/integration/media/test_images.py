"""Images and masks: facts, thumbnails, and files that are hostile or broken."""

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from runhue_server.media.contract import Refused, Source, Workshop
from runhue_server.media.kinds.image_files import MAX_FRAMES, end_of, gif_frames
from runhue_server.media.kinds.images import MAX_PIXELS, inspect_image, inspect_mask
from runhue_server.media.sandbox import BoundedProcess
from tests.integration.media.pictures import (
    chunk,
    endless_png,
    header,
    noise,
    png,
    with_chunk,
    written,
    zeros,
)

Json = dict[str, Any]  # facts
FORMATS = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tiff": "TIFF"}


class Looked:
    """What came of looking at bytes: facts and renditions."""

    def __init__(self, folder: Path, inspect: Callable[[Source, Workshop], Any], content: bytes, name: str):
        path = folder / "bytes"
        path.write_bytes(content)
        workshop = Workshop(folder)
        self.facts: Json = json.loads(json.dumps(inspect(Source(path, name, len(content)), workshop)))
        self.made = {one: (folder / file).read_bytes() for one, (file, _) in workshop.made.items()}

    @property
    def thumbnail(self) -> Image.Image:
        image = Image.open(io.BytesIO(self.made["thumbnail"]))
        image.load()
        return image


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., Looked]:
    """`image(bytes, "png")`: what is found."""
    return lambda content, name="png": Looked(tmp_path, inspect_image, content, name)


@pytest.fixture
def mask(tmp_path: Path) -> Callable[..., Looked]:
    """`mask(bytes)`: what is found."""
    return lambda content: Looked(tmp_path, inspect_mask, content, "png")


@pytest.mark.parametrize("format_", FORMATS)
@settings(deadline=None, max_examples=20)
@given(width=st.integers(1, 400), height=st.integers(1, 400), mode=st.sampled_from(["RGB", "L", "1", "P"]))
def test_size_and_thumbnail(
    tmp_path_factory: pytest.TempPathFactory, format_: str, width: int, height: int, mode: str
) -> None:
    """Sizes are told as they are; large pictures get a thumbnail of the same shape, at most 256 pixels."""
    picture = noise(width, height).convert(mode)
    if format_ == "jpeg" and mode == "P":
        picture = picture.convert("RGB")

    looked = Looked(
        tmp_path_factory.mktemp("look"), inspect_image, written(picture, FORMATS[format_]), format_
    )

    facts = looked.facts
    assert (facts["format"], facts["width"], facts["height"]) == (format_, width, height)
    assert (facts["frames"], facts["animated"]) == (1, False)
    assert not {"claimed", "trailing_bytes"} & set(facts)
    assert ("thumbnail" in looked.made) == (max(width, height) > 256 or format_ == "tiff")
    if looked.made:
        side = max(looked.thumbnail.size)
        assert side == min(256, max(width, height))
        scale = side / max(width, height)
        assert abs(looked.thumbnail.size[0] - width * scale) <= 1
        assert abs(looked.thumbnail.size[1] - height * scale) <= 1


def test_same_bytes_same_thumbnail(image: Callable[..., Looked]) -> None:
    """A thumbnail depends on the picture alone, and shows it."""
    content = written(noise(512, 256).resize((8, 4)).resize((512, 256)))

    first, second = image(content), image(content)

    assert first.made == second.made
    shown = np.asarray(first.thumbnail.convert("RGB"), dtype=int)
    original = np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((256, 128)), dtype=int)
    assert np.abs(shown - original).mean() < 12


def test_no_metadata_in_thumbnail(image: Callable[..., Looked]) -> None:
    """What a camera wrote does not come along."""
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    content = written(noise(600, 300), "JPEG", exif=exif.tobytes(), comment=b"a secret", dpi=(1, 1))

    made = image(content, "jpg").made["thumbnail"]

    assert b"ecret" in content
    assert b"ecret" not in made
    assert b"EXIF" not in made


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(image: Callable[..., Looked], orientation: int) -> None:
    """Width and height are those that a browser shows, and the thumbnail is turned as a browser turns it."""
    picture = Image.new("RGB", (600, 300), "blue")
    picture.paste("red", (0, 0, 300, 150))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = written(picture, "JPEG", exif=exif.tobytes(), quality=95)

    looked = image(content, "jpg")

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert (looked.facts["width"], looked.facts["height"]) == upright.size
    small = np.asarray(upright.resize(looked.thumbnail.size), dtype=int)
    assert np.abs(np.asarray(looked.thumbnail, dtype=int) - small).mean() < 12


def gradient(mode: str) -> Image.Image:
    """300 by 10 pixels from dark to light, in a mode of numbers."""
    values = np.tile(np.linspace(0, 1, 300), (10, 1))
    if mode == "I;16":
        return Image.fromarray((values * 65535).astype(np.uint16))
    if mode == "F":
        values[0, 0] = np.nan
        return Image.fromarray((values * 3e9 - 1e9).astype(np.float32))
    return Image.fromarray((values * 200_000 - 100_000).astype(np.int32))


@pytest.mark.parametrize("mode", ["I;16", "F", "I"])
def test_many_bits(image: Callable[..., Looked], mode: str) -> None:
    """Pictures of numbers are shown from black to white, not clipped at 255."""
    looked = image(written(gradient(mode), "TIFF"), "tiff")

    row = np.asarray(looked.thumbnail.convert("L"), dtype=int)[4]
    assert row[5] < 15
    assert row[-5] > 240
    assert abs(row[len(row) // 2] - 127) < 10


def color_of(looked: Looked) -> tuple[int, int, int, int]:
    """Red, green, blue and opacity of a pixel of the thumbnail."""
    red, green, blue, opacity = looked.thumbnail.convert("RGBA").crop((9, 9, 10, 10)).tobytes()
    return red, green, blue, opacity


def test_transparency(image: Callable[..., Looked]) -> None:
    """What is transparent stays so, in palettes too."""
    clear = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    palette = Image.new("P", (300, 300))
    palette.putpalette([0, 255, 0, 255, 0, 0])

    assert color_of(image(written(clear)))[3] == 0
    assert color_of(image(written(palette, transparency=0)))[3] == 0


def test_four_inks(image: Callable[..., Looked]) -> None:
    """A picture for print becomes one for screens."""
    looked = image(written(Image.new("CMYK", (300, 300), (0, 255, 255, 0)), "JPEG"), "jpg")

    assert looked.facts["mode"] == "CMYK"
    red, green, blue, _ = color_of(looked)
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("format_", ["gif", "webp", "png"])
def test_animation(image: Callable[..., Looked], format_: str) -> None:
    """Frames are counted; the thumbnail is the first."""
    frames = [Image.new("RGB", (300, 300), color) for color in ("red", "lime", "blue")]
    content = written(frames[0], FORMATS[format_], save_all=True, append_images=frames[1:], duration=50)

    looked = image(content, format_)

    assert (looked.facts["frames"], looked.facts["animated"]) == (3, True)
    assert color_of(looked)[0] > 200


def test_pages(image: Callable[..., Looked]) -> None:
    """Pages of a TIFF are frames, and move nothing."""
    pages = [noise(20, 20, seed) for seed in range(3)]

    facts = image(written(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "tiff").facts

    assert (facts["frames"], facts["animated"]) == (3, False)


def test_wrong_name_of_a_picture(image: Callable[..., Looked]) -> None:
    """A PNG that is called jpg is shown, and told of; jpg and jpeg are one."""
    assert image(png(), "jpg").facts["format"] == "png"
    assert image(png(), "jpg").facts["claimed"] == "jpg"
    assert "claimed" not in image(written(noise(4, 4), "JPEG"), "jpg").facts


@pytest.mark.parametrize("format_", ["png", "jpeg", "gif", "webp"])
def test_something_behind_a_picture(image: Callable[..., Looked], format_: str) -> None:
    """An archive that hangs on a picture is told of."""
    content = written(noise(300, 40), FORMATS[format_])

    assert image(content + b"PK\x03\x04<script>", format_).facts["trailing_bytes"] == 12


def code_of(look: Callable[..., Looked], content: bytes, name: str = "png") -> str:
    """Why bytes are refused."""
    with pytest.raises(Refused) as refused:
        look(content, *([] if name == "png" else [name]))
    assert "/bytes" not in refused.value.reason
    return refused.value.code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"<!doctype html><script>alert(1)</script>", "not_an_image"),
        (b"%PDF-1.7 \x89PNG\r\n\x1a\n", "not_an_image"),
        (b"PK\x03\x04" + png(), "not_an_image"),
        (b"\0" * 100, "not_an_image"),
        (b"GIF89a=0;alert(1)//", "damaged"),
        (png(), ""),
        (png(64, 64)[:3000], "truncated"),
        (written(noise(64, 64), "JPEG")[:1500], "truncated"),
        (written(noise(64, 64), "BMP")[:1500], "truncated"),
        (header(8, 6), "damaged"),
        (header(8, 6) + chunk(b"IDAT", b"no zlib at all") + chunk(b"IEND", b""), "damaged"),
        (header(0, 6) + chunk(b"IEND", b""), "damaged"),
        (header(100_000, 100_000) + chunk(b"IDAT", b""), "too_many_pixels"),
        (with_chunk(png(), b"zTXt", b"a\0\0" + zeros(200 << 20)), "too_much_text"),
        (with_chunk(png(), b"iCCP", b"a\0\0" + zeros(200 << 20)), "too_much_text"),
        (with_chunk(png(), b"acTL", (20_000).to_bytes(4) + bytes(4)), "too_many_frames"),
    ],
)
def test_hostile_images(image: Callable[..., Looked], content: bytes, code: str) -> None:
    """What is no picture, not a whole one, or a bomb, has a reason of its own."""
    if not code:
        assert image(content).facts["width"] == 8
        return
    assert code_of(image, content) == code


def test_too_many_pixels_names_both(image: Callable[..., Looked]) -> None:
    """The reason says how large it is, and what is taken."""
    with pytest.raises(Refused, match=r"20,000 by 10,000 pixels; at most 178,956,970"):
        image(header(20_000, 10_000) + chunk(b"IDAT", b""))
    assert MAX_PIXELS == 178_956_970


def test_more_pixels_than_announced(image: Callable[..., Looked]) -> None:
    """A small picture whose data unpack to gigabytes is one small picture."""
    content = header(8, 6) + chunk(b"IDAT", zeros(1 << 30)) + chunk(b"IEND", b"")

    assert image(content).facts["width"] == 8


def test_too_many_frames_of_a_gif(tmp_path: Path) -> None:
    """Counting the frames of a GIF ends soon."""
    picture = written(noise(1, 1), "GIF")
    start = 13 + 3 * 2 ** ((picture[10] & 7) + 1)
    path = tmp_path / "many"
    path.write_bytes(picture[:start] + picture[start:-1] * 20_000 + b";")

    assert gif_frames(path) == MAX_FRAMES + 1
    with pytest.raises(Refused, match="10,000 frames"):
        inspect_image(Source(path, "gif", path.stat().st_size), Workshop(tmp_path))


@settings(deadline=None, max_examples=20)
@given(st.binary(max_size=200), st.sampled_from(["png", "jpeg", "gif", "webp"]))
def test_ends_of_nonsense(tmp_path_factory: pytest.TempPathFactory, tail: bytes, format_: str) -> None:
    """Whatever bytes come, looking for the end of a picture comes to an end within them."""
    path = tmp_path_factory.mktemp("end") / "bytes"
    content = written(noise(3, 3), FORMATS[format_])[:40] + tail
    path.write_bytes(content)

    end = end_of(path, format_)

    assert end is None or 0 <= end <= len(content)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" {}><rect width="1" height="1"/></svg>'


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="120" height="80"', (120, 80)),
        ('width="1in" height="2.54cm"', (96, 96)),
        ('viewBox="0 0 30 40"', (30, 40)),
        ('width="100%" height="100%" viewBox="0,0,30,40"', (30, 40)),
        ('width="nan" height="-5"', (None, None)),
        ("", (None, None)),
    ],
)
def test_svg(image: Callable[..., Looked], attributes: str, size: tuple[float | None, float | None]) -> None:
    """The size of an SVG is read from its root; it is never drawn here."""
    looked = image(SVG.format(attributes).encode(), "svg")

    assert (looked.facts["width"], looked.facts["height"]) == size
    assert looked.facts["format"] == "svg"
    assert looked.facts["active"] is True
    assert not looked.made


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (f'<!DOCTYPE svg [<!ENTITY l0 "ha">{LAUGHS}]>{SVG.format("")}', "unsafe_svg"),
        (f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{SVG.format("")}', "unsafe_svg"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'></html>", "not_an_image"),
        ("<svg><rect></svg>", "damaged"),
        ("", "empty"),
        ("<svg>" * 2000, "too_deep"),
        ("<?xml version='1.0' encoding='klingon'?><svg/>", "damaged"),
    ],
)
def test_hostile_svg(image: Callable[..., Looked], content: str, code: str) -> None:
    """Entities are refused before any of them is used; other XML is no SVG."""
    assert code_of(image, content.encode(), "svg") == code


def test_svg_by_another_name(image: Callable[..., Looked]) -> None:
    """An SVG can run scripts: one that is called png is no image; a PNG that is called svg is one."""
    assert code_of(image, SVG.format("").encode()) == "not_an_image"
    assert image(png(), "svg").facts["format"] == "png"


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32), st.integers(1, 256), st.booleans())
def test_classes_of_a_mask(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, seed: int, classes: int, palette: bool
) -> None:
    """Every class id is counted as numpy counts it, in gray and in palettes."""
    values = np.random.default_rng(seed).integers(0, classes, (height, width), dtype=np.uint8)
    picture = Image.fromarray(values)
    if palette:
        picture = picture.convert("P")
        picture.putdata(values.ravel().tolist())

    looked = Looked(tmp_path_factory.mktemp("mask"), inspect_mask, written(picture), "png")

    ids, counts = np.unique(values, return_counts=True)
    expected = [{"id": int(one), "pixels": int(count)} for one, count in zip(ids, counts, strict=True)]
    assert looked.facts == {"format": "png", "width": width, "height": height, "classes": expected}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (png(), "not_a_mask"),
        (written(gradient("I;16")), "not_a_mask"),
        (written(noise(8, 8).convert("1")), "not_a_mask"),
        (written(noise(8, 8).convert("LA")), "not_a_mask"),
        (written(noise(8, 8), "JPEG"), "not_an_image"),
        (b"", "empty"),
        (header(20_000, 20_000, 8, 0) + chunk(b"IDAT", zlib.compress(b"")), "too_many_pixels"),
    ],
)
def test_no_masks(mask: Callable[..., Looked], content: bytes, code: str) -> None:
    """Ids cannot be read from anything but one channel of 8 bits."""
    assert code_of(mask, content) == code


def test_largest_picture_fits(bounded: Callable[..., BoundedProcess]) -> None:
    """The most pixels that are taken can be looked at within the memory that is allowed by default."""
    content = endless_png(13_377, 13_377)
    process = bounded(seconds=100, memory=2 << 30)
    with process.bench() as bench:
        bench.bytes.write_bytes(content)

        answer = process.look(bench, "image", "png", len(content))

    assert answer.facts is not None
    assert json.loads(answer.facts)["width"] == 13_377
    assert set(answer.made) == {"thumbnail"}
