"""Rows grouped by their keys are the rows that came, value by value."""

from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runhue_server.gateway.row_groups import RowGroups
from runhue_shared.events import Rows, encode_rows, one_spelling

keys = st.sampled_from(["loss", "Loss", "LOSS", "acc"])
values = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=3), st.none())


@given(st.lists(st.dictionaries(keys, values, min_size=1), min_size=1, max_size=8))
def test_every_row_keeps_its_values(rows: list[dict[str, Any]]) -> None:
    """Whatever spellings of a key rows hold, each value is at its own row's position."""
    groups = RowGroups()
    for at, row in enumerate(rows):
        groups.add(at, at, row)

    assert cells_of(groups.columns()) == cells_of(
        encode_rows([(at, at, one_spelling(row)) for at, row in enumerate(rows)])
    )


def cells_of(found: Rows) -> list[tuple[int, str, str]]:
    """(position, key, value as text) of every value."""
    cells = [
        (position, cell.key, repr(value))
        for cell in found.cells
        for position, value in zip(array("I", cell.rows), cell.values, strict=True)
    ]
    for block in found.numbers:
        numbers = array("d", block.values)
        count = len(numbers) // len(block.keys)
        places = array("I", block.rows) if block.rows is not None else array("I", range(count))
        exact = {(key, at): digits for key, at, digits in block.big}
        for number, key in enumerate(block.keys):
            for at, place in enumerate(places):
                value = exact.get((number, at)) or repr(numbers[number * count + at])
                cells.append((place, key, value))
    return sorted(cells)
