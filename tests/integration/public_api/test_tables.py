"""Tables logged by a script, looked at by the media worker, and read back through `Api()`."""

import asyncio
import math
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest

import runhue
from runhue._errors import ServerRefused, UsageError
from runhue._public_api import Api, AsyncApi
from tests.integration.public_api.running import Lab

pytestmark = pytest.mark.stack

COLUMNS: list[str | int] = ["id", "score", "text", "mixed", 3]
ROWS: list[list[Any]] = [
    [0, 0.1, "NaN", "NaN", True],
    [2**60 + 1, math.nan, "ü\u2028", [1, math.inf, {"deep": [None, "Infinity"]}], None],
    [-5, -0.0, "", 2**80, False],
    [7, None, None, None, None],
]


def log_table(lab: Lab, project: str) -> None:
    image = runhue.Image(np.zeros((300, 300, 3), dtype=np.uint8), caption="black")
    table = runhue.Table(columns=[*COLUMNS, "image"], data=[[*row, image] for row in ROWS])
    lab.log(project, "r1", [{"t": table}])


def test_values_come_back_exactly(lab: Lab, api: Api, project: str) -> None:
    """Rows hold the very values that were logged: large integers, NaN, texts that look like it, nested."""
    log_table(lab, project)

    table = api.run(f"{project}/r1").table("t")

    assert (table.columns, len(table), table.step) == ([*COLUMNS, "image"], 4, 0)
    assert [column.type for column in table.described_columns] == [
        "number", "number", "string", "other", "bool", "media",
    ]  # fmt: skip
    read = [[row[name] for name in COLUMNS] for row in table.rows()]
    assert repr(read) == repr(ROWS)
    cell = next(table.rows(["image"]))["image"]
    assert (cell["caption"], cell["width"]) == ("black", 300)
    content = httpx.get(urljoin(lab.stack.api_url, cell["url"])).content
    assert content.startswith(b"\x89PNG")


def test_rows_are_filtered_and_sorted_in_pages(lab: Lab, api: Api, project: str) -> None:
    """The server filters and sorts; pages are read as they are asked for, up to a limit."""
    table = runhue.Table(columns=["n", "kind"], data=[[number, "ab"[number % 2]] for number in range(2_500)])
    lab.log(project, "r1", [{"t": table}])
    stored = api.run(f"{project}/r1").table("t")
    even = {"column": "kind", "op": "=", "value": "a"}

    rows = list(stored.rows(["n"], filter=even, sort="-n", page_size=300))
    some = list(stored.rows(filter=[even], sort=["kind", "-n"], limit=7, page_size=3))

    (key,) = api.run(f"{project}/r1").tables()
    assert (key.key, key.type, key.count, key.steps, key.in_summary) == ("t", "table-file", 1, (0,), True)
    for wrong in ({"limit": -1}, {"page_size": 0}, {"page_size": 1_001}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            list(stored.rows(**wrong))  # type: ignore[arg-type]  # numbers, for either
    assert rows == [{"n": number} for number in range(2_498, -1, -2)]
    assert [row["n"] for row in some] == [2_498 - 2 * number for number in range(7)]


def test_tables_become_frames(lab: Lab, api: Api, project: str) -> None:
    """pandas and Arrow get the columns by their names."""
    log_table(lab, project)
    table = api.run(f"{project}/r1").table("t")

    frame = table.to_pandas(sort="id")
    part = table.to_pandas(["score", "3"])
    arrow = table.to_arrow(["id", "text"], filter={"column": "id", "op": ">", "value": 0})

    assert list(frame.columns) == [*COLUMNS, "image"]
    assert frame["id"].tolist() == [-5, 0, 7, 2**60 + 1]
    assert list(part.columns) == ["score", 3]
    assert arrow.to_pydict() == {"id": [2**60 + 1, 7], "text": ["ü\u2028", None]}


def test_the_async_api_reads_the_same(lab: Lab, api: Api, project: str) -> None:
    """`AsyncApi` gives the same rows and frames."""
    log_table(lab, project)

    async def read() -> tuple[list[Any], int, int]:
        async with AsyncApi(lab.stack.api_url, lab.stack.api_key) as there:
            run = await there.run(f"{project}/r1")
            table = await run.table((await run.tables())[0].key, step=0)
            rows = [row["id"] async for row in table.rows(sort="-id", limit=3, page_size=2)]
            return rows, len(await table.to_pandas()), (await table.to_arrow()).num_columns

    assert asyncio.run(read()) == ([2**60 + 1, 7, 0], 4, 6)


def test_incremental_tables_come_whole(lab: Lab, api: Api, project: str) -> None:
    """Rows of all increments up to a step are one table."""
    table = runhue.Table(columns=["n", "text"], log_mode="INCREMENTAL")

    def rows() -> Any:
        for number in range(3):
            table.add_data(number + number / 2, f"row {number}")
            yield {"t": table}

    lab.log(project, "r1", rows())
    run = api.run(f"{project}/r1")

    assert list(run.table("t").rows()) == [
        {"n": number * 1.5, "text": f"row {number}"} for number in range(3)
    ]
    assert len(run.table("t", step=1)) == 2


def test_tables_that_are_not_there(lab: Lab, api: Api, project: str) -> None:
    """A key without a table, and a column that it does not have, are errors that say so."""
    log_table(lab, project)
    run = api.run(f"{project}/r1")

    with pytest.raises(ServerRefused, match="no table 'other'") as unknown:
        run.table("other")
    with pytest.raises(ServerRefused, match="no column 'x'") as column:
        list(run.table("t").rows(sort="x"))

    assert (unknown.value.code, column.value.field) == ("table_not_found", "sort")
