"""Points of one metric: at each step the record with the greatest ord stands, of whatever type.

`ord` is a record's place in its run: writer number << 40 | seq. Steps and ords are int64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runhue_shared.series.values import NUMBER, NUMBER_CODE

Steps = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Objects = NDArray[np.object_]
Codes = NDArray[np.int32]

SEQ_BITS = 40


def ord_base(writer_no: int, seq_lo: int) -> int:
    """Place of the record `seq_lo` of writer `writer_no` in its run's order."""
    return (writer_no << SEQ_BITS) | seq_lo


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points of one metric, all arrays of shape (n,).

    `numbers` is the value, 0.0 where it is no number. `ints` marks numbers that were ints; None: none was.
    `codes` are positions in `types`; None: all are numbers (`types[0]` always is "number"). `objects` holds
    what a double cannot: non-numbers, and ints beyond 2**53; None: nothing does.
    """

    steps: Steps
    ords: Steps
    numbers: Numbers
    ints: Mask | None = None
    codes: Codes | None = None
    objects: Objects | None = None
    types: tuple[str, ...] = (NUMBER,)

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, at: Any) -> "Points":  # any numpy index: positions, a mask, a slice
        """The points at some positions, in the order given."""
        return Points(
            self.steps[at],
            self.ords[at],
            self.numbers[at],
            None if self.ints is None else self.ints[at],
            None if self.codes is None else self.codes[at],
            None if self.objects is None else self.objects[at],
            self.types,
        )

    def between(self, from_step: int, to_step: int) -> "Points":
        """The points with `from_step` <= step <= `to_step`, in their order."""
        inside = (self.steps >= from_step) & (self.steps <= to_step)
        return self if inside.all() else self.take(inside)

    def by_type(self) -> dict[str, "Points"]:
        """The points split by type, each in their order; empty types are left out."""
        if self.codes is None:
            return {NUMBER: self} if len(self) else {}
        return {
            self.types[code]: _of_type(self.take(self.codes == code), code) for code in np.unique(self.codes)
        }

    def plain(self) -> list[Any]:
        """Values as Python has them: int, float, str, bool, None, list or dict."""
        values: list[Any] = self.numbers.tolist()
        if self.ints is not None:
            for at in np.flatnonzero(self.ints & np.isfinite(self.numbers)):
                values[at] = int(values[at])
        if self.codes is not None:
            for at in np.flatnonzero(self.codes != NUMBER_CODE):
                values[at] = None
        if self.objects is not None:
            for at in np.flatnonzero(self.objects != None):  # noqa: E711  (elementwise)
                values[at] = self.objects[at]
        return values


EMPTY = Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def _of_type(points: Points, code: int) -> Points:
    """`points` are all of type `code`; the table of types shrinks to it."""
    steps, ords, numbers, ints = points.steps, points.ords, points.numbers, points.ints
    if code == NUMBER_CODE:
        ints = ints if ints is not None and ints.any() else None
        return Points(steps, ords, numbers, ints, None, _filled(points.objects))
    codes = np.ones(len(points), np.int32)
    return Points(steps, ords, numbers, None, codes, points.objects, (NUMBER, points.types[code]))


def _filled(objects: Objects | None) -> Objects | None:
    return None if objects is None or all(value is None for value in objects) else objects


def starts_of(ascending: Steps) -> NDArray[np.int64]:
    """Positions at which a new value begins; the first is 0. Takes at least one value."""
    fresh = np.empty(len(ascending), np.bool_)
    fresh[0] = True
    np.not_equal(ascending[1:], ascending[:-1], out=fresh[1:])
    return np.flatnonzero(fresh)


def distinct(ascending: Steps) -> Steps:
    """Each value once."""
    return ascending[starts_of(ascending)] if len(ascending) else ascending


def concat(parts: Sequence[Points]) -> Points:
    """All points of the parts, one part after the other."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return EMPTY
    if len(parts) == 1:
        return parts[0]
    types, codes = _joined_types(parts)
    return Points(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.ords for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        _joined([part.ints for part in parts], parts, np.bool_),
        codes,
        _joined([part.objects for part in parts], parts, np.object_),
        types,
    )


def _joined(columns: Sequence[Any], parts: Sequence[Points], dtype: Any) -> Any:  # columns of any dtype
    if all(column is None for column in columns):
        return None
    empty = None if dtype is np.object_ else 0
    filled = [
        np.full(len(part), empty, dtype) if column is None else column
        for column, part in zip(columns, parts, strict=True)
    ]
    return np.concatenate(filled)


def _joined_types(parts: Sequence[Points]) -> tuple[tuple[str, ...], Codes | None]:
    if all(part.codes is None for part in parts):
        return (NUMBER,), None
    types = {NUMBER: NUMBER_CODE}
    codes = []
    for part in parts:
        if part.codes is None:
            codes.append(np.zeros(len(part), np.int32))
        else:
            own = np.array([types.setdefault(name, len(types)) for name in part.types], np.int32)
            codes.append(own[part.codes])
    return tuple(types), np.concatenate(codes)


def newest_per_step(points: Points) -> Points:
    """Sorted by step, one point a step: the one with the greatest ord, of equals the last in order."""
    if len(points) < 2 or bool((points.steps[1:] > points.steps[:-1]).all()):
        return points
    order = np.lexsort((points.ords, points.steps))
    steps = points.steps[order]
    newest = np.empty(len(steps), np.bool_)
    newest[-1] = True
    np.not_equal(steps[1:], steps[:-1], out=newest[:-1])
    return points.take(order[newest])
