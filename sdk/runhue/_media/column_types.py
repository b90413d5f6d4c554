"""What `Table(dtype=, optional=)` and `Table.cast` ask of the cells of a column."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runhue._errors import BadMedia

Cell = Any
"""What a cell holds: whatever can be logged."""

NUMBERS = (int, float)


@dataclass(frozen=True)
class ColumnType:
    """A column's type and whether cells may be None.

    `dtype` is a type such as `str` or `runhue.Image`, where `int` and `float` both stand for any
    number, or the one value that all cells have; without it cells are of any type.
    """

    dtype: object = None
    optional: bool = True

    def check(self, cell: Cell, column: str | int) -> None:
        """Accept the cell.

        Raises:
            BadMedia: it is of another type; the message names the column.
        """
        if cell is None:
            if not self.optional:
                raise BadMedia(f"Table: column {column!r} must have a value in each row, got None")
        elif self.dtype is not None and not self._takes(_python_value(cell)):
            wanted = self.dtype.__name__ if isinstance(self.dtype, type) else repr(self.dtype)
            raise BadMedia(
                f"Table: column {column!r} must hold {wanted}, got {type(cell).__name__}: {cell!r:.80}"
            )

    def _takes(self, cell: Cell) -> bool:
        if not isinstance(self.dtype, type):
            return bool(cell == self.dtype)
        if self.dtype in NUMBERS:
            return isinstance(cell, NUMBERS) and not isinstance(cell, bool)
        if self.dtype is dt.datetime:
            return isinstance(cell, dt.date)
        return isinstance(cell, self.dtype)


def column_types(dtype: object, optional: object, count: int) -> list[ColumnType]:
    """The types of `count` columns from what is said of all or of each.

    Raises:
        BadMedia: lists of another length than there are columns, or `optional` that is no bool.
    """
    types = _of_each(dtype, "dtype", count)
    may_be_none = _of_each(optional, "optional", count)
    for given in may_be_none:
        if not isinstance(given, bool):
            raise BadMedia(f"Table: optional must be a bool or a list of them, got {given!r}")
    return [ColumnType(one, bool(other)) for one, other in zip(types, may_be_none, strict=True)]


def _of_each(given: object, name: str, count: int) -> Sequence[object]:
    if not isinstance(given, list):
        return [given] * count
    if len(given) != count:
        raise BadMedia(f"Table: {name} must have one entry for each of the {count} columns, got {len(given)}")
    return given


def _python_value(cell: Cell) -> Cell:
    """A number of numpy as Python's."""
    return cell.item() if getattr(cell, "shape", None) == () and hasattr(cell, "item") else cell
