"""`runhue.Video`: clips, encoded from frames or kept as files."""

import io
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.pixels import to_uint8
from runhue._media.sources import file_of
from runhue._media.tensors import as_numpy
from runhue._media.text import caption_of, path_of

FORMATS = ("gif", "mp4", "webm", "ogg")
DEFAULT_FORMAT = "gif"
DEFAULT_FPS = 4
ENCODERS = {
    "mp4": ["-c:v", "libx264", "-crf", "23", "-movflags", "+faststart"],
    "webm": ["-c:v", "libvpx-vp9", "-crf", "31", "-b:v", "0"],
    "ogg": ["-c:v", "libtheora", "-q:v", "7"],
}
EXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]
"""Without times and versions, so that the same frames give the same bytes."""


class Video(Media):
    """A clip, encoded at once, or a file, which is kept as it is.

    Args:
        data_or_path: frames of shape (time, channels, height, width) with 1, 3 or 4 channels, or a
            batch of such clips (batch, time, ...), shown side by side; the path of a file; or its
            bytes as a BytesIO. Values as for `Image`.
        caption: shown below it.
        fps: frames a second of frames, default 4.
        format: "gif" (the default), "mp4", "webm" or "ogg"; a path tells its own.
    Raises:
        BadMedia: another shape or format, or no such file.
        LibraryMissing: frames need numpy and pillow, formats other than gif imageio-ffmpeg
            (`runhue[media]`).
    """

    EXTS: ClassVar[tuple[str, ...]] = FORMATS

    def __init__(
        self,
        data_or_path: Any,  # array, path or BytesIO
        caption: str | None = None,
        fps: int | None = None,
        format: str | None = None,  # noqa: A002  # wandb's name of it
    ) -> None:
        self.caption = caption_of(caption, "Video")
        self.width: int | None = None
        self.height: int | None = None
        self._content: bytes | Path
        if format is not None and format not in FORMATS:
            raise BadMedia(f"Video: format must be one of {', '.join(FORMATS)}, got {format!r}")
        if path_of(data_or_path) is not None or hasattr(data_or_path, "read"):
            file_type = None if path_of(data_or_path) is not None else format or DEFAULT_FORMAT
            self._content, self._extension = file_of(data_or_path, file_type, FORMATS, "Video")
            return
        self._extension = format or DEFAULT_FORMAT
        frames = _frames(data_or_path)
        if self._extension != "gif":
            frames = _of_even_size(frames)
        _, self.height, self.width, _ = frames.shape
        self._content = _encoded(frames, _checked_fps(fps), self._extension)

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: video-file, path, sha256, size, width?, height?, caption?}`; sizes when it was frames."""
        value = {"_type": "video-file", **place.add_file(self._content, "videos", self._extension)}
        optional = {"width": self.width, "height": self.height, "caption": self.caption}
        return value | {name: part for name, part in optional.items() if part is not None}

    @classmethod
    def stored_list(cls, items: Sequence["Video"], place: Place) -> dict[str, Any]:
        """`{_type: videos, count, videos: [...], captions?}`."""
        stored = {"_type": "videos", "count": len(items), "videos": [item.stored(place) for item in items]}
        if any(item.caption is not None for item in items):
            stored["captions"] = [item.caption for item in items]
        return stored


def _checked_fps(fps: object) -> float:
    if fps is None:
        return DEFAULT_FPS
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000:
        raise BadMedia(f"Video: fps must be more than 0 and at most 1000, got {fps!r}")
    return fps


def _frames(data: Any) -> Any:  # array of any library -> numpy.ndarray
    """uint8 of shape (time, height, width, 3); clips of a batch lie side by side."""
    numpy = library("numpy", "Video")
    if not hasattr(data, "shape"):
        raise BadMedia(f"Video takes an array, a path or a BytesIO, got {type(data).__name__}")
    clips = as_numpy(data, "Video")
    if clips.ndim == 4:
        clips = clips[None]
    if clips.ndim != 5 or clips.shape[2] not in {1, 3, 4} or not clips.size:
        raise BadMedia(
            "Video: an array must have shape ([batch,] time, 1|3|4 channels, height, width),"
            f" got {tuple(data.shape)}"
        )
    clips = to_uint8(clips)
    if clips.shape[2] == 1:
        clips = numpy.repeat(clips, 3, axis=2)
    return _side_by_side(clips[:, :, :3])


def _side_by_side(clips: Any) -> Any:  # numpy.ndarray
    """(batch, time, c, h, w) as (time, rows * h, columns * w, c), as wandb and tensorboardX lay it out."""
    numpy = library("numpy", "Video")
    batch, time, channels, height, width = clips.shape
    full = 1 << (batch - 1).bit_length()
    if full > batch:
        missing = numpy.zeros((full - batch, *clips.shape[1:]), clips.dtype)
        clips = numpy.concatenate((clips, missing))
    rows = 1 << ((batch.bit_length() - 1) // 2)
    columns = full // rows
    grid = clips.reshape(rows, columns, time, channels, height, width).transpose(2, 0, 4, 1, 5, 3)
    return numpy.ascontiguousarray(grid.reshape(time, rows * height, columns * width, channels))


def _of_even_size(frames: Any) -> Any:  # numpy.ndarray
    """Frames with the last row or column said twice where a codec needs even numbers."""
    _, height, width, _ = frames.shape
    padding = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    return library("numpy", "Video").pad(frames, padding, mode="edge")


def _encoded(frames: Any, fps: float, extension: str) -> bytes:  # numpy.ndarray
    return _gif(frames, fps) if extension == "gif" else _with_ffmpeg(frames, fps, extension)


def _gif(frames: Any, fps: float) -> bytes:  # numpy.ndarray
    pillow = library("PIL.Image", "Video")
    pictures = [pillow.fromarray(frame) for frame in frames]
    content = io.BytesIO()
    milliseconds = max(10, round(1000 / fps))
    pictures[0].save(
        content, format="GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
    )
    return content.getvalue()


def _with_ffmpeg(frames: Any, fps: float, extension: str) -> bytes:  # numpy.ndarray
    ffmpeg = library("imageio_ffmpeg", f"Video as {extension}").get_ffmpeg_exe()
    _, height, width, _ = frames.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    with tempfile.TemporaryDirectory(prefix="runhue-") as folder:
        path = Path(folder) / f"video.{extension}"
        command = [
            ffmpeg,
            "-loglevel",
            "error",
            *raw,
            *ENCODERS[extension],
            "-pix_fmt",
            "yuv420p",
            *EXACT,
            path,
        ]
        done = subprocess.run(command, input=memoryview(frames), capture_output=True, check=False)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()[-200:]
            raise BadMedia(f"Video: {width}x{height} cannot be encoded as {extension}: {reason}")
        return path.read_bytes()
