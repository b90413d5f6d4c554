"""What a table is: its columns with their types and ranges, over all its rows."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from runhue_server.api.table_columns import Column, columns_of
from runhue_server.api.table_filters import OPERATORS
from runhue_server.api.table_standing import Piece, Standing


def description_of(standing: Standing) -> dict[str, Any]:  # a `Table`
    """The answer about a table, however far it is."""
    pieces = standing.pieces
    ready = standing.state == "ready"
    return {
        "key": standing.logged.key,
        "step": standing.logged.step,
        "state": standing.state,
        "code": standing.code,
        "reason": standing.reason,
        "value": standing.logged.value,
        "rows": sum(piece.facts["rows"] for piece in pieces) if ready else None,
        "increments": len(pieces) or 1,
        "columns": [_column(column, pieces) for column in columns_of(pieces)],
    }


def _column(column: Column, pieces: Sequence[Piece]) -> dict[str, Any]:
    name = str(column.name)
    facts = [fact for piece in pieces for fact in piece.facts["columns"] if str(fact["name"]) == name]
    absent = sum(piece.facts["rows"] for piece in pieces) - sum(
        piece.facts["rows"] for piece in pieces if any(str(f["name"]) == name for f in piece.facts["columns"])
    )
    numbers = column.type == "number"
    return {
        "name": column.name,
        "type": column.type,
        "integer": pa.types.is_integer(column.arrow),
        "min": min((f["min"] for f in facts if f["min"] is not None), default=None) if numbers else None,
        "max": max((f["max"] for f in facts if f["max"] is not None), default=None) if numbers else None,
        "nulls": absent + sum(fact["nulls"] for fact in facts),
        "nans": sum(fact["nans"] for fact in facts),
        # What is distinct in each of several pieces may be the same in all of them.
        "distinct": facts[0]["distinct"] if len(pieces) == 1 else None,
        "media": sorted({type_ for piece in pieces for type_ in piece.facts["media"].get(name, [])}),
        "operators": OPERATORS[column.type],
    }
