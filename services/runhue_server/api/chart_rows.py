"""Rows of the tables that charts draw."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from runhue_server.api.table_problems import TableNotFound
from runhue_server.api.table_standing import Piece, Standing, standing_of
from runhue_server.storage.problems import store_answers
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.db import inspections
from runhue_shared.db.keys import Principal

KIND = "table"
VEGA = "vega"
DRAWN = 10_000
"""So many rows for charts the media worker makes of a file (docs/media.md)."""


Row = dict[str, Any]
"""Cells by column, as JSON has them."""


class ChartTable(NamedTuple):
    """The table of a run's chart. `state` is that of its bytes, `missing` when none was logged.

    `rows` of `total` are here: of large tables some, evenly spread.
    """

    state: str
    step: int | None = None
    rows: Sequence[Row] = ()
    total: int = 0
    code: str | None = None
    reason: str | None = None


def table_of_chart(
    principal: Principal, run: tuple[str, str, str], key: str, step: int | None, at_most: int
) -> ChartTable:
    """The table under a key at a step of a run (team, project, id), or its last; at most so many rows of it.

    Raises:
        Unavailable: the blob store is away.
    """
    try:
        standing = standing_of(principal, run, key, step, 0)
    except TableNotFound as missing:
        return ChartTable("missing", code=missing.code, reason=missing.detail)
    if standing.state != "ready":
        return ChartTable(standing.state, standing.logged.step, (), 0, standing.code, standing.reason)
    count = sum(int(piece.facts.get("rows", 0)) for piece in standing.pieces)
    return ChartTable("ready", standing.logged.step, _rows(principal.team_id, standing, at_most), count)


def _rows(team_id: int, standing: Standing, at_most: int) -> list[Row]:
    """Rows of all pieces; of each its share, so that no more than that are held."""
    hashes = [piece.located.file.sha256 for piece in standing.pieces]
    with db.transaction() as tx:
        made = inspections.renditions(tx, team_id, hashes)
    count = sum(_drawn(piece) for piece in standing.pieces)
    rows: list[Row] = []
    for piece, sha256 in zip(standing.pieces, hashes, strict=True):
        vega = made.get((sha256, KIND), {}).get(VEGA)
        if vega is not None:
            with store_answers():
                found = orjson.loads(b"".join(blob_store().read(team_id, vega.made)))
            rows += thinned(found, max(1, _drawn(piece) * at_most // max(1, count)))
    return list(thinned(rows, at_most))


def _drawn(piece: Piece) -> int:
    """Of how many rows the media worker made those for charts, at most."""
    return min(int(piece.facts.get("rows", 0)), DRAWN)


def thinned(rows: Sequence[Row], at_most: int) -> Sequence[Row]:
    """At most so many rows, evenly spread, the first among them."""
    count = len(rows)
    if count <= at_most:
        return rows
    return [rows[-(-number * count // at_most)] for number in range(at_most)]


def with_run(rows: Sequence[Row], run: Mapping[str, Any]) -> list[Row]:
    """The rows with what is said of their run, where they have no such column."""
    return [{**run, **row} for row in rows]


def free_name(name: str, columns: Collection[str]) -> str:
    """A name for a further column: this one, with underscores before it while a column has it."""
    while name in columns:
        name = f"_{name}"
    return name
