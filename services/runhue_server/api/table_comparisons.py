"""Comparisons of numbers as mathematics has them, whatever type a column and an operand have.

An integer column compared with 2.5, or a column of doubles with 2**53 + 1, must not be rounded first.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

INT64: Final = (-(2**63), 2**63 - 1)

Number = int | float

_ORDERS: Final[dict[str, Callable[[Any, Any], pa.Array]]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def ordered(cells: pa.Array, op: str, operand: pa.Scalar) -> pa.Array:
    """Whether each cell is before or behind the operand, of the cells' type; null where a cell is."""
    return _ORDERS[op](cells, operand)


def equal_to_any(cells: pa.Array, operands: Sequence[Number]) -> pa.Array:
    """Whether each number equals one of the operands; NaN equals NaN. False where a cell is null."""
    whole = pa.types.is_integer(cells.type)
    exact = [
        found for operand in operands if (found := (_integer if whole else _double)(operand)) is not None
    ]
    if 0.0 in exact and not whole:
        exact += [0.0, -0.0]
    found = pc.is_in(cells, value_set=pa.array(exact, cells.type, from_pandas=False))
    if not whole and any(math.isnan(operand) for operand in exact):
        found = pc.or_(found, pc.fill_null(pc.is_nan(cells), fill_value=False))
    return found


def compared(cells: pa.Array, op: str, operand: Number) -> pa.Array:
    """Whether each number is `<`, `<=`, `>` or `>=` the operand; null where a cell is."""
    if isinstance(operand, float) and math.isnan(operand):
        return _constant(cells, passes=False)
    if pa.types.is_integer(cells.type):
        return _compared_integers(cells, op, operand)
    rounded = _rounded(operand)
    if rounded != operand:
        # No double lies between the operand and the one next to it.
        below = rounded < operand
        op = {"<": "<=" if below else "<", "<=": "<=" if below else "<"}.get(op, ">" if below else ">=")
    return ordered(cells, op, pa.scalar(rounded, pa.float64()))


def _compared_integers(cells: pa.Array, op: str, operand: Number) -> pa.Array:
    if isinstance(operand, float) and math.isinf(operand):
        return _constant(cells, passes=(operand > 0) == (op in ("<", "<=")))
    if isinstance(operand, float) and not operand.is_integer():
        op, operand = ("<=", math.floor(operand)) if op in ("<", "<=") else (">=", math.ceil(operand))
    bound = int(operand)
    if not INT64[0] <= bound <= INT64[1]:
        return _constant(cells, passes=(bound > 0) == (op in ("<", "<=")))
    return ordered(cells, op, pa.scalar(bound, pa.int64()))


def _constant(cells: pa.Array, *, passes: bool) -> pa.Array:
    """All cells that are not null, or none."""
    return pc.is_valid(cells) if passes else pa.array([False] * len(cells), pa.bool_())


def _integer(operand: Number) -> int | None:
    """The operand as an integer column can hold it."""
    if isinstance(operand, float) and not operand.is_integer():
        return None
    return int(operand) if INT64[0] <= operand <= INT64[1] else None


def _double(operand: Number) -> float | None:
    """The operand as a column of doubles can hold it."""
    rounded = _rounded(operand)
    return rounded if rounded == operand or math.isnan(rounded) else None


def _rounded(operand: Number) -> float:
    try:
        return float(operand)
    except OverflowError:
        return math.inf if operand > 0 else -math.inf
