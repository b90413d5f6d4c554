"""Opens files of sound and video for decoding, when their own bytes say which container they are.

The decoders' library would also take playlists, which name further files and hosts; so it is told the
container, opens nothing but the file itself, and decodes in one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import av
from av.container import InputContainer

from runhue_server.media.contract import Refused, Source
from runhue_server.media.kinds.first_bytes import found_in, head_of, shown

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 1 << 26
"""Of one frame: 8,192 by 8,192."""

_NO_FURTHER_FILES: Final = {"protocol_whitelist": "file"}
_MOST_STREAMS: Final = 32
_DEMUXERS: Final = {
    **{name: name for name in ("wav", "mp3", "ogg", "flac", "aac", "gif")},
    **dict.fromkeys(("m4a", "mp4", "mov"), "mov"),
    **dict.fromkeys(("webm", "mkv"), "matroska"),
}
_FOUND: Final = {
    "gif": "a GIF image",
    **dict.fromkeys(("mp4", "mov"), "an MP4 or QuickTime file"),
    **dict.fromkeys(("webm", "mkv"), "a Matroska or WebM stream"),
    "ogg": "an Ogg stream",
}
_ID3_BYTES: Final = 10


class Opened(NamedTuple):
    """A file that is being read. `format` is what its bytes say: a key of `_DEMUXERS`."""

    file: InputContainer
    format: str


@contextmanager
def opened(source: Source, allowed: tuple[str, ...], code: str, what: str) -> Iterator[Opened]:
    """The file, ready for decoding.

    Args:
        allowed: formats that may be.
        code, what: of the refusal, when it is something else: "not_audio", "Sound".
    Raises:
        Refused: `empty`, `code`, or `damaged`.
    """
    format_ = _format(source)
    if format_ not in allowed:
        found = found_in(head_of(source)) if format_ is None else _FOUND.get(format_, f"{format_} sound")
        raise Refused(code, f"{what} was expected ({', '.join(allowed)}), found {found}.")
    file = _open(source, format_)
    try:
        yield Opened(file, format_)
    finally:
        file.close()


def _open(source: Source, format_: str) -> InputContainer:
    try:
        # PyAV's annotation says list[str], its documentation and code want a dict for each stream.
        bounds: Any = [{"max_pixels": str(MAX_PIXELS)} for _ in range(_MOST_STREAMS)]
        return av.open(
            str(source.path),
            format=_DEMUXERS[format_],
            options=_NO_FURTHER_FILES,
            stream_options=bounds,
            metadata_errors="ignore",
        )
    except (av.FFmpegError, ValueError) as error:
        raise Refused("damaged", f"The {format_} file cannot be read: {words_of(error)}.") from error


def words_of(error: Exception) -> str:
    """What the library says, without the file's place."""
    return shown(getattr(error, "strerror", None) or type(error).__name__, 120)


def packets(opened_file: Opened, *streams: Any) -> Iterator[Any]:  # av's streams -> av.Packet
    """Packets until the end of what can be read; the last one of each stream is empty."""
    try:
        yield from opened_file.file.demux(*streams)
    except (av.FFmpegError, ValueError):
        # What comes behind cannot be told apart: the file ends here, as it does for players.
        return


def frames_of(packet: Any) -> list[Any] | None:  # av.Packet -> frames
    """What a packet holds, decoded; None when it is broken."""
    try:
        found: list[Any] = packet.decode()
    except (av.FFmpegError, ValueError):
        return None
    return found


def prepare(stream: Any) -> None:  # av's stream
    """Have a stream decoded in one thread and within the pixels that a frame may have."""
    context = stream.codec_context
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}


def codec_of(stream: Any) -> str:  # av's stream
    """The codec's name, whichever decoder is used for it."""
    return str(stream.codec_context.codec.canonical_name)


def is_cover(stream: Any) -> bool:  # av's stream
    """Whether a stream of pictures is a cover, as files of music have."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _format(source: Source) -> str | None:
    head = head_of(source, 256)
    if head.startswith(b"ID3"):
        return _behind_tag(source, head)
    return _told(head) or _of_frames(head.lstrip(b"\0"))


def _behind_tag(source: Source, head: bytes) -> str:
    """An ID3 tag may stand before MP3, ADTS and FLAC; its length is told in 7 bits a byte."""
    length = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
    with source.path.open("rb") as file:
        file.seek(_ID3_BYTES + length)
        behind = file.read(16)
    return "flac" if behind.startswith(b"fLaC") else _of_frames(behind) or "mp3"


def _told(head: bytes) -> str | None:
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return {b"M4A ": "m4a", b"M4B ": "m4a", b"qt  ": "mov"}.get(head[8:12], "mp4")
    if head[4:8] in {b"moov", b"mdat", b"wide"}:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in head[:64] else "mkv"
    marks = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
    return next((format_ for mark, format_ in marks if head.startswith(mark)), None)


def _of_frames(head: bytes) -> str | None:
    """MP3 and ADTS have no beginning of their own, only frames (ISO 11172-3, 2.4.2.3; ISO 13818-7, 6.2)."""
    if len(head) < 4 or head[0] != 255:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    is_layer_2_or_3 = head[1] & 0xE0 == 0xE0 and (head[1] >> 1) & 3 in {1, 2}
    return "mp3" if is_layer_2_or_3 and head[2] >> 4 != 15 and (head[2] >> 2) & 3 != 3 else None
