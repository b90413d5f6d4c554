"""How many frames a video has and how long they last: by reading it to its end, not by its header."""

from fractions import Fraction
from typing import Any, Final, NamedTuple

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.containers import Opened, codec_of, packets

MAX_FRAMES: Final = 1_000_000
_MAX_PACKETS: Final = 4 * MAX_FRAMES
"""Of video and sound."""

_SLACK: Final = (Fraction(98, 100), Fraction(1, 5))
"""Share and seconds by which a video may be shorter than its header says."""

_TOLD_IN_SECONDS: Final = frozenset({"webm", "mkv"})


class Counted(NamedTuple):
    """Frames that are shown, and for how many seconds; None when none has a time."""

    frames: int
    seconds: float | None


class _Times:
    """When the packets of one stream are shown, in the stream's own units."""

    def __init__(self, stream: Any) -> None:  # av's stream
        self.unit = stream.time_base or Fraction(0)
        # A stream without a decoder has no codec either; sound may be such a one.
        self._is_vp8 = stream.codec_context is not None and codec_of(stream) == "vp8"
        self.count = 0
        self.shown = 0
        self.first: int | None = None
        self.last: int | None = None
        self._last_length = 0

    def add(self, packet: Any) -> None:  # av.Packet
        self.count += 1
        self.shown += _is_shown(packet, self._is_vp8)
        if packet.pts is None:
            return
        self.first = packet.pts if self.first is None else min(self.first, packet.pts)
        if self.last is None or packet.pts >= self.last:
            self.last, self._last_length = packet.pts, packet.duration or 0

    def seconds(self) -> Fraction | None:
        """From the first to the end of the last, which lasts as the average when nothing else is told."""
        if self.first is None or self.last is None:
            return None
        length = Fraction(self._last_length)
        if length <= 0 and self.shown > 1:
            length = Fraction(self.last - self.first, self.shown - 1)
        return (self.last - self.first + length) * self.unit


def count_frames(file: Opened, stream: Any) -> Counted:  # av.VideoStream
    """Count by packets: one holds one frame, and what a player never shows is left out.

    Raises:
        Refused: `damaged`, `truncated` or `too_many_frames`.
    """
    streams = (stream, *file.file.streams.audio[:1])
    times = {one.index: _Times(one) for one in streams}
    count = 0
    for packet in packets(file, *streams):
        if packet.pts is None and not packet.size:
            continue
        times[packet.stream_index].add(packet)
        count += 1
        if times[stream.index].count > MAX_FRAMES or count > _MAX_PACKETS:
            raise Refused(
                "too_many_frames", f"The video has more than {MAX_FRAMES:,} frames or too much sound."
            )
    _check_length(file, stream, times)
    found = times[stream.index]
    seconds = found.seconds()
    return Counted(found.shown, None if seconds is None else float(seconds))


def _is_shown(packet: Any, is_vp8: bool) -> bool:  # av.Packet
    """False for what an edit list cuts off, and for VP8's hidden frames (RFC 6386, 9.1)."""
    if is_vp8 and packet.size:
        return bool(memoryview(packet)[0] & 16)
    return not packet.is_discard


def _check_length(file: Opened, stream: Any, times: dict[int, _Times]) -> None:  # av.VideoStream
    counted = times[stream.index].count
    if not counted:
        raise Refused("damaged", f"The {file.format} file holds no frame.")
    if stream.frames > counted and file.format != "gif":
        raise Refused("truncated", f"The file says it has {stream.frames:,} frames; {counted:,} are there.")
    told = Fraction(file.file.duration or 0, 10**6)
    there = max(one.seconds() or Fraction(0) for one in times.values())
    if file.format in _TOLD_IN_SECONDS and there < told * _SLACK[0] - _SLACK[1]:
        raise Refused(
            "truncated", f"The file says it has {float(told):.2f} seconds; {float(there):.2f} are there."
        )
