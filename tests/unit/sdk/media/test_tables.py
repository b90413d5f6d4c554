"""Tables: what goes in, and what comes out."""

import datetime as dt
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runhue
from tests.unit.sdk.media.logged import log, stored

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(allow_nan=False), max_size=3),
)


def content(tmp_path: Path, table: Any) -> dict[str, Any]:  # table or DataFrame
    value, logged = stored(tmp_path, table)
    parsed: dict[str, Any] = json.loads(logged.files[value["path"]])
    return parsed


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=5)))
def test_cells_come_back_as_they_were(rows: list[list[Any]]) -> None:
    """Every plain cell, numbers of any size and NaN too, is in the file as it was."""
    columns = [f"c{at}" for at in range(len(rows[0]))] if rows else ["c"]
    with tempfile.TemporaryDirectory() as folder:
        parsed = content(Path(folder), runhue.Table(columns=columns, data=rows))

    assert parsed["columns"] == columns
    assert [[canonical(cell) for cell in row] for row in parsed["data"]] == [
        [canonical(cell) for cell in row] for row in rows
    ]


def canonical(cell: Any) -> Any:  # plain
    """The cell with a NaN that equals itself, and without lone surrogates."""
    if isinstance(cell, float) and math.isnan(cell):
        return "NaN"
    return (type(cell), cell)


def test_default_columns_and_growth(tmp_path: Path) -> None:
    """A new table has the columns Input, Output, Expected; rows and columns are added, and read."""
    table = runhue.Table()
    table.add_data("a", 1, None)
    table.add_row("b", 2, True)
    table.add_column("score", np.array([0.5, 0.25]))

    assert content(tmp_path, table) == {
        "columns": ["Input", "Output", "Expected", "score"],
        "data": [["a", 1, None, 0.5], ["b", 2, True, 0.25]],
    }
    assert table.get_column("Output") == [1, 2]
    assert table.get_column("Output", convert_to="numpy").dtype.kind == "i"
    assert table.get_dataframe().shape == (2, 4)


def test_frames_become_tables(tmp_path: Path) -> None:
    """A DataFrame is a table by name, by `data`, and when it is logged itself."""
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [0.5, None],
            "t": [pd.Timestamp("2020-01-02"), pd.NaT],
            "flag": pd.array([True, pd.NA], dtype="boolean"),
            7: ["a", "b"],
        }
    )
    expected = {
        "columns": ["n", "x", "t", "flag", 7],
        "data": [[1, 0.5, "2020-01-02T00:00:00", True, "a"], [2, None, None, None, "b"]],
    }

    for number, given_as in enumerate((runhue.Table(dataframe=frame), runhue.Table(data=frame), frame)):
        parsed = content(tmp_path / str(number), given_as)
        parsed["data"][1][1] = None  # NaN, as pandas holds a missing float
        assert parsed == expected


def test_arrays_and_odd_cells(tmp_path: Path) -> None:
    """A 2-D array is rows; dates, numpy scalars, arrays, dicts and objects in cells have a plain form."""
    rows = content(tmp_path / "a", runhue.Table(columns=["a", "b"], data=np.array([[1, 2], [3, 4]])))
    assert rows["data"] == [[1, 2], [3, 4]]

    cells = [dt.date(2020, 1, 2), np.float32(0.5), np.arange(50), {"a": (1, 2)}, Path("x"), object]
    odd = content(tmp_path / "b", runhue.Table(columns=list("abcdef"), data=[cells]))
    assert odd["data"] == [["2020-01-02", 0.5, list(range(50)), {"a": [1, 2]}, "x", str(object)]]


def test_a_table_holds_what_it_had_when_it_was_logged(tmp_path: Path) -> None:
    """Rows that are added after a log call are in the next one only."""
    table = runhue.Table(columns=["n"], data=[[1]])
    first = log(tmp_path / "1", {"t": table})
    table.add_data(2)
    second = log(tmp_path / "2", {"t": table})

    assert [row["t"]["nrows"] for logged in (first, second) for _, row in logged.rows] == [1, 2]


def test_an_empty_table(tmp_path: Path) -> None:
    """A table without rows is stored too, and one without columns."""
    assert content(tmp_path / "1", runhue.Table(columns=["a"])) == {"columns": ["a"], "data": []}
    table = runhue.Table(columns=[])
    table.add_column("a", [1, 2])
    assert content(tmp_path / "2", table) == {"columns": ["a"], "data": [[1], [2]]}


def test_unknown_log_modes_are_refused() -> None:
    """A log mode is one of three."""
    with pytest.raises(ValueError, match="IMMUTABLE, MUTABLE, INCREMENTAL, got 'x'"):
        runhue.Table(log_mode="x")  # type: ignore[arg-type]  # wrong on purpose
