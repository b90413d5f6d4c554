"""Looks at sound: how long it is by its samples, not by its header, and how loud over time."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np
import orjson

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.containers import (
    Opened,
    codec_of,
    frames_of,
    is_cover,
    opened,
    packets,
    prepare,
)
from runhue_server.media.kinds.riff import check_wav

FORMATS: Final = ("wav", "mp3", "ogg", "flac", "m4a", "mp4", "aac", "webm")
MAX_SECONDS: Final = 24 * 3600
MAX_PEAKS: Final = 512
_CHUNK_SAMPLES: Final = 1 << 16
_FRAMES_BETWEEN_CHECKS: Final = 1_000
_LONGEST_SLACK: Final = (Fraction(98, 100), Fraction(1, 4))
"""Share and seconds by which sound may be shorter than its header says: encoders add and cut some."""

_TOLD_EXACTLY: Final = frozenset({"flac", "m4a", "mp4", "webm"})
"""Formats whose header says how long the sound is; a wav's size is checked by itself."""

Samples = np.ndarray[Any, np.dtype[np.float64]]


class Peaks:
    """Lowest and highest sample of equal spans, as samples come; never more than `MAX_PEAKS` spans.

    A span begins as one sample; when there are too many, two become one. All but the last span are of
    the same length.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self._span = 1
        self._open: tuple[float, float] | None = None
        self._open_samples = 0

    def add(self, samples: Samples) -> None:
        """The next samples, shape (n,), -1 to 1."""
        while samples.size:
            if len(self.spans) == MAX_PEAKS:
                self._halve()
            samples = samples[self._take(samples) :]

    def found(self) -> list[tuple[float, float]]:
        """[low, high] of each span, in order."""
        return self.spans + ([self._open] if self._open else [])

    def _take(self, samples: Samples) -> int:
        whole = min(samples.size // self._span, MAX_PEAKS - len(self.spans))
        if self._open_samples or not whole:
            return self._fill(samples[: self._span - self._open_samples])
        rows = samples[: whole * self._span].reshape(whole, self._span)
        self.spans += zip(rows.min(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True)
        return whole * self._span

    def _fill(self, part: Samples) -> int:
        low, high = part.min().item(), part.max().item()
        self._open = _joined(self._open, (low, high)) if self._open else (low, high)
        self._open_samples += part.size
        if self._open_samples == self._span:
            self.spans.append(self._open)
            self._open, self._open_samples = None, 0
        return part.size

    def _halve(self) -> None:
        # Only between spans or within the one after the last: spans are complete in pairs.
        pairs = zip(self.spans[::2], self.spans[1::2], strict=True)
        self.spans = [_joined(first, second) for first, second in pairs]
        self._span *= 2


def _joined(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return min(first[0], second[0]), max(first[1], second[1])


def inspect_audio(source: Source, workshop: Workshop) -> Facts:
    """What a sound is; all of it is decoded.

    Returns:
        `format` (of the container), `codec`, `duration` in seconds of what was decoded, `sample_rate`
        of the first sample, `channels`. The rendition `peaks` is `{"peaks": [[low, high], ...]}` of the
        mean of all channels, -1 to 1.
    Raises:
        Refused: `empty`, `not_audio`, `damaged`, `no_samples`, `truncated` or `too_long`.
    """
    with opened(source, FORMATS, "not_audio", "Sound") as file:
        if file.format == "wav":
            check_wav(source)
        stream = _only_sound(file)
        prepare(stream)
        facts, peaks = _decoded(file, stream)
        _check_length(file, stream, facts["duration"])
    workshop.put("peaks", "application/json", orjson.dumps({"peaks": peaks}))
    return facts


def _only_sound(file: Opened) -> Any:  # av.AudioStream
    pictures = [stream for stream in file.file.streams.video if not is_cover(stream)]
    if pictures:
        raise Refused("not_audio", f"Sound was expected, found a video ({file.format}).")
    if not file.file.streams.audio:
        raise Refused("not_audio", f"The {file.format} file holds no sound.")
    stream = file.file.streams.audio[0]
    if stream.codec_context is None:
        raise Refused("not_audio", f"No decoder is known for the sound of the {file.format} file.")
    return stream


class _Hearing:
    """What was decoded so far. Frames are mixed many at a time: they are short, and each call costs."""

    def __init__(self) -> None:
        self.peaks = Peaks()
        self.first: tuple[int, int] | None = None
        """Sample rate and channels."""

        self._samples: dict[int, int] = {}
        """By sample rate."""

        self._format: tuple[str, int] | None = None
        self._waiting: list[np.ndarray[Any, Any]] = []
        self._waiting_samples = 0

    @property
    def seconds(self) -> float:
        """How long all is that was decoded."""
        return float(sum(Fraction(count, rate) for rate, count in self._samples.items()))

    def add(self, frame: Any) -> None:  # av.AudioFrame
        """Take in the next frame."""
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        self.first = self.first or (rate, channels)
        self._samples[rate] = self._samples.get(rate, 0) + frame.samples
        if self._format != (frame.format.name, channels) or self._waiting_samples >= _CHUNK_SAMPLES:
            self.mix()
            self._format = frame.format.name, channels
        self._waiting.append(frame.to_ndarray())
        self._waiting_samples += frame.samples

    def mix(self) -> None:
        """Have the peaks take in what waits."""
        if self._waiting and self._format:
            self.peaks.add(mixed(np.concatenate(self._waiting, axis=1), *self._format))
        self._waiting.clear()
        self._waiting_samples = 0


def _decoded(file: Opened, stream: Any) -> tuple[dict[str, Any], list[tuple[float, float]]]:  # av.AudioStream
    heard = _Hearing()
    for number, frame in enumerate(_frames(file, stream)):
        heard.add(frame)
        if number % _FRAMES_BETWEEN_CHECKS == 0 and heard.seconds > MAX_SECONDS:
            raise Refused("too_long", f"The sound goes on for more than {MAX_SECONDS // 3600} hours.")
    heard.mix()
    if heard.first is None:
        raise Refused("no_samples", f"The {file.format} file holds no sound that can be decoded.")
    facts = {"format": file.format, "codec": codec_of(stream), "duration": heard.seconds}
    return facts | {"sample_rate": heard.first[0], "channels": heard.first[1]}, heard.peaks.found()


def _frames(file: Opened, stream: Any) -> Iterator[Any]:  # av.AudioStream -> av.AudioFrame
    for packet in packets(file, stream):
        for frame in frames_of(packet) or ():
            if frame.samples and frame.sample_rate:
                yield frame


def mixed(values: np.ndarray[Any, Any], format_: str, channels: int) -> Samples:
    """The mean of all channels, shape (samples,), cut to -1 to 1; NaN is silence.

    Args:
        values: shape (channels, samples) of planar formats ("fltp"), (1, samples * channels) of others.
    """
    values = values if format_.endswith("p") else values.reshape(-1, channels).T
    middle = values.mean(axis=0, dtype=np.float64)
    if values.dtype.kind == "u":
        middle = (middle - 128) / 128
    elif values.dtype.kind == "i":
        middle /= 2.0 ** (8 * values.dtype.itemsize - 1)
    else:
        middle = np.nan_to_num(middle, nan=0.0)
    samples: Samples = np.clip(middle, -1, 1)
    return samples


def _check_length(file: Opened, stream: Any, seconds: float) -> None:  # av.AudioStream
    if file.format not in _TOLD_EXACTLY:
        return
    told = stream.duration * stream.time_base if stream.duration else Fraction(file.file.duration or 0, 10**6)
    share, slack = _LONGEST_SLACK
    if seconds < told * share - slack:
        there = f"{seconds:.2f} seconds can be decoded"
        raise Refused("truncated", f"The file says it has {float(told):.2f} seconds of sound; {there}.")
