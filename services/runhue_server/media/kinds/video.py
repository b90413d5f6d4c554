"""Looks at video: what it is, how long, and whether browsers play it; takes the first frame as its poster."""

import io
from typing import Any, Final

from PIL import Image

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.containers import (
    MAX_PIXELS,
    MAX_SIDE,
    Opened,
    codec_of,
    frames_of,
    is_cover,
    opened,
    packets,
    prepare,
)
from runhue_server.media.kinds.first_bytes import head_of
from runhue_server.media.kinds.frame_counts import Counted, count_frames
from runhue_server.media.kinds.playable import made_playable, turned_upright, turns

FORMATS: Final = ("gif", "mp4", "mov", "webm", "mkv", "ogg")
POSTER_SIDE: Final = 256
_PACKETS_FOR_POSTER: Final = 200

_EIGHT_BITS: Final = frozenset({"yuv420p", "yuvj420p"})
_TEN_BITS: Final = _EIGHT_BITS | {"yuv420p10le"}
_PLAYED: Final = {
    ("mp4", "h264"): _EIGHT_BITS,
    ("mp4", "vp9"): _TEN_BITS,
    ("mp4", "av1"): _TEN_BITS,
    ("webm", "vp8"): _EIGHT_BITS | {"yuva420p"},
    ("webm", "vp9"): _TEN_BITS | {"yuva420p"},
    ("webm", "av1"): _TEN_BITS,
}
"""Pixel formats by container and codec that Chrome, Firefox and Safari all play (MDN, video codec guide)."""

_PLAYED_SOUND: Final = {"mp4": {"aac", "mp3", "flac", "opus"}, "webm": {"opus", "vorbis"}}


def inspect_video(source: Source, workshop: Workshop) -> Facts:
    """What a video is; its packets are all read, and the first frame is decoded.

    Returns:
        `format` (of the container: gif, mp4, mov, webm, mkv, ogg), `codec`, `width` and `height` as
        shown (turned where the file says so), `duration` in seconds (null when no frame has a time),
        `frames`, `fps` their average, `audio` the codec of the sound or null, `plays_in_browsers`.
        Where they do not, the rendition `playable` is made, or `playable_refused` says why it is not.
    Raises:
        Refused: `empty`, `not_video`, `damaged`, `too_large`, `too_many_frames` or `truncated`.
    """
    _check_gif(source)
    with opened(source, FORMATS, "not_video", "Video") as file:
        counted = count_frames(file, _only_video(file))
    with opened(source, FORMATS, "not_video", "Video") as file:
        stream = _only_video(file)
        prepare(stream)
        frame = _first_frame(file, stream)
        facts = _facts(file, stream, frame, counted)
        workshop.put("poster", "image/webp", _poster(frame))
    if not facts["plays_in_browsers"]:
        facts |= made_playable(source, workshop, facts)
    return facts


def _check_gif(source: Source) -> None:
    """The library would make room for a canvas before anybody can ask how large it is."""
    head = head_of(source, 10)
    if head[:3] == b"GIF" and len(head) == 10:
        _check_size(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        allowed = f"{MAX_SIDE:,} a side and {MAX_PIXELS:,} pixels are allowed"
        raise Refused("too_large", f"The video has {width:,} by {height:,} pixels; {allowed}.")


def _only_video(file: Opened) -> Any:  # av.VideoStream
    streams = [stream for stream in file.file.streams.video if not is_cover(stream)]
    if not streams:
        sound = " only sound" if file.file.streams.audio else " none"
        raise Refused("not_video", f"Video was expected; the {file.format} file holds{sound}.")
    stream = streams[0]
    if stream.codec_context is None:
        raise Refused("not_video", f"No decoder is known for the video of the {file.format} file.")
    _check_size(stream.codec_context.width, stream.codec_context.height)
    return stream


def _facts(file: Opened, stream: Any, frame: Any, counted: Counted) -> dict[str, Any]:  # av's
    sound = file.file.streams.audio[0] if file.file.streams.audio else None
    sound_codec = codec_of(sound) if sound and sound.codec_context else None
    turned = turns(frame) % 2
    return {
        "format": file.format,
        "codec": codec_of(stream),
        "width": frame.height if turned else frame.width,
        "height": frame.width if turned else frame.height,
        "duration": counted.seconds,
        "frames": counted.frames,
        "fps": counted.frames / counted.seconds if counted.seconds else None,
        "audio": sound_codec,
        "plays_in_browsers": _plays(file.format, codec_of(stream), frame.format.name, sound_codec),
    }


def _plays(format_: str, codec: str, pixels: str, sound: str | None) -> bool:
    if format_ == "gif":
        return True
    container = "mp4" if format_ == "mov" else format_
    is_heard = sound is None or sound in _PLAYED_SOUND.get(container, ())
    return is_heard and pixels in _PLAYED.get((container, codec), ())


def _first_frame(file: Opened, stream: Any) -> Any:  # av.VideoStream -> av.VideoFrame
    for count, packet in enumerate(packets(file, stream)):
        found = frames_of(packet)
        if found:
            _check_size(found[0].width, found[0].height)
            return found[0]
        if count > _PACKETS_FOR_POSTER:
            break
    raise Refused("damaged", f"No frame of the {file.format} file can be decoded.")


def _poster(frame: Any) -> bytes:  # av.VideoFrame
    scale = min(1, POSTER_SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    mode = "RGBA" if any(part.is_alpha for part in frame.format.components) else "RGB"
    small = frame.reformat(
        width, height, format=mode.lower() + ("24" if mode == "RGB" else ""), interpolation="AREA"
    )
    picture = Image.fromarray(small.to_ndarray(), mode)
    content = io.BytesIO()
    turned_upright(picture, frame).save(content, "WEBP", quality=80, method=4)
    return content.getvalue()
