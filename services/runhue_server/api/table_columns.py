"""Tables as columns: what is read of the Parquet files that the media worker made, and no more than that.

A table is one file, or, when it was logged in increments, several one below the other.
"""

import json
import mmap
import tempfile
import threading
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from runhue_server.api.table_memory import Recent
from runhue_server.api.table_problems import ColumnUnknown
from runhue_server.api.table_standing import Piece
from runhue_server.storage.problems import store_answers
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import make_directory
from runhue_shared.events import EXACT_INTEGER

ColumnType = Literal["number", "bool", "string", "media", "other"]

JSON_TYPES = ("media", "other")
"""Types whose cells are JSON text."""

SMALL = 2 * 1024 * 1024
"""Files up to so many bytes are held in memory; each larger one is a file without a name on disk."""

FILES: Final["Recent[_File]"] = Recent(512 * 1024 * 1024)
"""Opened large files: 256 at most, since a process may not open many more."""

SMALL_FILES: Final["Recent[_File]"] = Recent(64 * 1024 * 1024)
"""Opened small files."""

CELLS: Final["Recent[pa.Array]"] = Recent(128 * 1024 * 1024)
"""Decoded cells of a column in a group of rows."""

Rows = NDArray[np.int64]
"""Numbers of rows, shape (rows,)."""


class Column(NamedTuple):
    """A column; `place` is its position. `arrow` is int64 or float64 for number, bool, and else string."""

    place: int
    name: str | int
    type: ColumnType
    arrow: pa.DataType


class _File:
    """The Parquet file of one piece, in memory or mapped into it; safe for threads."""

    def __init__(self, content: bytes | mmap.mmap) -> None:
        self._parquet = pq.ParquetFile(pa.BufferReader(pa.py_buffer(content)))
        self._lock = threading.Lock()
        metadata = self._parquet.metadata
        self.groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        self.types: list[pa.DataType] = self._parquet.schema_arrow.types

    def read(self, group: int, place: int) -> pa.Array:
        """The cells of a column in a group of rows."""
        with self._lock:
            found = self._parquet.read_row_group(group, columns=[f"c{place}"], use_threads=False)
        return _one_array(found.column(0))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


class _Group(NamedTuple):
    """Rows that are read together: group `number` of a piece."""

    piece: int
    number: int
    rows: int


class StoredTable:
    """A table whose pieces are all ready.

    Raises:
        Unavailable, BytesLost: the blob store is away, or lacks a file.
    """

    def __init__(self, team_id: int, pieces: Sequence[Piece]) -> None:
        self._files = [_opened(team_id, piece) for piece in pieces]
        self._hashes = [piece.columns.made for piece in pieces]
        self._places: list[dict[str, tuple[int, ColumnType]]] = [
            {str(fact["name"]): (place, fact["type"]) for place, fact in enumerate(piece.facts["columns"])}
            for piece in pieces
        ]
        self._groups = [
            _Group(number, group, rows)
            for number, file in enumerate(self._files)
            for group, rows in enumerate(file.groups)
        ]
        self._ends = list(accumulate(group.rows for group in self._groups))
        self.key = (team_id, *self._hashes)
        self.columns = columns_of(pieces)
        self._by_name = {str(column.name): column for column in self.columns}
        self.rows = self._ends[-1] if self._ends else 0

    def column(self, name: str, field: str) -> Column:
        """The column of that name.

        Raises:
            ColumnUnknown: there is none; `field` of the request names it.
        """
        found = self._by_name.get(name)
        if found is None:
            known = ", ".join(list(self._by_name)[:20])
            raise ColumnUnknown(
                f"{field}: the table has no column {name[:100]!r}",
                field=field,
                fix=f"its columns are: {known}",
            )
        return found

    def pieces_of(self, rows: Rows) -> list[int]:
        """For each row the number of the piece that it is in."""
        groups = np.searchsorted(np.array(self._ends), rows, side="right")
        return [self._groups[group].piece for group in groups.tolist()]

    @property
    def group_count(self) -> int:
        return len(self._groups)

    def group_rows(self, number: int) -> Rows:
        """The numbers of the rows in a group."""
        end = self._ends[number]
        return np.arange(end - self._groups[number].rows, end, dtype=np.int64)

    def cells(self, column: Column, number: int) -> pa.Array:
        """The cells of a column in a group of rows, of the column's Arrow type."""
        group = self._groups[number]
        key = (self._hashes[group.piece], group.number, str(column.name), str(column.arrow), column.type)

        def read() -> tuple[pa.Array, int]:
            found = self._read(column, group)
            return found, found.nbytes

        return CELLS.get(key, read)

    def _read(self, column: Column, group: _Group) -> pa.Array:
        found = self._places[group.piece].get(str(column.name))
        if found is None:
            return pa.nulls(group.rows, column.arrow)
        place, own = found
        return _as_type(self._files[group.piece].read(group.number, place), own, column)

    def take(self, column: Column, rows: Rows) -> pa.Array:
        """The cells of a column in these rows, in their order; only groups that have one are read."""
        if not len(rows):
            return pa.nulls(0, column.arrow)
        numbers = np.searchsorted(np.array(self._ends), rows, side="right")
        needed = np.unique(numbers).tolist()
        before = dict(zip(needed, [0, *accumulate(self._groups[one].rows for one in needed)], strict=False))
        shift = np.array([before.get(n, 0) for n in range(len(self._groups))], dtype=np.int64)
        starts = np.array([0, *self._ends], dtype=np.int64)
        held = pa.concat_arrays([self.cells(column, one) for one in needed])
        return held.take(pa.array(rows - starts[numbers] + shift[numbers]))


def _opened(team_id: int, piece: Piece) -> _File:
    made = piece.columns
    held, make = (SMALL_FILES, _read_whole) if made.size <= SMALL else (FILES, _mapped)
    return held.get((team_id, made.made), lambda: (make(team_id, made.made), made.size))


def _read_whole(team_id: int, sha256: bytes) -> _File:
    with store_answers():
        return _File(b"".join(blob_store().read(team_id, sha256)))


def _mapped(team_id: int, sha256: bytes) -> _File:
    # On the disk of the blob store: the folder for temporary files is memory in many containers.
    folder = blob_store().spool_directory
    with store_answers():
        make_directory(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            for part in blob_store().read(team_id, sha256):
                file.write(part)
            file.flush()
            return _File(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def columns_of(pieces: Sequence[Piece]) -> list[Column]:
    """The columns of all pieces as they first come, each of a type that holds all its cells exactly."""
    facts: dict[str, list[dict[str, Any]]] = {}
    for piece in pieces:
        for fact in piece.facts["columns"]:
            facts.setdefault(str(fact["name"]), []).append({**fact, "rows": piece.facts["rows"]})
    return [Column(place, of[0]["name"], *_common_type(of)) for place, of in enumerate(facts.values())]


def _common_type(facts: Sequence[dict[str, Any]]) -> tuple[ColumnType, pa.DataType]:
    telling = [fact for fact in facts if fact["nulls"] < fact["rows"]] or list(facts[:1])
    kinds: set[ColumnType] = {fact["type"] for fact in telling}
    if len(kinds) > 1:
        return "other", pa.string()
    kind = kinds.pop()
    if kind != "number":
        return kind, pa.bool_() if kind == "bool" else pa.string()
    integers = [fact for fact in telling if _is_integer(fact)]
    if len(integers) == len(telling):
        return kind, pa.int64()
    exact = all(abs(fact[bound]) <= EXACT_INTEGER for fact in integers for bound in ("min", "max"))
    return (kind, pa.float64()) if exact else ("other", pa.string())


def _is_integer(fact: dict[str, Any]) -> bool:
    """Whether a column of numbers holds integers: their range is one of integers."""
    return isinstance(fact["min"], int)


def _as_type(cells: pa.Array, own: ColumnType, column: Column) -> pa.Array:
    """Cells of one piece, in which the column has the type `own`, as the whole table has them."""
    if own == column.type and cells.type == column.arrow:
        return cells
    if cells.null_count == len(cells):
        return pa.nulls(len(cells), column.arrow)
    if column.type == "number":
        return pc.cast(cells, column.arrow)
    if own in JSON_TYPES:
        return cells
    return pa.array([None if cell is None else json.dumps(cell) for cell in cells.to_pylist()], pa.string())
