"""What becomes of a table's JSON: facts, Parquet that holds the same values, rows for Vega, and refusals."""

import contextlib
import json
import math
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhue import Table
from runhue._media.text import json_bytes
from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds import table_json, table_renditions
from runhue_server.media.kinds.tables import inspect_table

IMAGE = {"_type": "image-file", "path": "media/images/a.png", "sha256": "0" * 64}


class Looked:
    """What an inspection of some bytes gave."""

    def __init__(self, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "t.table.json"
            path.write_bytes(content)
            workshop = Workshop(Path(name))
            self.facts: Facts = inspect_table(Source(path, "json", len(content)), workshop)
            self.columns = (Path(name) / workshop.made["columns"][0]).read_bytes()
            self.parquet = pq.read_table(Path(name) / workshop.made["columns"][0])
            self.groups = pq.read_metadata(Path(name) / workshop.made["columns"][0]).num_row_groups
            self.vega_text = (Path(name) / workshop.made["vega"][0]).read_text()
        self.vega: list[dict[str, Any]] = json.loads(self.vega_text, parse_constant=_no_word)

    def cells(self) -> list[list[Any]]:
        """The rows that the Parquet holds, with JSON text read."""
        columns = []
        for fact, column in zip(self.facts["columns"], self.parquet.columns, strict=True):
            cells = column.to_pylist()
            if fact["type"] in ("media", "other"):
                cells = [None if cell is None else json.loads(cell) for cell in cells]
            columns.append(cells)
        return [list(row) for row in zip(*columns, strict=True)]


def _no_word(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def look(columns: Sequence[Any], data: Sequence[Any], **more: Any) -> Looked:
    """Look at a table as `json.dumps` writes it."""
    return Looked(json.dumps({"columns": columns, "data": data, **more}).encode())


def refusal(content: bytes) -> str:
    """The code with which bytes are refused."""
    with pytest.raises(Refused) as refused:
        Looked(content)
    assert refused.value.reason
    return refused.value.code


def bits(value: Any) -> Any:
    """The value with doubles as their bits, which tells -0.0 from 0.0 and makes NaN equal to itself."""
    if isinstance(value, float):
        return ("double", struct.pack(">d", math.nan if math.isnan(value) else value))
    if isinstance(value, list):
        return [bits(part) for part in value]
    if isinstance(value, dict):
        return {key: bits(part) for key, part in value.items()}
    return (type(value).__name__, value)


def test_facts_tell_type_range_and_counts() -> None:
    """Each column has the narrowest type that holds all its cells, and counts over them."""
    data: list[list[Any]] = [
        [1, 0.5, "b", True, IMAGE, [1, "x"], None, 2**70],
        [3, math.nan, "a", None, None, 2.5, None, 1],
        [None, 7, "a", False, [IMAGE, {"_type": "audio-file"}], {"k": None}, None, 2],
        [2, -math.inf, "", True, IMAGE, None, None, 3],
    ]

    looked = look(["int", "float", "text", "bool", "media", "mixed", "none", 7], data, log_mode="MUTABLE")

    assert looked.facts == {
        "columns": [
            fact("int", "number", 1, 3, nulls=1, distinct=3),
            fact("float", "number", 0.5, 7.0, nans=1, distinct=4),
            fact("text", "string", distinct=3),
            fact("bool", "bool", nulls=1, distinct=2),
            fact("media", "media", nulls=1, distinct=None),
            fact("mixed", "other", nulls=1, distinct=3),
            fact("none", "other", nulls=4, distinct=0),
            fact(7, "other", distinct=4),
        ],
        "rows": 4,
        "media": {"media": ["audio-file", "image-file"]},
    }
    assert looked.parquet.column_names == [f"c{number}" for number in range(8)]
    assert [str(kind) for kind in looked.parquet.schema.types] == [
        "int64", "double", "string", "bool", "string", "string", "string", "string",
    ]  # fmt: skip
    assert bits(looked.cells()) == bits(
        [[float(cell) if place == 1 else cell for place, cell in enumerate(row)] for row in data]
    )
    assert looked.vega[1] == {
        "int": 3, "float": None, "text": "a", "bool": None, "media": None, "mixed": 2.5, "none": None, "7": 1,
    }  # fmt: skip
    assert looked.vega[3]["float"] is None
    assert looked.vega[0]["7"] == 2**70


def fact(
    name: str | int,
    type_: str,
    low: float | None = None,
    high: float | None = None,
    *,
    nulls: int = 0,
    nans: int = 0,
    distinct: int | None,
) -> dict[str, Any]:
    return {"name": name, "type": type_, "min": low, "max": high, "nulls": nulls, "nans": nans,
            "distinct": distinct}  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "type_", "arrow"),
    [
        ([2**63 - 1, -(2**63)], "number", "int64"),
        ([2**63], "other", "string"),
        ([2**53, 0.5], "number", "double"),
        ([2**53 + 1, 0.5], "other", "string"),
        ([True, 1], "other", "string"),
        (["Image", None], "string", "string"),
        ([IMAGE, "Image"], "other", "string"),
        ([[], IMAGE], "other", "string"),
        ([{"_type": ""}], "other", "string"),
    ],
)
def test_no_type_changes_a_value(cells: list[Any], type_: str, arrow: str) -> None:
    """Numbers that no Arrow number holds exactly, and cells of several kinds, are kept as JSON."""
    looked = look(["a"], [[cell] for cell in cells])

    assert looked.facts["columns"][0]["type"] == type_
    assert str(looked.parquet.schema.types[0]) == arrow
    assert looked.cells() == [[cell] for cell in cells]


def test_empty_tables() -> None:
    """Tables without rows, and without columns, are tables."""
    assert look(["a"], []).facts["rows"] == 0
    assert look(["a"], []).vega == []
    assert look([], []).facts == {"columns": [], "rows": 0, "media": {}}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_json"),
        (b'{"columns": ["a"], "data": [[1]]', "not_json"),
        (b'{"columns": ["a"], "data": [[1' + b"0" * 5000 + b"]]}", "not_json"),
        (b"[1]", "not_a_table"),
        (b"null", "not_a_table"),
        (b'{"data": []}', "not_a_table"),
        (b'{"columns": ["a"]}', "not_a_table"),
        (b'{"columns": "a", "data": []}', "not_a_table"),
        (b'{"columns": [true], "data": []}', "not_a_table"),
        (b'{"columns": [1.5], "data": []}', "not_a_table"),
        (b'{"columns": ["a"], "data": [1]}', "not_a_table"),
        (b'{"columns": ["a"], "data": {"0": [1]}}', "not_a_table"),
        (b'{"columns": ["a"], "data": [[1], [1, 2]]}', "ragged_rows"),
        (b'{"columns": ["a", "a"], "data": []}', "duplicate_columns"),
        (b'{"columns": [1, "1"], "data": []}', "duplicate_columns"),
        (b'{"columns": ["' + b"a" * 1001 + b'"], "data": []}', "name_too_long"),
        (json.dumps({"columns": list(range(1_000_000)), "data": []}).encode(), "too_many_columns"),
        (b'{"columns": ["\xff"], "data": []}', "not_unicode"),
        (b'{"columns": ["\\ud800"], "data": []}', "not_unicode"),
        (b'{"columns": ["a"], "data": [["\\ud800"]]}', "not_unicode"),
        (b'{"columns": ["a"], "data": [[["\\ud800"]]]}', "not_unicode"),
        (b'{"columns": ["a"], "data": [[{"_type": "\\ud800"}]]}', "not_unicode"),
        (b'{"columns": ["a"], "data": [[' + b"[" * 65 + b"]" * 65 + b"]]}", "too_deep"),
        (b'{"columns": ["a"], "data": [[' + b"[" * 900 + b"]" * 900 + b"]]}", "too_deep"),
        (b'{"columns": ["a"], "data": [[' + b"[" * 100_000 + b"]" * 100_000 + b"]]}", "too_deep"),
        (b"[" * 1_000_000, "too_deep"),
    ],
)
def test_hostile_or_broken_bytes_are_refused(content: bytes, code: str) -> None:
    """What is no table says why, whatever it is."""
    assert refusal(content) == code


def test_a_cell_as_deep_as_the_sdk_logs_is_shown() -> None:
    """64 levels are allowed."""
    cell: Any = 1
    for _ in range(64):
        cell = [cell]

    assert look(["a"], [[cell]]).cells() == [[cell]]


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the bound is not even read."""
    monkeypatch.setattr(table_json, "MAX_BYTES", 10)

    assert refusal(b'{"columns": [], "data": []}') == "table_too_large"


def test_memory_that_does_not_suffice_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that does not fit into the bounded process's memory is refused as too large."""

    def exhausted(_content: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(table_json, "decoded", exhausted)

    assert refusal(b"{}") == "table_too_large"


def test_rows_for_vega_are_thinned_evenly() -> None:
    """Of more rows than Vega gets, row i is kept when floor(i * shown / n) differs from that of row i - 1."""
    count, shown = 25_003, table_renditions.VEGA_ROWS
    expected = [0] + [i for i in range(1, count) if i * shown // count != (i - 1) * shown // count]

    looked = look(["i"], [[number] for number in range(count)])

    assert [row["i"] for row in looked.vega] == expected
    assert len(expected) == shown
    assert looked.groups == 3


def test_rows_for_vega_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long names of columns, which each row repeats, leave room for fewer rows."""
    monkeypatch.setattr(table_renditions, "VEGA_NAME_BYTES", 5_010)

    looked = look(["n" * 500], [[number] for number in range(100)])

    assert [row["n" * 500] for row in looked.vega] == list(range(0, 100, 10))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
CELLS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
) | st.just(IMAGE)
COLUMN = st.sampled_from([st.integers(), st.floats(), st.text(), st.booleans(), st.just(IMAGE), CELLS])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str | int], list[list[Any]]]:
    """Names and rows; most columns are of one kind with gaps, as those of users are."""
    names = draw(st.lists(st.text(max_size=8) | st.integers(), max_size=5, unique_by=str))
    kinds = [draw(COLUMN) for _ in names]
    row = st.tuples(*(kind | st.none() for kind in kinds)).map(list)
    return names, draw(st.lists(row, max_size=8)) if names else []


@settings(max_examples=150, deadline=None)
@given(tables())
def test_values_come_back_as_they_were_written(table: tuple[list[str | int], list[list[Any]]]) -> None:
    """Whatever JSON a table holds, from either client, its Parquet holds the same, doubles to the bit."""
    names, rows = table
    ours = Table(columns=names, data=rows)

    plain = look(names, rows)
    logged = Looked(json_bytes({"columns": ours.columns, "data": ours.data}))

    assert [fact["name"] for fact in plain.facts["columns"]] == names
    doubles = [str(kind) == "double" for kind in plain.parquet.schema.types]
    expected = [
        [
            float(cell) if double and cell is not None else cell
            for cell, double in zip(row, doubles, strict=True)
        ]
        for row in rows
    ]
    assert bits(plain.cells()) == bits(expected)
    assert bits(logged.cells()) == bits(expected)
    assert logged.facts == plain.facts
    assert len(plain.vega) == len(rows)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_the_same_bytes_give_the_same_answer(table: tuple[list[str | int], list[list[Any]]]) -> None:
    """Facts and renditions depend on the bytes alone."""
    once, again = look(*table), look(*table)

    assert (once.facts, once.columns, once.vega_text) == (again.facts, again.columns, again.vega_text)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet='{}[]",:0123456789.eE-NaIfinty\\ud8columnsdata ').map(str.encode)
)
def test_any_bytes_are_looked_at_or_refused(content: bytes) -> None:
    """No bytes end in anything but facts or a reason."""
    with contextlib.suppress(Refused):
        Looked(content)
