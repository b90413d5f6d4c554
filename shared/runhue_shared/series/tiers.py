"""Which chunks of a series become one: each point is rewritten once per tier, not at every compaction."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from runhue_shared.series.chunks import SEALED
from runhue_shared.series.points import Points

FAN_OUT = 16
TIERS = (FAN_OUT, FAN_OUT**2, FAN_OUT**3, SEALED)


def groups_to_merge(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges [start, stop) of neighboring chunks, covering all, of which each becomes one chunk.

    For each tier, neighbors smaller than it become one when they reach it together.
    """
    groups = [(at, at + 1, size) for at, size in enumerate(sizes)]
    for tier in TIERS:
        groups = _merged(groups, tier)
    return [(start, stop) for start, stop, _ in groups]


def _merged(groups: Sequence[tuple[int, int, int]], tier: int) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    small: list[tuple[int, int, int]] = []
    for group in groups:
        if group[2] < tier:
            small.append(group)
            continue
        merged += _joined(small, tier)
        small = []
        merged.append(group)
    return merged + _joined(small, tier)


def _joined(small: list[tuple[int, int, int]], tier: int) -> list[tuple[int, int, int]]:
    total = sum(size for _, _, size in small)
    return [(small[0][0], small[-1][1], total)] if total >= tier else small


def split_sealed(points: Points) -> list[Points]:
    """The points in even pieces of at least `SEALED`, or in one that is smaller."""
    pieces = max(len(points) // SEALED, 1)
    bounds = np.linspace(0, len(points), pieces + 1).astype(int)
    return [points.take(slice(start, stop)) for start, stop in pairwise(bounds)]


def split_at(points: Points, bounds: Sequence[int]) -> list[Points]:
    """Points sorted by step, cut before each step of `bounds`, ascending; empty pieces are left out."""
    cuts = [0, *np.searchsorted(points.steps, bounds).tolist(), len(points)]
    return [points.take(slice(start, stop)) for start, stop in pairwise(cuts) if stop > start]
