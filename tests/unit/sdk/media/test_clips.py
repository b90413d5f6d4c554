"""What becomes of samples and frames."""

import io
import subprocess
import wave
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageSequence

import runhue
from tests.unit.sdk.media.logged import stored

RED, BLUE = (255, 0, 0), (0, 0, 255)


def content(tmp_path: Path, value: Any) -> bytes:  # media with one file
    _, logged = stored(tmp_path, value)
    (only,) = logged.files.values()
    return only


def solid(*colors: tuple[int, int, int], width: int = 32, height: int = 16) -> Any:  # numpy.ndarray
    """Frames (time, 3, height, width) of one color each."""
    frames = np.zeros((len(colors), 3, height, width), dtype=np.uint8)
    for frame, color in zip(frames, colors, strict=True):
        frame[:] = np.array(color)[:, None, None]
    return frames


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0.0, 1.0, -1.0, 2.0, 0.5]), [0, 32767, -32767, 32767, 16384]),
        (np.array([0.25, -0.25], dtype=np.float32), [8192, -8192]),
        (np.array([0, 32767, -32768], dtype=np.int16), [0, 32767, -32768]),
        (np.array([0, 2**31 - 1, -(2**31)], dtype=np.int32), [0, 32767, -32768]),
        (np.array([128, 0, 255], dtype=np.uint8), [0, -32768, 32512]),
        ([0.0, 0.5], [0, 16384]),
    ],
)
def test_samples_become_16_bits(tmp_path: Path, samples: Any, expected: list[int]) -> None:
    """Floats from -1 to 1 and integers of several widths are the same sound in the WAV."""
    with wave.open(io.BytesIO(content(tmp_path, runhue.Audio(samples, sample_rate=8000)))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert np.frombuffer(file.readframes(100), "<i2").tolist() == expected


def test_channels_stay_apart(tmp_path: Path) -> None:
    """Samples (n, channels) are interleaved, and the duration is that of one channel."""
    clip = runhue.Audio(np.array([[0.0, 1.0], [0.5, -1.0]]), sample_rate=2)

    with wave.open(io.BytesIO(content(tmp_path, clip))) as file:
        assert file.getnchannels() == 2
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 32767, 16384, -32767]
    assert clip.duration == 1.0


def test_sound_files_stay_as_they_are(tmp_path: Path) -> None:
    """A file is kept under its own extension."""
    (tmp_path / "a.MP3").write_bytes(b"ID3")

    value, logged = stored(tmp_path, runhue.Audio(tmp_path / "a.MP3"))

    assert value["path"].endswith(".mp3")
    assert list(logged.files.values()) == [b"ID3"]


def test_gif_frames(tmp_path: Path) -> None:
    """A GIF has every frame, for as long as `fps` says, and starts again."""
    picture = PillowImage.open(io.BytesIO(content(tmp_path, runhue.Video(solid(RED, BLUE, RED), fps=5))))

    assert (picture.size, picture.info["loop"]) == ((32, 16), 0)
    frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    assert [frame.getpixel((3, 3)) for frame in frames] == [RED, BLUE, RED]
    assert picture.info["duration"] == 200


@pytest.mark.parametrize("extension", ["mp4", "webm", "ogg"])
def test_encoded_frames(tmp_path: Path, extension: str) -> None:
    """Other formats hold the frames at their rate, and the same frames give the same bytes."""
    frames = solid(RED, BLUE, RED, BLUE, width=33, height=15)

    first, second = (runhue.Video(frames, fps=2, format=extension) for _ in range(2))

    assert (first.width, first.height) == (34, 16)
    video = content(tmp_path / "1", first)
    assert video == content(tmp_path / "2", second)
    (tmp_path / f"v.{extension}").write_bytes(video)
    assert [int(np.argmax(frame[8, 16])) for frame in decode(tmp_path / f"v.{extension}")] == [0, 2, 0, 2]


def decode(path: Path) -> Any:  # numpy.ndarray
    """Frames (time, height, width, 3) of a video file of 34x16 pixels."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert "34x16" in done.stderr.decode()
    assert "2 fps" in done.stderr.decode()
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 16, 34, 3)


def test_a_batch_lies_side_by_side(tmp_path: Path) -> None:
    """Clips of a batch are tiled in rows of powers of two, black where there are none."""
    clips = np.stack([solid(RED), solid(BLUE), solid(RED)])

    video = runhue.Video(clips)

    assert (video.width, video.height) == (32 * 4, 16)
    picture = PillowImage.open(io.BytesIO(content(tmp_path, video))).convert("RGB")
    assert [picture.getpixel((32 * at + 5, 5)) for at in range(4)] == [RED, BLUE, RED, (0, 0, 0)]


def test_grey_floats_and_alpha(tmp_path: Path) -> None:
    """Grey frames of floats are scaled as images are, and transparency is left out."""
    grey = PillowImage.open(io.BytesIO(content(tmp_path / "1", runhue.Video(np.ones((2, 1, 4, 4))))))
    alpha = runhue.Video(np.full((1, 4, 4, 4), 255, dtype=np.uint8))

    assert grey.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert content(tmp_path / "2", alpha).startswith(b"GIF")


def test_video_files_and_bytes_stay_as_they_are(tmp_path: Path) -> None:
    """A path tells its format, a BytesIO is a GIF unless `format` says otherwise; neither is encoded."""
    (tmp_path / "a.webm").write_bytes(b"webm")
    assert content(tmp_path / "1", runhue.Video(str(tmp_path / "a.webm"), fps=9)) == b"webm"

    value, logged = stored(tmp_path / "2", runhue.Video(io.BytesIO(b"bytes"), format="mp4"))
    assert value["path"].endswith(".mp4")
    assert "width" not in value
    assert list(logged.files.values()) == [b"bytes"]
    assert stored(tmp_path / "3", runhue.Video(io.BytesIO(b"b")))[0]["path"].endswith(".gif")


def test_lists_of_videos(tmp_path: Path) -> None:
    """A list of clips is one value with each of them."""
    clip = runhue.Video(solid(RED), caption="red")

    value, _ = stored(tmp_path, [clip, clip])

    assert (value["_type"], value["count"], value["captions"]) == ("videos", 2, ["red", "red"])
    assert [part["_type"] for part in value["videos"]] == ["video-file"] * 2


def test_axes_are_those_of_the_wandb_client() -> None:
    """An array is (time, channels, height, width) in memory, as that client reads it.

    Whatever its documentation calls the axes: it says "time, channels, width, height" in places.
    """
    frames = np.zeros((3, 3, 4, 6), dtype=np.uint8)
    frames[:, 0, 0, 5] = 255  # red, at the right end of the first line

    video = runhue.Video(frames, format="gif")
    picture = PillowImage.open(io.BytesIO(bytes(video._content))).convert("RGB")
    assert (video.width, video.height, picture.size) == (6, 4, (6, 4))
    assert picture.getpixel((5, 0)) == (255, 0, 0)
