"""Every point of a run as NDJSON, CSV, Arrow or Parquet: exact integers, NaN kept, memory bounded.

Each format takes batches of rows (`{"_step": 3, "loss": 0.5}`) and yields bytes.
"""

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from runhue_server.api.answers import encode, non_finite_as_text
from runhue_server.api.export_streams import arrow_stream, csv_stream, parquet_stream
from runhue_shared.events import EXACT_INTEGER

STEP = "_step"

Row = dict[str, Any]
"""Values are whatever was logged."""

Batches = Callable[[], Iterable[list[Row]]]
"""Reads all rows once, from the first."""


class Format(NamedTuple):
    """How an export is called and made."""

    media_type: str
    suffix: str
    write: Callable[[Batches, Sequence[str]], Generator[bytes, None, None]]


def as_ndjson(batches: Batches, _columns: Sequence[str]) -> Generator[bytes, None, None]:
    """One JSON object a line; a row has only the keys it holds."""
    for batch in batches():
        yield b"".join(encode(row) + b"\n" for row in batch)


def as_csv(batches: Batches, columns: Sequence[str]) -> Generator[bytes, None, None]:
    """A header, then one line a row. Missing and null are empty; lists and objects are JSON."""
    rows = (
        [[row[STEP], *(_cell(row.get(name)) for name in columns)] for row in batch] for batch in batches()
    )
    yield from csv_stream([STEP, *columns], rows)


def _cells(row: Row, columns: Sequence[str]) -> list[Any]:
    return [row[STEP], *(_cell(row.get(name)) for name in columns)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(non_finite_as_text(value))
    return str(value) if isinstance(value, int) else encode(value).decode()


def as_arrow(batches: Batches, columns: Sequence[str]) -> Generator[bytes, None, None]:
    """An Arrow IPC stream, a record batch for each batch of rows."""
    schema = schema_of(batches(), columns)
    yield from arrow_stream(schema, (_record_batch(batch, schema) for batch in batches()))


def as_parquet(batches: Batches, columns: Sequence[str]) -> Generator[bytes, None, None]:
    """A Parquet file, a row group for each batch of rows."""
    schema = schema_of(batches(), columns)
    yield from parquet_stream(schema, (_record_batch(batch, schema) for batch in batches()))


FORMATS = {
    "ndjson": Format("application/x-ndjson", "ndjson", as_ndjson),
    "csv": Format("text/csv", "csv", as_csv),
    "arrow": Format("application/vnd.apache.arrow.stream", "arrow", as_arrow),
    "parquet": Format("application/vnd.apache.parquet", "parquet", as_parquet),
}


class _Seen:
    """What a column holds. An int beyond int64 cannot stand in any Arrow number."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    def add(self, value: Any) -> None:
        if type(value) is float:
            self.kinds.add("float")
        elif isinstance(value, bool):
            self.kinds.add("bool")
        elif isinstance(value, int):
            self._add_int(value)
        elif value is not None:
            self.kinds.add("string" if isinstance(value, str) else "other")

    def _add_int(self, value: int) -> None:
        exact = abs(value) <= EXACT_INTEGER
        self.kinds.add("int" if exact else "long" if -(2**63) <= value < 2**63 else "other")

    def type(self) -> pa.DataType:
        """int64 for ints, float64 for doubles and ints they hold exactly; JSON where nothing else fits."""
        if not self.kinds:
            return pa.null()
        if self.kinds <= {"int", "long"}:
            return pa.int64()
        if self.kinds <= {"int", "float"}:
            return pa.float64()
        return {frozenset({"bool"}): pa.bool_(), frozenset({"string"}): pa.string()}.get(
            frozenset(self.kinds), JSON_TEXT
        )


JSON_TEXT = pa.large_string()
"""The type of columns of mixed values, each as JSON; plain strings are `string`."""


def schema_of(batches: Iterable[list[Row]], columns: Sequence[str]) -> pa.Schema:
    """The narrowest exact Arrow type of each column, after a look at every value."""
    seen = {name: _Seen() for name in columns}
    for batch in batches:
        for row in batch:
            for name, value in row.items():
                if name in seen:
                    seen[name].add(value)
    fields = [pa.field(STEP, pa.int64(), nullable=False)]
    for name, column in seen.items():
        type_ = column.type()
        fields.append(pa.field(name, type_, metadata={"encoding": "json"} if type_ == JSON_TEXT else None))
    return pa.schema(fields)


def _record_batch(batch: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    arrays = []
    for field in schema:
        values = [row.get(field.name) for row in batch]
        if field.type == JSON_TEXT:
            values = [None if value is None else _exact_json(value) for value in values]
        elif field.type == pa.float64():
            values = [None if value is None else float(value) for value in values]
        arrays.append(pa.array(values, field.type, from_pandas=False))
    return pa.record_batch(arrays, schema=schema)


def _exact_json(value: Any) -> str:
    return json.dumps(value) if isinstance(value, int) else encode(value).decode()
