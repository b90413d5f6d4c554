"""Tables as CSV, Arrow or Parquet: the logged columns and nothing else, in batches, memory bounded."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from runhue_server.api.answers import non_finite_as_text
from runhue_server.api.export_streams import arrow_stream, csv_stream, parquet_stream
from runhue_server.api.row_formats import FORMATS
from runhue_server.api.table_columns import JSON_TYPES, Column, StoredTable
from runhue_server.api.table_orders import Order

BATCH_ROWS = 10_000
MAX_BATCH_CELLS = 1_000_000


class Shown(NamedTuple):
    """What is exported of a table."""

    table: StoredTable
    columns: Sequence[Column]
    order: Order
    offset: int

    def schema(self) -> pa.Schema:
        """Names and types; columns of JSON text say so as `GET .../rows` has them."""
        return pa.schema(
            [
                pa.field(
                    str(column.name),
                    column.arrow,
                    metadata={"encoding": "json"} if column.type in JSON_TYPES else None,
                )
                for column in self.columns
            ]
        )

    def batches(self) -> Iterator[list[pa.Array]]:
        """The cells of each column, some rows at a time."""
        size = max(100, min(BATCH_ROWS, MAX_BATCH_CELLS // max(1, len(self.columns))))
        for first in range(self.offset, self.order.total, size):
            rows = self.order.between(first, first + size)
            yield [self.table.take(column, rows) for column in self.columns]

    def record_batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The same as Arrow has them."""
        return (pa.RecordBatch.from_arrays(batch, schema=schema) for batch in self.batches())


def as_csv(shown: Shown) -> Generator[bytes, None, None]:
    """A header, then one line a row. Null is empty; media and mixed cells are JSON."""
    header = [str(column.name) for column in shown.columns]
    rows = (zip(*(_csv_cells(cells) for cells in batch), strict=True) for batch in shown.batches())
    yield from csv_stream(header, rows)


def _csv_cells(cells: pa.Array) -> list[Any]:
    values: list[Any] = cells.to_pylist()
    if pa.types.is_floating(cells.type):
        return [None if value is None else non_finite_as_text(value) for value in values]
    if pa.types.is_boolean(cells.type):
        return [None if value is None else "true" if value else "false" for value in values]
    return values


def as_arrow(shown: Shown) -> Generator[bytes, None, None]:
    """An Arrow IPC stream."""
    schema = shown.schema()
    yield from arrow_stream(schema, shown.record_batches(schema))


def as_parquet(shown: Shown) -> Generator[bytes, None, None]:
    """A Parquet file."""
    schema = shown.schema()
    yield from parquet_stream(schema, shown.record_batches(schema))


WRITERS = {"csv": as_csv, "arrow": as_arrow, "parquet": as_parquet}
MEDIA_TYPES = {name: FORMATS[name].media_type for name in WRITERS}
