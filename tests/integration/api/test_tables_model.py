"""Filtering, sorting and taking rows of tables agree with plain Python over the logged values."""

import json
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhue_server.api.table_cells import Page, plain_cells
from runhue_server.api.table_columns import StoredTable
from runhue_server.api.table_orders import order_of
from runhue_server.api.table_places import Located, Place, StoredFile
from runhue_server.api.table_standing import Piece
from runhue_server.media.contract import Source, Workshop
from runhue_server.media.kinds import table_renditions
from runhue_server.media.kinds.tables import inspect_table
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.db.inspections import Made
from runhue_shared.settings import Settings
from tests.integration.api.stored_tables import table_bytes

TEAM = 1
IMAGE = {"_type": "image-file", "path": "media/images/a.png"}
Rows = list[list[Any]]


def stored_table(columns: Sequence[Any], *increments: Rows) -> StoredTable:
    """A table of one or several pieces, as the media worker leaves them."""
    return StoredTable(TEAM, [piece_of(table_bytes(columns, rows)) for rows in increments])


def piece_of(content: bytes) -> Piece:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bytes"
        path.write_bytes(content)
        workshop = Workshop(Path(name))
        facts = json.loads(json.dumps(inspect_table(Source(path, "json", len(content)), workshop)))
        parquet = (Path(name) / workshop.made["columns"][0]).read_bytes()
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(parquet)
        blob = store.keep(TEAM, spool)
    file = StoredFile("t.table.json", blob.sha256, blob.size, "application/json")
    return Piece(Located(Place(1), file), facts, Made("columns", blob.sha256, blob.size, "parquet"))


NEAR = st.sampled_from(
    [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**63, 2**70, -(2**70)]
)
INTEGERS = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | NEAR.filter(lambda n: abs(n + 0.5) < 2**63)
DOUBLES = (
    st.sampled_from([0.0, -0.0, 0.5, 2.0**53, 2.0**63, 1e300, math.nan, math.inf, -math.inf]) | st.floats()
)
TEXTS = st.text(alphabet="aAbBéß😀\uffff ", max_size=3)
OPERANDS = INTEGERS | NEAR | DOUBLES
COLUMNS = ["int", "float", "text", "bool", "mixed"]
ROW = st.tuples(
    INTEGERS | st.none(),
    DOUBLES | st.none(),
    TEXTS | st.none(),
    st.booleans() | st.none(),
    st.just(IMAGE) | TEXTS | st.lists(DOUBLES, max_size=2) | st.none(),
).map(list)
TABLES = st.lists(ROW, max_size=20)


def as_word(value: Any) -> Any:  # an operand
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


ORDERS = st.sampled_from(["<", "<=", ">", ">="])
EQUAL = st.sampled_from(["=", "!="])


def conditions(column: str, operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries(
        {
            "column": st.just(column),
            "op": EQUAL if column == "bool" else EQUAL | ORDERS,
            "value": operands.map(as_word),
        }
    )
    several = st.fixed_dictionaries(
        {
            "column": st.just(column),
            "op": st.just("in"),
            "value": st.lists(operands.map(as_word) | st.none(), max_size=4),
        }
    )
    return one | several


LEAVES = (
    conditions("int", OPERANDS)
    | conditions("float", OPERANDS)
    | conditions("text", TEXTS)
    | conditions("bool", st.booleans())
    | st.fixed_dictionaries(
        {"column": st.sampled_from(COLUMNS), "op": st.just("is_null"), "value": st.booleans() | st.none()}
    )
    | st.fixed_dictionaries({"column": st.just("text"), "op": st.just("contains"), "value": TEXTS})
    | st.fixed_dictionaries(
        {
            "column": st.just("text"),
            "op": st.just("matches"),
            "value": st.sampled_from(["^a", "b$", "a|é", "."]),
        }
    )
)
FILTERS = st.lists(
    st.recursive(
        LEAVES,
        lambda inner: (
            st.fixed_dictionaries({"any": st.lists(inner, max_size=3)})
            | st.fixed_dictionaries({"all": st.lists(inner, max_size=3)})
            | st.fixed_dictionaries({"not": inner})
        ),
        max_leaves=5,
    ),
    max_size=3,
)
SORTS = st.lists(
    st.sampled_from([sign + name for sign in ("", "-") for name in ("int", "float", "text", "bool")]),
    max_size=3,
    unique_by=lambda name: name.lstrip("-"),
)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def equals(cell: Any, value: Any) -> bool:  # scalars
    if cell is None or value is None:
        return cell is value
    both_nan = cell != cell and value != value
    return bool(both_nan or cell == value)


def meets(row: dict[str, Any], condition: dict[str, Any]) -> bool:
    """What a condition means."""
    if "any" in condition:
        return any(meets(row, one) for one in condition["any"])
    if "all" in condition:
        return all(meets(row, one) for one in condition["all"])
    if "not" in condition:
        return not meets(row, condition["not"])
    cell, op, value = row[condition["column"]], condition["op"], condition["value"]
    if condition["column"] in ("int", "float") and op != "is_null":
        words = [
            _WORDS.get(one, one) if isinstance(one, str) else one
            for one in (value if op == "in" else [value])
        ]
        value = words if op == "in" else words[0]
    if op == "is_null":
        return bool((cell is None) == (value is not False))
    if op == "in":
        return any(equals(cell, one) for one in value)
    if op in ("=", "!="):
        return bool(equals(cell, value) == (op == "="))
    if cell is None:
        return False
    if op == "contains":
        return str(value) in cell
    return bool(re.search(value, cell)) if op == "matches" else _COMPARE[op](cell, value)


def sorted_rows(rows: list[dict[str, Any]], numbers: list[int], sort: list[str]) -> list[int]:
    """Numbers of rows, sorted by Python, by the last key first."""
    for key in reversed(sort):
        name = key.lstrip("-")
        plain = [n for n in numbers if rows[n][name] is not None and rows[n][name] == rows[n][name]]
        nans = [n for n in numbers if rows[n][name] is not None and rows[n][name] != rows[n][name]]
        nulls = [n for n in numbers if rows[n][name] is None]
        plain.sort(key=lambda n: rows[n][name], reverse=key.startswith("-"))
        numbers = [*plain, *nans, *nulls]
    return numbers


FIXTURE_OF_ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURE_OF_ALL)
@given(rows=TABLES, asked=FILTERS, sort=SORTS)
def test_filters_and_orders_mean_what_python_does(
    server_settings: Settings, rows: Rows, asked: list[Any], sort: list[str]
) -> None:
    """Any filter and order of any table give the rows that plain Python gives, in its order."""
    # A row with every type keeps the columns' types, whatever is drawn.
    rows = [[0, 0.5, "a", True, [1]], *rows]
    table = stored_table(COLUMNS, rows)
    logged = [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    order = order_of(table, json.dumps(asked), sort)

    passing = [n for n, row in enumerate(logged) if all(meets(row, condition) for condition in asked)]
    expected = sorted_rows(logged, passing, sort)
    assert order.between(0, len(rows)).tolist() == expected
    assert order.total == len(expected)


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURE_OF_ALL)
@given(parts=st.lists(TABLES, min_size=1, max_size=4), data=st.data())
def test_rows_of_increments_are_those_that_were_logged(
    server_settings: Settings, parts: list[Rows], data: st.DataObject
) -> None:
    """Rows taken in any order from a table of several pieces have the values that were logged."""
    table = stored_table(COLUMNS, *parts)
    logged = [row for part in parts for row in part]
    numbers = data.draw(st.lists(st.integers(0, len(logged) - 1), max_size=10)) if logged else []
    rows = np.array(numbers, dtype=np.int64)

    page = Page(rows, [table.take(column, rows) for column in table.columns])

    cells = plain_cells(page, table.columns, "value")
    expected = [[logged[number][place] for number in numbers] for place in range(len(COLUMNS))]
    assert table.rows == len(logged)
    assert [[same(cell) for cell in column] for column in cells] == [
        [same(cell) for cell in column] for column in expected
    ]


def same(cell: Any) -> Any:  # any JSON
    """The cell in a form in which NaN equals itself, and 1 equals 1.0."""
    return (
        repr(cell)
        if isinstance(cell, float) and math.isnan(cell)
        else repr(cell)
        if isinstance(cell, list)
        else cell
    )


def test_deep_pages_read_their_groups_only(server_settings: Settings, monkeypatch: Any) -> None:
    """Rows deep in a table are taken from the group that holds them, and of the asked columns alone."""
    table = stored_table(["a", "b"], [[number, str(number)] for number in range(50_000)])
    read: list[tuple[str, int]] = []
    cells = StoredTable.cells

    def counted(self: StoredTable, column: Any, number: int) -> Any:
        read.append((str(column.name), number))
        return cells(self, column, number)

    monkeypatch.setattr(StoredTable, "cells", counted)

    taken = table.take(table.columns[1], order_of(table, None, ()).between(31_000, 31_100))

    assert taken.to_pylist() == [str(number) for number in range(31_000, 31_100)]
    assert read == [("b", 31_000 // table_renditions.ROW_GROUP)]
