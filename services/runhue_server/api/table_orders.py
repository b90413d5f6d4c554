"""In which order a table's rows are shown, and which of them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runhue_server.api.table_columns import JSON_TYPES, Column, Rows, StoredTable
from runhue_server.api.table_filters import Mask, filter_of
from runhue_server.api.table_memory import Recent
from runhue_server.web.problems import Invalid

MAX_SORTS = 10
FIELD = "sort"

ORDERS: Final["Recent[Rows]"] = Recent(64 * 1024 * 1024)
"""Numbers of the rows that pass a filter, in an order, by table, filter and order."""


class Order(NamedTuple):
    """Rows to show: their numbers, or None for all as they were logged; `total` is how many they are."""

    rows: Rows | None
    total: int

    def between(self, first: int, end: int) -> Rows:
        """The numbers of the rows from place `first` to before `end`."""
        end = min(end, self.total)
        if self.rows is None:
            return np.arange(first, max(first, end), dtype=np.int64)
        return self.rows[first:end]


def order_of(table: StoredTable, filter_text: str | None, sort: Sequence[str]) -> Order:
    """The rows that pass the filter, sorted by columns; `-name` turns one around.

    Sorting is stable; NaN comes behind all numbers and null behind all else, in both directions.

    Raises:
        InvalidTableFilter, ColumnUnknown: as `filter_of`.
        Invalid: a column cannot be sorted by, or there are too many.
    """
    mask = filter_of(table, filter_text)
    keys = [_sort_key(table, name) for name in sort]
    if len(keys) > MAX_SORTS:
        raise Invalid(f"sort: {len(keys)} columns", field=FIELD, limit=MAX_SORTS, fix="sort by fewer")
    if mask is None and not keys:
        return Order(None, table.rows)

    def rows() -> tuple[Rows, int]:
        found = _sorted(table, keys, _passing(table, mask))
        return found, found.nbytes + len(repr(key))

    key = (table.key, filter_text, tuple(sort))
    found = ORDERS.get(key, rows)
    return Order(found, len(found))


def _sort_key(table: StoredTable, name: str) -> tuple[Column, str]:
    descending = name.startswith("-")
    # A column may itself be called -loss.
    plain = name[1:] if descending and not _has(table, name) else name
    column = table.column(plain, FIELD)
    if column.type in JSON_TYPES:
        raise Invalid(
            f"sort: {plain[:100]!r} holds {column.type}, which has no order",
            field=FIELD,
            fix="sort by a column of numbers, texts or bools",
        )
    return column, "descending" if plain != name else "ascending"


def _has(table: StoredTable, name: str) -> bool:
    return any(str(column.name) == name for column in table.columns)


def _passing(table: StoredTable, mask: Mask | None) -> Rows:
    if mask is None:
        return np.arange(table.rows, dtype=np.int64)
    parts = [table.group_rows(group)[mask(table, group)] for group in range(table.group_count)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _sorted(table: StoredTable, keys: Sequence[tuple[Column, str]], rows: Rows) -> Rows:
    if not keys or not len(rows):
        return rows
    names = [str(number) for number in range(len(keys))]
    cells = pa.Table.from_arrays([table.take(column, rows) for column, _ in keys], names)
    # Null and NaN last is what Arrow does unless it is told.
    order = [(name, direction) for name, (_, direction) in zip(names, keys, strict=True)]
    found: Rows = rows[pc.sort_indices(cells, sort_keys=order).to_numpy()]
    return found
