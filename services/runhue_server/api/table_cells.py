"""Cells of a page as an answer has them; media get addresses of the files that they name."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runhue_server.api.media_addresses import Viewer, address_of
from runhue_server.api.table_columns import Column, Rows, StoredTable
from runhue_server.api.table_places import Place, StoredFile, files_at
from runhue_shared.db import Transaction, inspections
from runhue_shared.db.inspections import Made
from runhue_shared.db.keys import Principal
from runhue_shared.media_kinds import OF_TYPE, claim_of

MAX_CELLS = 100_000
MAX_BYTES = 8 * 1024 * 1024
"""A page ends before it has more cells or more bytes than that, but never before its first row."""

SMALL_PICTURES = ("thumbnail", "poster")

OtherAs = Literal["value", "text"]
"""How cells of type other come: as JSON, where NaN is a text, or as a text that holds their JSON."""


class Page(NamedTuple):
    """Some rows: their numbers, and the cells of each column, as Arrow has them."""

    rows: Rows
    cells: list[pa.Array]


def page_of(table: StoredTable, columns: Sequence[Column], rows: Rows) -> Page:
    """The rows, or the first of them that fit into an answer."""
    rows = rows[: max(1, MAX_CELLS // max(1, len(columns)))]
    cells = [table.take(column, rows) for column in columns]
    fits = _fitting(cells, len(rows))
    return Page(rows[:fits], [one.slice(0, fits) for one in cells])


def _fitting(cells: Sequence[pa.Array], count: int) -> int:
    """How many of the rows, in their order, hold at most `MAX_BYTES` of text; one at least."""
    lengths = np.zeros(count, dtype=np.int64)
    for one in cells:
        if pa.types.is_string(one.type):
            lengths += pc.fill_null(pc.binary_length(one), 0).to_numpy(zero_copy_only=False)
    return max(int(np.searchsorted(np.cumsum(lengths), MAX_BYTES, side="right")), min(count, 1))


def plain_cells(page: Page, columns: Sequence[Column], other: OtherAs) -> list[list[Any]]:
    """The cells of each column as JSON has them."""
    return [
        [None if cell is None else json.loads(cell) for cell in cells.to_pylist()]
        if column.type == "media" or (column.type == "other" and other == "value")
        else cells.to_pylist()
        for column, cells in zip(columns, page.cells, strict=True)
    ]


def add_addresses(
    tx: Transaction, principal: Principal, viewer: Viewer, cells: Sequence[tuple[Any, Place]]
) -> None:
    """Give media in cells, each of which is at the place beside it, a `url` and perhaps a `thumbnail`.

    Every object in a cell that has a `path` of a stored file gets them: masks and boxes of images too. An
    address in a medium is always ours: what a client put there instead goes.
    """
    named: dict[Place, list[dict[str, Any]]] = {}
    for cell, place in cells:
        named.setdefault(place, []).extend(_named_files(cell))
    files = {
        (place, path): file
        for place, values in named.items()
        for path, file in files_at(tx, principal, place, {value["path"] for value in values}).items()
    }
    made = inspections.renditions(tx, principal.team_id, {file.sha256 for file in files.values()})
    for place, values in named.items():
        for value in values:
            if value.get("_type") in OF_TYPE:
                value.pop("url", None)
                value.pop("thumbnail", None)
            if (file := files.get((place, value["path"]))) is not None:
                value |= _addresses(principal.team_id, viewer, file, made)


def _named_files(cell: Any) -> Iterator[dict[str, Any]]:  # any JSON
    """The objects in a cell that name a file."""
    if isinstance(cell, dict):
        if isinstance(cell.get("path"), str):
            yield cell
        for part in cell.values():
            yield from _named_files(part)
    elif isinstance(cell, list):
        for part in cell:
            yield from _named_files(part)


def _addresses(
    team_id: int, viewer: Viewer, file: StoredFile, made: dict[tuple[bytes, str], dict[str, Made]]
) -> dict[str, str]:
    found = {"url": address_of(team_id, file.sha256, file.size, file.path, file.mimetype, viewer)}
    claim = claim_of(file.path)
    renditions = {} if claim is None else made.get((file.sha256, claim.kind), {})
    for name in SMALL_PICTURES:
        if (small := renditions.get(name)) is not None:
            found["thumbnail"] = address_of(
                team_id, small.made, small.size, f"{name}.webp", small.mimetype, viewer
            )
    return found
