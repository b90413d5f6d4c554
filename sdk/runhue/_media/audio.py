"""`runhue.Audio`: sound clips."""

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.tensors import as_numpy
from runhue._media.text import caption_of, existing_file, path_of, suffix_of

FOLDER = "audio"
LARGEST = 32767
"""Of a sample of 16 bits."""

MAX_RATE = 2**32 - 1
SHIFTS = {"int32": 16, "int16": 0}
"""By how many bits integer samples are shifted down."""


class Audio(Media):
    """A clip: samples, which are stored as WAV of 16 bits, or a file, which is kept as it is.

    Args:
        data_or_path: samples of shape (n,) or (n, channels), floats from -1 to 1 (beyond is cut off),
            int16, int32 or uint8; or the path of a file.
        sample_rate: samples a second; needed for samples.
        caption: shown below it.
    Raises:
        BadMedia: another shape or type, no sample rate, or no such file.
        LibraryMissing: samples need numpy (`runhue[media]`).
    """

    max_in_step: ClassVar[int | None] = 100

    def __init__(
        self,
        data_or_path: Any,  # array or path
        sample_rate: int | None = None,
        caption: str | None = None,
    ) -> None:
        self.caption = caption_of(caption, "Audio")
        self.sample_rate = sample_rate
        self.duration: float | None = None
        path = path_of(data_or_path)
        self._content: bytes | Path
        if path is not None:
            self._content = existing_file(path, "Audio")
            self._extension = suffix_of(path) or "wav"
            return
        rate = _checked_rate(sample_rate)
        samples = _samples(data_or_path)
        self.duration = samples.shape[0] / rate
        self._content, self._extension = _wav(samples, rate), "wav"

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: audio-file, path, sha256, size, caption?}`."""
        value = {"_type": "audio-file", **place.add_file(self._content, FOLDER, self._extension)}
        if self.caption is not None:
            value["caption"] = self.caption
        return value

    @classmethod
    def stored_list(cls, items: Sequence["Audio"], place: Place) -> dict[str, Any]:
        """`{_type: audio, count, audio: [...], sampleRates: [...], durations: [...], captions?}`."""
        stored = {"_type": "audio", "count": len(items), "audio": [item.stored(place) for item in items]}
        stored["sampleRates"] = [item.sample_rate for item in items]
        stored["durations"] = [item.duration for item in items]
        if any(item.caption is not None for item in items):
            stored["captions"] = [item.caption or "" for item in items]
        return stored


def _checked_rate(sample_rate: object) -> int:
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int | float) or not sample_rate:
        raise BadMedia(f"Audio: samples need sample_rate, in samples a second, got {sample_rate!r}")
    if not 1 <= sample_rate <= MAX_RATE:
        raise BadMedia(f"Audio: sample_rate must be 1 to {MAX_RATE}, got {sample_rate}")
    return int(sample_rate)


def _samples(data: Any) -> Any:  # array or sequence of numbers -> numpy.ndarray
    """int16 of shape (n, channels)."""
    numpy = library("numpy", "Audio")
    samples = as_numpy(data, "Audio")
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or not 1 <= samples.shape[1] <= 64:
        raise BadMedia(f"Audio: samples must have shape (n,) or (n, channels), got {samples.shape}")
    kind = samples.dtype
    if kind.kind == "f":
        if not numpy.isfinite(samples).all():
            raise BadMedia("Audio: samples must be finite, some are NaN or infinite")
        return numpy.rint(samples.astype("float64").clip(-1, 1) * LARGEST).astype("<i2")
    if kind.name == "uint8":
        return ((samples.astype("int16") - 128) << 8).astype("<i2")
    if kind.name not in SHIFTS:
        raise BadMedia(f"Audio: samples must be floats, int16, int32 or uint8, got {kind}")
    return (samples >> SHIFTS[kind.name]).astype("<i2")


def _wav(samples: Any, rate: int) -> bytes:  # numpy.ndarray
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return content.getvalue()
