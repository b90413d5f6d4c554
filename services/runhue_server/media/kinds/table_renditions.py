"""What is made of a table: Parquet to read columns of, and rows that Vega takes as they are."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from runhue_server.media.contract import Workshop
from runhue_server.media.kinds.table_columns import Column
from runhue_server.media.kinds.table_json import LoggedTable, Row

ROW_GROUP = 10_000
"""Rows that are read together: little more than a page, for paging deep into a table."""

VEGA_ROWS = 10_000
VEGA_NAME_BYTES = 64 * 1024 * 1024
"""Each row for Vega repeats the names of the columns; together they have at most so many bytes."""

PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"


def write_columns(workshop: Workshop, columns: Sequence[Column], rows: int) -> None:
    """Leave the rendition `columns`: Parquet with columns c0, c1, ... in groups of `ROW_GROUP` rows."""
    names = [f"c{number}" for number in range(len(columns))]
    table = pa.Table.from_arrays([column.cells for column in columns], names)
    path = workshop.path("columns", PARQUET)
    pq.write_table(table, path, compression="zstd", row_group_size=max(1, min(ROW_GROUP, rows)))


def write_vega(workshop: Workshop, table: LoggedTable) -> None:
    """Leave the rendition `vega`: a JSON list of objects by column name, NaN and the infinities as null.

    Of n rows more than are shown, row i is kept when floor(i * shown / n) differs from that of row i - 1.
    """
    names = [str(name) for name in table.names]
    width = sum(len(name.encode()) for name in names) + 1
    shown = thinned(table.rows, max(1, min(VEGA_ROWS, VEGA_NAME_BYTES // width)))
    with workshop.path("vega", JSON).open("wb") as file:
        file.write(b"[")
        for number, row in enumerate(shown):
            file.write(b",\n" if number else b"")
            file.write(_vega_row(dict(zip(names, row, strict=True))))
        file.write(b"]")


def thinned(rows: Sequence[Row], at_most: int) -> Iterator[Row]:
    """At most so many of the rows, evenly spread, the first among them."""
    count = len(rows)
    if count <= at_most:
        yield from rows
        return
    # The first i for which floor(i * at_most / count) is k.
    for k in range(at_most):
        yield rows[-(-k * count // at_most)]


def _vega_row(row: dict[str, Any]) -> bytes:  # any JSON
    try:
        return orjson.dumps(row)
    except (orjson.JSONEncodeError, TypeError):  # integers beyond 64 bits
        return json.dumps(_finite(row), separators=(",", ":"), allow_nan=False).encode()


def _finite(value: Any) -> Any:  # any JSON
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value
