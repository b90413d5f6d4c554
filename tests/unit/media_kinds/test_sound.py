"""What is found in sound: duration by samples, peaks by channel means, and why other files are refused."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhue import Audio
from runhue_server.media.kinds.sound import MAX_PEAKS, Peaks
from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import CODECS, H264, clip, clip_with_sound, ffmpeg, sound, wav

CODEC = {"wav": "pcm_s16le", "mp3": "mp3", "ogg": "vorbis", "flac": "flac", "m4a": "aac", "aac": "aac"}


def peaks_of(content: bytes) -> list[list[float]]:
    made = look("audio", "wav", content)
    assert made.types == {"peaks": "application/json"}
    found: list[list[float]] = json.loads(made.made["peaks"])["peaks"]
    return found


@pytest.mark.parametrize("ending", CODECS)
def test_each_format_is_told_by_its_content(ending: str) -> None:
    """Format, codec, rate, channels and duration of what ffmpeg encoded are found, whatever the name says."""
    found = look("audio", "bin", sound(ending)).facts

    assert found["format"] == ending
    assert found["codec"] == {**CODEC, "webm": "opus"}[ending]
    assert found["sample_rate"] == (48000 if ending == "webm" else 44100)
    assert found["channels"] == 2
    assert found["duration"] == pytest.approx(1, abs=0.06)


@given(st.integers(1, 5000), st.integers(1, 3), st.sampled_from([8000, 11025, 48000]))
@settings(max_examples=25, deadline=None)
def test_the_duration_of_a_wav_is_its_samples(count: int, channels: int, rate: int) -> None:
    """Duration is the number of samples over the rate, exactly."""
    found = look("audio", "wav", wav(np.zeros((count, channels)), rate)).facts

    assert found == {
        "format": "wav",
        "codec": "pcm_s16le",
        "duration": count / rate,
        "sample_rate": rate,
        "channels": channels,
    }


@given(st.lists(st.integers(0, 3000), max_size=12), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_peaks_are_the_extremes_of_equal_spans(parts: list[int], seed: int) -> None:
    """However samples arrive, each span tells the lowest and highest of its samples."""
    samples = np.random.default_rng(seed).uniform(-1, 1, sum(parts))
    peaks = Peaks()
    for part in np.split(samples, np.cumsum(parts)[:-1]) if parts else []:
        peaks.add(part)
    found = peaks.found()

    assert len(found) <= MAX_PEAKS
    span = 1
    while span * MAX_PEAKS < len(samples):
        span *= 2
    spans = [samples[at : at + span] for at in range(0, len(samples), span)]
    assert found == [(part.min(), part.max()) for part in spans]


def test_peaks_are_of_the_mean_of_all_channels() -> None:
    """Two channels that cancel each other out are silence; alike, they are as loud as one."""
    loud = np.array([16384, -32768, 8192])

    assert peaks_of(wav(np.stack([loud, -np.maximum(loud, -32767)], axis=1)))[0] == [0, 0]
    assert peaks_of(wav(np.stack([loud, loud], axis=1))) == [[0.5, 0.5], [-1, -1], [0.25, 0.25]]


def test_what_the_sdk_logs_is_read() -> None:
    """Float samples that runhue.Audio stored come back as peaks between -1 and 1."""
    content = Audio(np.array([0.0, 1.0, -1.0]), sample_rate=3)._content
    assert isinstance(content, bytes)

    assert peaks_of(content) == pytest.approx(np.array([[0, 0], [1, 1], [-1, -1]]), abs=1e-4)
    assert look("audio", "wav", content).facts["duration"] == 1


def test_a_float_wav_may_hold_nan_and_more_than_one() -> None:
    """NaN is silence, and what is louder than can be is as loud as can be."""
    values = np.array([np.nan, 3, -np.inf], "<f4").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 8000, 32000, 4, 32)
    body = head + b"data" + struct.pack("<I", len(values)) + values

    assert peaks_of(b"RIFF" + struct.pack("<I", len(body)) + body) == [[0, 0], [1, 1], [-1, -1]]


def test_a_header_that_says_more_is_found_out() -> None:
    """A wav and a flac that are cut say so, with what was told and what is there."""
    cut = wav(np.zeros((8000, 1)))[:5044]

    reason = refused("audio", "wav", cut)

    assert (reason.code, reason.reason) == (
        "truncated",
        "The file says it has 16,000 bytes of samples; 5,000 are there.",
    )
    flac = sound("flac", 3)
    assert refused("audio", "flac", flac[: len(flac) // 3]).code == "truncated"
    m4a = sound("m4a", 3)
    assert refused("audio", "m4a", m4a[: len(m4a) // 3]).code == "damaged"


def test_a_wav_that_was_piped_says_nothing_of_its_size() -> None:
    """A size of all ones, as programs write that cannot go back, is no lie."""
    content = bytearray(wav(np.zeros((8000, 1))))
    content[40:44] = b"\xff\xff\xff\xff"

    assert look("audio", "wav", bytes(content)).facts["duration"] == 1


def test_a_video_under_the_name_of_sound_is_refused() -> None:
    """What is found is named, whether its container may hold sound or not."""
    assert refused("audio", "wav", clip_with_sound("mp4", *H264)).reason == (
        "Sound was expected, found a video (mp4)."
    )
    assert "found a GIF image" in refused("audio", "wav", clip("gif", seconds=0.3)).reason
    assert refused("audio", "mp3", b"#EXTM3U\nhttp://example.com/a.ts\n").code == "not_audio"
    assert refused("audio", "wav", wav(np.zeros((0, 1)))).code == "no_samples"


def test_a_cover_is_no_video() -> None:
    """Music with a picture of its cover is sound."""
    tone = ("-f", "lavfi", "-i", "sine=duration=1")
    picture = ("-f", "lavfi", "-i", "color=s=32x32:d=0.04", "-frames:v", "1")
    content = ffmpeg(
        "mp3", *tone, *picture, "-map", "0", "-map", "1", "-c:v", "png", "-disposition:v", "attached_pic"
    )

    assert look("audio", "mp3", content).facts["codec"] == "mp3"
