"""What is found in video, what its poster shows, and what browsers get that cannot play it."""

import io
import struct

import av
import numpy as np
import pytest
from PIL import Image

from runhue import Video
from runhue_server.media.kinds import frame_counts, playable
from tests.unit.media_kinds.looking import Looked, look, refused
from tests.unit.media_kinds.samples import H264, VP8, clip, clip_with_sound, ffmpeg, sound

PLAYED = [
    ("gif", (), "gif"),
    ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p"), "h264"),
    ("webm", VP8, "vp8"),
    ("webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-cpu-used", "8"), "vp9"),
]
NOT_PLAYED = [
    ("mp4", ("-c:v", "mpeg4"), "mpeg4"),
    ("mp4", ("-c:v", "libx264", "-pix_fmt", "yuv444p"), "h264"),
    ("ogg", ("-c:v", "libtheora", "-pix_fmt", "yuv420p"), "theora"),
]


def poster(looked: Looked) -> Image.Image:
    assert looked.types["poster"] == "image/webp"
    return Image.open(io.BytesIO(looked.made["poster"]))


@pytest.mark.parametrize(("ending", "codec", "name"), PLAYED)
def test_what_browsers_play_is_described(ending: str, codec: tuple[str, ...], name: str) -> None:
    """Size, frames, duration and codec are found, and no playable copy is made."""
    looked = look("video", ending, clip(ending, *codec))

    assert looked.facts == {
        "format": ending,
        "codec": name,
        "width": 64,
        "height": 48,
        "duration": pytest.approx(1, abs=0.01),
        "frames": 10,
        "fps": pytest.approx(10, abs=0.1),
        "audio": None,
        "plays_in_browsers": True,
    }
    assert set(looked.made) == {"poster"}
    assert poster(looked).size == (64, 48)


@pytest.mark.parametrize(("ending", "codec", "name"), NOT_PLAYED)
def test_what_browsers_do_not_play_is_encoded_anew(ending: str, codec: tuple[str, ...], name: str) -> None:
    """A playable copy has as many frames, at the same times, and is itself played."""
    looked = look("video", ending, clip(ending, *codec))

    assert (looked.facts["codec"], looked.facts["plays_in_browsers"]) == (name, False)
    assert looked.types["playable"] == "video/webm"
    copy = look("video", "webm", looked.made["playable"]).facts
    assert copy["plays_in_browsers"]
    assert (copy["codec"], copy["width"], copy["height"], copy["frames"]) == ("vp9", 64, 48, 10)
    assert copy["duration"] == pytest.approx(looked.facts["duration"], abs=0.01)


def test_the_sound_goes_along() -> None:
    """A playable copy keeps the sound, as Opus."""
    looked = look("video", "mp4", clip_with_sound("mp4", "-c:v", "mpeg4", "-c:a", "aac"))

    copy = look("video", "webm", looked.made["playable"]).facts
    assert (looked.facts["audio"], copy["audio"]) == ("aac", "opus")
    assert copy["duration"] == pytest.approx(1, abs=0.1)


def test_sound_that_nobody_can_decode_is_left_out() -> None:
    """A video whose sound is of an unknown codec is shown without it."""
    content = clip_with_sound("webm", *VP8, "-c:a", "libopus").replace(b"A_OPUS", b"A_NONE")

    found = look("video", "webm", content).facts

    assert (found["audio"], found["frames"]) == (None, 10)


def test_too_much_to_encode_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A video beyond the bound keeps its facts and poster, and says why there is no copy."""
    monkeypatch.setattr(playable, "MAX_ENCODED_PIXELS", 64 * 48 * 9)

    looked = look("video", "mp4", clip("mp4", "-c:v", "mpeg4"))

    assert (
        looked.facts["playable_refused"] == "it has 10 frames of 64 by 48 pixels; 9 of that size are allowed"
    )
    assert set(looked.made) == {"poster"}


def test_a_copy_is_at_most_1920_pixels_wide() -> None:
    """Larger videos are made smaller, to even sides of the same shape."""
    assert playable.size_within(3840, 2161) == (1920, 1080)
    assert playable.size_within(33, 1) == (32, 2)
    assert playable.size_within(640, 480) == (640, 480)


def test_the_poster_is_the_first_frame_made_small() -> None:
    """The poster of red frames with blue ones behind is red, and has 256 pixels on its longer side."""
    frames = np.zeros((4, 3, 300, 600), np.uint8)
    frames[0, 0] = 255
    for at in range(1, 4):
        frames[at, 2] = 80 * at
    content = Video(frames, fps=2)._content
    assert isinstance(content, bytes)

    looked = look("video", "gif", content)

    assert (looked.facts["frames"], looked.facts["duration"], looked.facts["fps"]) == (4, 2, 2)
    assert poster(looked).size == (256, 128)
    assert poster(looked).convert("RGB").getpixel((100, 60)) == pytest.approx((255, 0, 0), abs=6)


def test_a_turned_video_is_shown_upright() -> None:
    """Sizes and poster are as players show them, which turn the frames as the file says."""
    flat = clip_with_sound("mp4", *H264)
    with av.open(io.BytesIO(flat), "r") as file:
        frame = next(file.decode(video=0)).to_ndarray(format="rgb24")
    turned = turned_by_90(flat)

    looked = look("video", "mp4", turned)

    assert (looked.facts["width"], looked.facts["height"]) == (48, 64)
    shown = np.asarray(poster(looked).convert("RGB"), int)
    assert np.abs(shown - np.rot90(frame).astype(int)).mean() < 12


def turned_by_90(content: bytes) -> bytes:
    """The MP4 with a matrix that turns its picture by a quarter counterclockwise."""
    one, quarter = 1 << 16, struct.pack(">9i", 0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30)
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    at = content.index(b"tkhd")
    start = content.index(upright, at)
    return content[:start] + quarter + content[start + 36 :]


def test_what_lies_about_its_length_is_refused() -> None:
    """An MP4 whose frames are cut off says how many it should have; without its index it cannot be read."""
    early = ffmpeg("mp4", "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=3", *H264, "-movflags", "+faststart")

    cut = refused("video", "mp4", early[: len(early) * 2 // 3])

    assert cut.code == "truncated"
    assert "30 frames" in cut.reason
    late = clip_with_sound("mp4", *H264)
    assert refused("video", "mp4", late[: len(late) // 2]).code == "damaged"


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canvas of thousands of millions of pixels and a clip of endless frames have their reasons."""
    bomb = b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
    assert refused("video", "gif", bomb).code == "too_large"
    monkeypatch.setattr(frame_counts, "MAX_FRAMES", 9)
    assert refused("video", "gif", clip("gif")).code == "too_many_frames"


def test_files_that_are_no_video_are_named() -> None:
    """Sound, playlists and other files are refused with what they are."""
    assert "found mp3 sound" in refused("video", "mp4", sound("mp3")).reason
    assert (
        refused("video", "ogg", sound("ogg")).reason == "Video was expected; the ogg file holds only sound."
    )
    assert refused("video", "mp4", b"#EXTM3U\nfile:///etc/passwd\n").code == "not_video"
    assert refused("video", "mp4", b"ffconcat version 1.0\nfile /etc/passwd\n").code == "not_video"
