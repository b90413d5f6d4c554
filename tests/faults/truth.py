"""What a run logs, as a function of (seed, step): the ground truth that no process can lose."""

import hashlib
import math
import random
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KEYS = ("loss", "acc", "epoch", "grad.norm")
PICTURE = "picture"
PICTURE_EVERY = 40
PIXELS = 48


def row(seed: int, step: int) -> dict[str, float | int]:
    """The row that run `seed` logs at `step`: floats, ints, sometimes NaN or an infinity."""
    source = random.Random(f"{seed}:{step}")
    loss = source.choice([source.random(), source.random() * 1e-300, -0.0, float(f"{source.random():.3f}")])
    if source.random() < 0.02:
        loss = source.choice([math.nan, math.inf, -math.inf])
    values: dict[str, float | int] = {"loss": loss, "epoch": step // 10}
    if step % 3 == 0:
        values["acc"] = source.random()
    if step % 5 == 0:
        values["grad.norm"] = source.choice([2**60 + step, source.random()])
    return values


def has_picture(step: int) -> bool:
    """Whether a training process logs a picture at that step."""
    return step % PICTURE_EVERY == 0


def picture(seed: int, step: int) -> bytes:
    """The PNG that run `seed` logs at `step`: noise, so that no two are equal."""
    source = random.Random(f"picture {seed}:{step}")
    lines = b"".join(b"\0" + source.randbytes(3 * PIXELS) for _ in range(PIXELS))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", PIXELS, PIXELS, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(lines, 0),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks.items()
    )


@dataclass(frozen=True)
class SeriesTruth:
    """Count, extremes, last and a hash over (step, value) of one series."""

    n: int
    last_step: int
    last: float
    low: float | None
    high: float | None
    digest: str


def series_truth(points: Mapping[int, float | int]) -> SeriesTruth:
    """Totals of one series, step -> value; extremes are over finite values, and -0.0 counts as 0.0."""
    finite = [float(value) for value in points.values() if math.isfinite(float(value))]
    last_step = max(points)
    return SeriesTruth(
        n=len(points),
        last_step=last_step,
        last=float(points[last_step]) + 0.0,
        low=min(finite) + 0.0 if finite else None,
        high=max(finite) + 0.0 if finite else None,
        digest=digest(points),
    )


def digest(points: Mapping[int, float | int]) -> str:
    """Hash that differs when one bit of one point differs; ints and floats are told apart."""
    total = hashlib.sha256()
    for step in sorted(points):
        value = points[step]
        exact = f"i{value}".encode() if isinstance(value, int) else b"f" + packed(value)
        total.update(struct.pack("<q", step) + exact)
    return total.hexdigest()


def packed(value: float) -> bytes:
    """The double's bits, with all NaNs as one."""
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def run_truth(seed: int, steps: Iterable[int]) -> dict[str, dict[int, float | int]]:
    """Key -> step -> value of all that run `seed` logs at `steps`."""
    points: dict[str, dict[int, float | int]] = {}
    for step in steps:
        for key, value in row(seed, step).items():
            points.setdefault(key, {})[step] = value
    return points
