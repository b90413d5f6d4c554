"""Makes WebM of videos that browsers do not play, within bounds."""

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from PIL import Image

from runhue_server.media.contract import Source, Workshop
from runhue_server.media.kinds.containers import frames_of, is_cover, opened, packets, prepare, words_of

MAX_SIDE: Final = 1_920
MAX_ENCODED_PIXELS: Final = 600_000_000
"""Of all frames together, at 25 to 45 million a second: 289 frames of 1,920 by 1,080."""

_DECODING_SHARE: Final = 4
"""A pixel that is only decoded takes a quarter of the time of one that is encoded."""

MAX_FRAMES: Final = 20_000
_UNIT: Final = Fraction(1, 1000)
_LAST_SECOND: Final = 10**6
_SOUND_RATE: Final = 48_000
_FROM_CODEC: Final = {"deadline": "realtime", "cpu-used": "6", "crf": "34", "b": "0", "g": "120"}


class _Unplayable(Exception):
    """The video cannot be made playable; the text says why."""


def made_playable(source: Source, workshop: Workshop, facts: dict[str, Any]) -> dict[str, str]:
    """Make the rendition `playable`, VP9 and Opus in WebM with the times of the original.

    Returns:
        Nothing more to tell, or `playable_refused`: why there is none.
    """
    reason = _too_much(facts)
    if reason is None:
        try:
            _make(source, workshop, facts)
        except (_Unplayable, av.FFmpegError, ValueError) as error:
            workshop.drop("playable")
            reason = (
                str(error) if isinstance(error, _Unplayable) else f"it cannot be encoded: {words_of(error)}"
            )
    return {} if reason is None else {"playable_refused": reason}


def size_within(width: int, height: int) -> tuple[int, int]:
    """The size at which a video is encoded: even, and at most `MAX_SIDE` a side."""
    scale = min(1, MAX_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _too_much(facts: dict[str, Any]) -> str | None:
    width, height = size_within(facts["width"], facts["height"])
    frames = facts["frames"]
    if frames > MAX_FRAMES:
        return f"it has {frames:,} frames; {MAX_FRAMES:,} are allowed"
    each = max(width * height, facts["width"] * facts["height"] // _DECODING_SHARE)
    if frames * each > MAX_ENCODED_PIXELS:
        size = f"{facts['width']:,} by {facts['height']:,} pixels"
        return f"it has {frames:,} frames of {size}; {MAX_ENCODED_PIXELS // each:,} of that size are allowed"
    return None


def _make(source: Source, workshop: Workshop, facts: dict[str, Any]) -> None:
    place = workshop.path("playable", "video/webm")
    # "bitexact" keeps random ids and the library's version out of the file.
    with (
        opened(source, (facts["format"],), "not_video", "Video") as file,
        av.open(str(place), "w", format="webm", options={"fflags": "+bitexact"}) as made,
    ):
        stream = next(one for one in file.file.streams.video if not is_cover(one))
        _Transcoding(file, stream, made, facts).run()


class _Transcoding:
    """From one file into another, stream by stream."""

    def __init__(self, file: Any, stream: Any, made: Any, facts: dict[str, Any]) -> None:  # av's
        prepare(stream)
        self._file, self._stream, self._made = file, stream, made
        self._size = size_within(facts["width"], facts["height"])
        self._video = self._video_stream(facts)
        self._sounds = list(file.file.streams.audio[:1]) if facts["audio"] else []
        self._sound: Any = self._sound_stream() if self._sounds else None  # av.AudioStream
        self._last = -1
        self._frames = 0
        self._resampler: Any = None  # av.AudioResampler

    def run(self) -> None:
        for packet in packets(self._file, self._stream, *self._sounds):
            frames = frames_of(packet) or ()
            for frame in frames:
                self._add_picture(frame) if packet.stream is self._stream else self._add_sound(frame)
        if not self._frames:
            raise _Unplayable("no frame of it can be decoded")
        self._made.mux(self._video.encode(None))
        if self._sound:
            self._made.mux(self._sound.encode(None))

    def _video_stream(self, facts: dict[str, Any]) -> Any:  # av.VideoStream
        rate = Fraction(facts["fps"] or 1).limit_denominator(1001)
        stream = self._made.add_stream("libvpx-vp9", rate=min(max(rate, Fraction(1, 1000)), Fraction(1000)))
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _UNIT
        stream.codec_context.thread_count = 1
        stream.codec_context.options = dict(_FROM_CODEC)
        return stream

    def _sound_stream(self) -> Any:  # av.AudioStream
        prepare(self._sounds[0])
        return self._made.add_stream("libopus", rate=_SOUND_RATE, layout="stereo")

    def _add_picture(self, frame: Any) -> None:  # av.VideoFrame
        if frame.time is None or not abs(frame.time) <= _LAST_SECOND:
            raise _Unplayable("its frames have no times that could be kept")
        at = max(round(frame.time * 1000), self._last + 1)
        frame = _upright(frame).reformat(*self._size, format="yuv420p", interpolation="BILINEAR")
        frame.pts, frame.time_base = at, _UNIT
        self._last = at
        self._frames += 1
        self._made.mux(self._video.encode(frame))

    def _add_sound(self, frame: Any) -> None:  # av.AudioFrame
        if self._resampler is None:
            self._resampler = av.AudioResampler("s16", "stereo", _SOUND_RATE)
        for part in self._resampler.resample(frame):
            self._made.mux(self._sound.encode(part))


def turns(frame: Any) -> int:  # av.VideoFrame
    """Quarter turns counterclockwise with which the file wants the frame shown, 0 to 3."""
    return int(round(frame.rotation / 90) % 4)


def turned_upright(picture: Image.Image, frame: Any) -> Image.Image:  # av.VideoFrame
    """The picture of a frame as the file wants it shown."""
    turned = turns(frame)
    return picture.rotate(90 * turned, expand=True) if turned else picture


def _upright(frame: Any) -> Any:  # av.VideoFrame
    turned = turns(frame)
    if not turned:
        return frame
    pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turned))
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")
