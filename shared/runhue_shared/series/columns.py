"""`Rows` off the wire as arrays: checked once when folded, then read key by key."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runhue_shared.events import Cells, NumberBlock, Rows
from runhue_shared.series.points import Numbers, Points, Steps, concat
from runhue_shared.series.values import NON_FINITE_STRINGS, NUMBER, is_json, value_type

STEP_KEY = "_step"
"""Every row has it; it is the row's step, and no key a row may log."""

Positions = NDArray[np.uint32]

_FLOATS, _INTEGERS, _MIXED = 0, 1, 2


class InconsistentRows(ValueError):
    """Columns of one `Rows` contradict each other or the batch's seqs; the message says where."""


def check_rows(rows: Rows, span: int) -> None:
    """Refuse what decodes and still makes no sense.

    Args:
        span: greatest offset a record of the batch can have, `seq_hi - seq_lo`.
    Raises:
        InconsistentRows: lengths differ, an offset or position is outside, or a step is negative.
    """
    n = len(rows)
    if len(rows.seq) != 4 * n or len(rows.step) != 8 * n:
        raise InconsistentRows(f"{len(rows.seq)} bytes of seq do not go with {len(rows.step)} bytes of step")
    if n and int(offsets_of(rows).max()) > span:
        raise InconsistentRows(f"a row's seq is beyond seq_hi, {span} after seq_lo")
    if n and int(steps_of(rows).min()) < 0:
        raise InconsistentRows("a step is negative")
    for block in rows.numbers:
        _check_block(block, n)
    for cell in rows.cells:
        if len(cell.rows) != 4 * len(cell.values):
            raise InconsistentRows(f"{cell.key[:80]!r} has {len(cell.values)} values for other rows")
        _check_positions(cell.rows, n)


def _check_block(block: NumberBlock, n: int) -> None:
    if block.rows is not None:
        _check_positions(block.rows, n)
        n = len(block.rows) // 4
    keys = len(block.keys)
    if len(block.values) != 8 * keys * n:
        raise InconsistentRows(f"{len(block.values)} bytes of numbers do not make {keys} keys of {n} rows")
    if block.kinds is None and not block.masks and not block.big:
        return
    if block.kinds is not None and (len(block.kinds) != keys or max(block.kinds, default=0) > _MIXED):
        raise InconsistentRows("kinds do not go with keys")
    mixed = {at for at, kind in enumerate(block.kinds or b"") if kind == _MIXED}
    if set(block.masks) != mixed or any(len(mask) != n for mask in block.masks.values()):
        raise InconsistentRows("masks do not go with the mixed keys")
    for key, at, digits in block.big:
        if not (0 <= key < keys and 0 <= at < n) or not digits.removeprefix("-").isdecimal():
            raise InconsistentRows("a big integer is outside its block, or no integer")


def _check_positions(positions: bytes, n: int) -> None:
    if len(positions) % 4:
        raise InconsistentRows(f"{len(positions)} bytes of row positions")
    at = np.frombuffer(positions, "<u4")
    if len(at) and (int(at[-1]) >= n or not (at[1:] > at[:-1]).all()):
        raise InconsistentRows(f"row positions do not ascend inside {n} rows")


def offsets_of(rows: Rows) -> NDArray[np.uint32]:
    """Each row's seq counted from the batch's `seq_lo`."""
    return np.frombuffer(rows.seq, "<u4")


def steps_of(rows: Rows) -> Steps:
    return np.frombuffer(rows.step, "<i8")


def ords_of(rows: Rows, base: int) -> Steps:
    """Each row's place in its run's order; `base` is that of the batch's `seq_lo`."""
    return base + offsets_of(rows).astype(np.int64)


@lru_cache(maxsize=65536)
def folded(name: str) -> str:
    """The form by which metric names are one (docs/color.md S9)."""
    return name.casefold()


def step_points(rows: Rows, base: int) -> Points:
    """The points of `_step`: every row's step, an int."""
    steps = steps_of(rows)
    objects = None
    if len(steps) and int(steps.max()) > 2**53:
        objects = np.array([step if step > 2**53 else None for step in steps.tolist()], np.object_)
    ints = np.ones(len(steps), np.bool_)
    return Points(steps, ords_of(rows, base), steps.astype(np.float64), ints, None, objects)


def points_by_key(
    parts: Iterable[tuple[Rows, int]], wants: Callable[[str], bool], max_depth: int
) -> dict[str, Points]:
    """Points by casefolded key of the keys that `wants`, in no order, several a step perhaps.

    Of points of one body with one ord (only odd clients make them) the same one comes last at every reading.

    Args:
        parts: rows and the ord of their `seq_lo`.
        wants: asked with the casefolded key.
        max_depth: values nested deeper are left out, as are values that are no JSON.
    """
    found: dict[str, list[Points]] = defaultdict(list)
    alike: dict[tuple[str, ...], _AlikeBlocks] = defaultdict(_AlikeBlocks)
    for rows, base in parts:
        steps, ords = steps_of(rows), ords_of(rows, base)
        if wants(STEP_KEY):
            found[STEP_KEY].append(step_points(rows, base))
        for block in rows.numbers:
            at = None if block.rows is None else np.frombuffer(block.rows, "<u4")
            own = (steps, ords) if at is None else (steps[at], ords[at])
            if block.kinds is None and not block.big:
                alike[tuple(block.keys)].add(block, *own)
            else:
                _add_block(found, block, wants, *own)
        for cell in rows.cells:
            name = folded(cell.key)
            if wants(name) and name != STEP_KEY:
                at = np.frombuffer(cell.rows, "<u4")
                found[name].append(cell_points(cell, steps[at], ords[at], max_depth))
    for keys, blocks in alike.items():
        for name, points in blocks.points(keys, wants):
            found[name].append(points)
    return {name: concat(points) for name, points in found.items()}


class _AlikeBlocks:
    """Blocks of floats with the same keys: joined, they are one matrix."""

    def __init__(self) -> None:
        self._steps: list[Steps] = []
        self._ords: list[Steps] = []
        self._values: list[Numbers] = []

    def add(self, block: NumberBlock, steps: Steps, ords: Steps) -> None:
        self._steps.append(steps)
        self._ords.append(ords)
        self._values.append(np.frombuffer(block.values, "<f8").reshape(len(block.keys), len(steps)))

    def points(self, keys: tuple[str, ...], wants: Callable[[str], bool]) -> Iterator[tuple[str, Points]]:
        names = [(at, name) for at, name in enumerate(map(folded, keys)) if wants(name) and name != STEP_KEY]
        if not names:
            return
        steps, ords = np.concatenate(self._steps), np.concatenate(self._ords)
        rows = [at for at, _ in names]
        whole = len(rows) == len(keys)
        values = np.concatenate([part if whole else part[rows] for part in self._values], axis=1)
        for (_, name), numbers in zip(names, values, strict=True):
            yield name, Points(steps, ords, numbers)


def _add_block(
    found: dict[str, list[Points]],
    block: NumberBlock,
    wants: Callable[[str], bool],
    steps: Steps,
    ords: Steps,
) -> None:
    n = len(steps)
    values = np.frombuffer(block.values, "<f8").reshape(len(block.keys), n)
    names = {at: name for at, name in enumerate(map(folded, block.keys)) if wants(name) and name != STEP_KEY}
    big = _big(block, names.keys(), n)
    for at, name in names.items():
        found[name].append(Points(steps, ords, values[at], _ints(block, at, n), None, big.get(at)))


def _ints(block: NumberBlock, at: int, n: int) -> NDArray[np.bool_] | None:
    kind = _FLOATS if block.kinds is None else block.kinds[at]
    if kind == _FLOATS:
        return None
    return np.ones(n, np.bool_) if kind == _INTEGERS else np.frombuffer(block.masks[at], np.bool_)


def _big(block: NumberBlock, keys: Container[int], n: int) -> dict[int, NDArray[np.object_]]:
    """The ints beyond 2**53 of those of the keys, given by position, that have some."""
    found: dict[int, NDArray[np.object_]] = {}
    for key, position, digits in block.big:
        if key in keys:
            if key not in found:
                found[key] = np.full(n, None, np.object_)
            found[key][position] = int(digits)
    return found


def cell_points(cell: Cells, steps: Steps, ords: Steps, max_depth: int) -> Points:
    """Points of one key's values that came as no numbers; those that are no JSON are left out."""
    types = {NUMBER: 0}
    codes = np.empty(len(steps), np.int32)
    numbers = np.zeros(len(steps))
    objects = np.full(len(steps), None, np.object_)
    plain = np.ones(len(steps), np.bool_)
    for at, value in enumerate(cell.values):
        kind = value_type(value)
        codes[at] = types.setdefault(kind, len(types))
        if kind == NUMBER:
            numbers[at] = NON_FINITE_STRINGS[value] if isinstance(value, str) else as_number(value)
        else:
            objects[at] = value
            plain[at] = value is None or isinstance(value, str | bool) or is_json(value, max_depth)
    points = Points(steps, ords, numbers, None, codes, objects, tuple(types))
    return points if plain.all() else points.take(plain)


def as_number(value: Any) -> float:  # int or float, by value_type
    """A number among the other values as the nearest double; an int beyond every double is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
