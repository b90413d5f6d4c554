"""CSV, Arrow and Parquet written batch by batch: an export of any length takes the memory of one batch."""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def csv_stream(
    header: Sequence[str], batches: Iterable[Iterable[Sequence[Any]]]
) -> Generator[bytes, None, None]:
    """A header, then one line for each row of each batch; cells are as `csv.writer` takes them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for rows in batches:
        writer.writerows(rows)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def arrow_stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[bytes, None, None]:
    """An Arrow IPC stream, a record batch for each batch."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


def parquet_stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[bytes, None, None]:
    """A Parquet file, a row group for each batch."""
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Holds what was written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:  # any buffer
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content
