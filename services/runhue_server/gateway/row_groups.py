"""Rows as columns, grouped by the set of their keys: the client's maps have no order."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from runhue_shared.events import Cells, NumberBlock, Rows, column_bytes, number_block, one_spelling

NUMBERS = frozenset({int, float})

Group = tuple[list[int], list[dict[str, Any]]]
"""Positions of rows that have the same keys, and the rows."""


class RowGroups:
    """Rows of one batch, added one by one. A row's values are flat: int, float or JSON-like."""

    def __init__(self) -> None:
        self._seqs: array[int] = array("I")
        self._steps: array[int] = array("q")
        self._groups: dict[frozenset[str], Group] = {}

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, step: int, values: dict[str, Any]) -> frozenset[str] | None:
        """Add a row; `seq` is its offset in the batch. Returns its keys when no row had just those."""
        names = frozenset(values)
        group = self._groups.get(names)
        if group is None:
            self._groups[names] = ([len(self._seqs)], [values])
        else:
            group[0].append(len(self._seqs))
            group[1].append(values)
        self._seqs.append(seq)
        self._steps.append(step)
        return names if group is None else None

    def columns(self) -> Rows:
        """All rows. Keys of one row that differ only in case are one metric; the later entry wins (S9)."""
        blocks: list[NumberBlock] = []
        cells: dict[str, list[tuple[int, Any]]] = {}
        for names, (at, rows) in self._spelled_once():
            numbers: dict[str, list[Any]] = {}
            for name in sorted(names):
                column = [row[name] for row in rows]
                if NUMBERS.issuperset(map(type, column)):
                    numbers[name] = column
                else:
                    blocks += self._part_numbers(name, at, column, cells)
            if numbers:
                blocks.append(number_block(tuple(numbers), at, list(numbers.values()), len(self)))
        others = [_cells(name, held) for name, held in cells.items()]
        return Rows(column_bytes(self._seqs), column_bytes(self._steps), blocks, others)

    def _spelled_once(self) -> Iterator[tuple[frozenset[str], Group]]:
        """The groups, rows with two spellings of a key among those that have the one that counts."""
        groups: dict[frozenset[str], Group] = {}
        for names, (at, rows) in self._groups.items():
            if len({name.casefold() for name in names}) == len(names):
                held = groups.setdefault(names, ([], []))
                held[0].extend(at)
                held[1].extend(rows)
                continue
            for position, row in zip(at, rows, strict=True):
                values = dict(one_spelling(row))
                held = groups.setdefault(frozenset(values), ([], []))
                held[0].append(position)
                held[1].append(values)
        return ((names, _in_order(group)) for names, group in groups.items())

    def _part_numbers(
        self, name: str, at: Sequence[int], column: Sequence[Any], cells: dict[str, list[tuple[int, Any]]]
    ) -> list[NumberBlock]:
        """What of a mixed column are numbers, as a block of its own; the rest goes to `cells`."""
        numbers = [(place, value) for place, value in zip(at, column, strict=True) if type(value) in NUMBERS]
        held = cells.setdefault(name, [])
        held += [
            (place, value) for place, value in zip(at, column, strict=True) if type(value) not in NUMBERS
        ]
        if not numbers:
            return []
        places, values = zip(*numbers, strict=True)
        return [number_block((name,), list(places), [values], len(self))]


def _in_order(group: Group) -> Group:
    """The group by position: a block of all rows names none."""
    at, rows = group
    if all(one < other for one, other in pairwise(at)):
        return group
    order = sorted(range(len(at)), key=at.__getitem__)
    return [at[place] for place in order], [rows[place] for place in order]


def _cells(name: str, held: list[tuple[int, Any]]) -> Cells:
    held.sort(key=lambda cell: cell[0])  # groups were added one after the other
    return Cells(name, column_bytes(array("I", (place for place, _ in held))), [value for _, value in held])
