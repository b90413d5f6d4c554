"""Tables of runs: listed, described, paged, filtered, sorted and exported."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runhue_server.api import table_cells
from runhue_server.api.models_tables import Table, TablePage, Tables
from runhue_shared import db
from runhue_shared.db.inspections import Made
from tests.integration.api.stored import Stored, Team, bearer
from tests.integration.api.stored_tables import add_file, inspect, keep, table_bytes, value_of

IMAGE = {
    "_type": "image-file",
    "path": "media/images/a.png",
    "masks": {"m": {"path": "media/images/mask/m.png"}},
}
COLUMNS = ["id", "score", "name", "ok", "image", "mixed", 7]
DATA = [
    [0, 0.5, "b", True, IMAGE, [1, math.nan], None],
    [1, math.nan, "a", False, None, "x", 2**60],
    [2, -1.0, "ä", None, IMAGE, None, 3],
    [3, None, "b", True, None, {"k": 1}, -4],
]
PATH = "media/table/t.table.json"


@pytest.fixture
def stored(project: Stored) -> Callable[..., str]:
    """`stored(columns, data)`: the address of the tables of a run that has such a one, looked at."""

    def put(columns: Sequence[Any] = COLUMNS, data: Sequence[Any] = DATA, run: str = "r1") -> str:
        content = table_bytes(columns, data)
        run_id = project.log(run, [{"t": value_of(PATH, content)}])
        inspect(project.team.id, add_file(project.team.id, run_id, PATH, content).sha256)
        return f"{project.url}/runs/{run}/tables"

    return put


def page(api: httpx.Client, url: str, **asked: Any) -> TablePage:
    found = api.get(f"{url}/rows", params={"key": "t", **asked})
    assert found.status_code == 200, found.text
    return TablePage.model_validate(found.json())


def refused(api: httpx.Client, url: str, **asked: Any) -> dict[str, Any]:
    """The problem that a request ends in."""
    found = api.get(url, params={"key": "t", **asked})
    assert found.headers["content-type"] == "application/problem+json", found.text
    problem: dict[str, Any] = found.json()
    assert problem["detail"]
    assert problem["status"] == found.status_code
    return problem


def test_tables_are_listed_by_key(api: httpx.Client, project: Stored) -> None:
    """Keys of history and summary are there, with their counts and steps; what is no table is not."""
    value = value_of(PATH, b"{}")
    rows: list[dict[str, Any]] = [
        {"t": value, "loss": 1.0},
        {"t": value, "several": [value, value]},
        {"image": {"_type": "image-file", "path": "a"}, "numbers": [1, 2]},
        {"inc": {**value, "_type": "incremental-table-file"}, "_step": 9},
    ]
    project.log("r1", rows)
    project.add_run("r2", summary=json.dumps({"best": value, "note": "x"}))

    tables = Tables.model_validate(api.get(f"{project.url}/runs/r1/tables").json()).tables
    in_summary = Tables.model_validate(api.get(f"{project.url}/runs/r2/tables").json()).tables

    assert [(one.key, one.type, one.count, one.first_step, one.last_step, one.steps) for one in tables] == [
        ("inc", "incremental-table-file", 1, 9, 9, [9]),
        ("several", "table-file", 1, 1, 1, [1]),
        ("t", "table-file", 2, 0, 1, [0, 1]),
    ]
    assert [(one.key, one.count, one.steps, one.in_summary) for one in in_summary] == [("best", 0, [], True)]


def test_a_table_is_described(api: httpx.Client, stored: Callable[..., str]) -> None:
    """Columns have type, range and counts; the logged value is there too."""
    found = Table.model_validate(api.get(f"{stored()}/describe", params={"key": "T"}).json())

    assert (found.state, found.rows, found.step, found.increments, found.key) == ("ready", 4, 0, 1, "t")
    assert found.value["path"] == PATH
    columns = [
        (one.name, one.type, one.integer, one.min, one.max, one.nulls, one.nans, one.distinct, one.media)
        for one in found.columns
    ]
    assert columns == [
        ("id", "number", True, 0, 3, 0, 0, 4, []),
        ("score", "number", False, -1.0, 0.5, 1, 1, 3, []),
        ("name", "string", False, None, None, 0, 0, 3, []),
        ("ok", "bool", False, None, None, 1, 0, 2, []),
        ("image", "media", False, None, None, 2, 0, None, ["image-file"]),
        ("mixed", "other", False, None, None, 1, 0, 3, []),
        (7, "number", True, -4, 2**60, 1, 0, 3, []),
    ]


def test_rows_come_as_they_were_logged(api: httpx.Client, stored: Callable[..., str]) -> None:
    """Every row has its number; NaN is a text, large integers keep their digits, null is null."""
    url = stored()

    found = page(api, url, columns="id,score,name,ok,mixed,7")
    exact = page(api, url, columns="mixed", other="text")

    assert found.columns == ["id", "score", "name", "ok", "mixed", 7]
    assert [row.cells for row in found.rows] == [
        [0, 0.5, "b", True, [1, "NaN"], None],
        [1, "NaN", "a", False, "x", 2**60],
        [2, -1.0, "ä", None, None, 3],
        [3, None, "b", True, {"k": 1}, -4],
    ]
    assert (found.total, found.offset, found.next) == (4, 0, None)
    assert [row.cells[0] for row in exact.rows] == ["[1,NaN]", '"x"', None, '{"k":1}']


def test_media_have_addresses(api: httpx.Client, project: Stored, stored: Callable[..., str]) -> None:
    """Media in cells name where their bytes, those of their masks, and thumbnails are read without a key."""
    url = stored()
    team = project.team.id
    with db.transaction() as tx:
        (run_id,) = tx.execute("SELECT id FROM run WHERE public_id = 'r1'").fetchall()[0]
    image = add_file(team, run_id, "media/images/a.png", b"picture", "image/png")
    add_file(team, run_id, "media/images/mask/m.png", b"mask", "image/png")
    small = keep(team, b"small")
    with db.transaction() as tx:
        tx.execute(
            "INSERT INTO inspection (team_id, sha256, kind, format, state, facts)"
            " VALUES (%s, %s, 'image', 'png', 'ready', '{}')",
            (team, image.sha256),
        )
        made = Made("thumbnail", small.sha256, small.size, "image/webp")
        tx.execute(
            "INSERT INTO rendition (team_id, sha256, kind, name, made, size, mimetype)"
            " VALUES (%s, %s, 'image', %s, %s, %s, %s)",
            (team, image.sha256, *made),
        )

    cell = page(api, url, columns="image", limit=1).rows[0].cells[0]

    assert cell["_type"] == "image-file"
    assert cell["url"] != cell["masks"]["m"]["url"]
    assert "thumbnail" in cell
    assert "thumbnail" not in cell["masks"]["m"]


def test_pages_in_cells_may_load_what_their_project_allows(
    api: httpx.Client, project: Stored, stored: Callable[..., str]
) -> None:
    """Logged HTML in a cell is served as the project's settings say, as it is outside of tables."""
    page_in_cell = {"_type": "html-file", "path": "media/html/p.html", "url": "https://evil.example"}
    url = stored(["html"], [[page_in_cell]])
    with db.transaction() as tx:
        (run_id,) = tx.execute("SELECT id FROM run WHERE public_id = 'r1'").fetchall()[0]
    add_file(project.team.id, run_id, "media/html/p.html", b"<p>", "text/html")

    policies = []
    for allowed in (False, True):
        assert api.patch(f"{project.url}/settings", json={"html_network": allowed}).status_code == 200
        served = api.get(page(api, url).rows[0].cells[0]["url"])
        assert served.content == b"<p>"
        policies.append(served.headers["content-security-policy"])

    assert ["https:" in policy for policy in policies] == [False, True]


def test_addresses_are_ours(api: httpx.Client, stored: Callable[..., str]) -> None:
    """An address that a client put into a medium is not passed on as where its bytes are."""
    odd = {
        "_type": "html-file",
        "path": "media/html/none.html",
        "url": "https://evil.example",
        "thumbnail": "x",
    }
    url = stored(["html"], [[odd]])

    assert page(api, url).rows[0].cells == [{"_type": "html-file", "path": "media/html/none.html"}]


def test_many_increments_open_few_files(api: httpx.Client, project: Stored) -> None:
    """A table in many increments is read with the files that a process may open."""
    count = 300
    paths = [f"media/table/t_{number}.table.json" for number in range(count)]
    contents = [table_bytes(["n"], [[number]]) for number in range(count)]
    value = value_of(paths[-1], contents[-1], previous_increments_paths=paths[:-1])
    run_id = project.log("r1", [{"t": value | {"_type": "incremental-table-file"}}])
    for path, content in zip(paths, contents, strict=True):
        inspect(project.team.id, add_file(project.team.id, run_id, path, content).sha256)
    before = _open_files()

    found = page(api, f"{project.url}/runs/r1/tables", sort="-n", limit=2)

    assert [row.cells for row in found.rows] == [[count - 1], [count - 2]]
    assert _open_files() - before < 50


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_paging_goes_on_where_a_page_ends(api: httpx.Client, stored: Callable[..., str]) -> None:
    """Pages follow each other without gap, across groups of rows; behind the last row there is none."""
    url = stored(["n"], [[number] for number in range(25_000)])

    deep = page(api, url, offset=9_998, limit=4)
    last = page(api, url, offset=24_999, limit=1_000)
    behind = page(api, url, offset=25_000)

    assert [(row.row, row.cells) for row in deep.rows] == [(n, [n]) for n in range(9_998, 10_002)]
    assert (deep.total, deep.next) == (25_000, 10_002)
    assert ([row.row for row in last.rows], last.next) == ([24_999], None)
    assert (behind.rows, behind.next) == ([], None)


def test_large_cells_make_pages_short(
    api: httpx.Client, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends before it is too large, but has a row; the next one goes on behind it."""
    monkeypatch.setattr(table_cells, "MAX_BYTES", 100)
    url = stored(["text"], [["a" * 60], ["b" * 30], ["c" * 30], ["d" * 500], ["e"]])

    pages = [page(api, url, offset=offset) for offset in (0, 2, 3, 4)]

    assert [len(one.rows) for one in pages] == [2, 1, 1, 1]
    assert [one.next for one in pages] == [2, 3, 4, None]


def test_sorting(api: httpx.Client, stored: Callable[..., str]) -> None:
    """Columns sort one after the other, stable, texts by code point; NaN and null come last both ways."""
    url = stored()

    def order(sort: str) -> list[int]:
        return [row.row for row in page(api, url, sort=sort).rows]

    assert order("score") == [2, 0, 1, 3]
    assert order("-score") == [0, 2, 1, 3]
    assert order("name") == [1, 0, 3, 2]
    assert order("-name") == [2, 0, 3, 1]
    assert order("name,-id") == [1, 3, 0, 2]
    assert order("-ok,7") == [3, 0, 1, 2]
    assert order('["-7"]') == [1, 2, 3, 0]


def test_a_column_may_begin_with_minus(api: httpx.Client, stored: Callable[..., str]) -> None:
    """A column of that very name is meant before the other direction is."""
    url = stored(["a", "-a"], [[1, 3], [2, 4], [3, 1]])

    assert [row.row for row in page(api, url, sort="-a").rows] == [2, 0, 1]
    assert [row.row for row in page(api, url, sort="--a").rows] == [1, 0, 2]


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ([], [0, 1, 2, 3]),
        ([{"column": "id", "op": ">", "value": 0.5}, {"column": "id", "op": "<=", "value": 2}], [1, 2]),
        ([{"column": "score", "op": "=", "value": "NaN"}], [1]),
        ([{"column": "score", "op": "!=", "value": 0.5}], [1, 2, 3]),
        ([{"column": "score", "op": "<", "value": "Infinity"}], [0, 2]),
        ([{"column": "score", "op": "is_null"}], [3]),
        ([{"column": "score", "op": "is_null", "value": False}], [0, 1, 2]),
        ([{"column": 7, "op": "=", "value": 2**60}], [1]),
        ([{"column": 7, "op": "<", "value": 2**60 + 1}], [1, 2, 3]),
        ([{"column": 7, "op": ">=", "value": -(2**70)}], [1, 2, 3]),
        ([{"column": "name", "op": ">=", "value": "b"}], [0, 2, 3]),
        ([{"column": "name", "op": "in", "value": ["a", "ä"]}], [1, 2]),
        ([{"column": "name", "op": "contains", "value": "B", "ignore_case": True}], [0, 3]),
        ([{"column": "name", "op": "matches", "value": "^[^b]$"}], [1, 2]),
        ([{"column": "ok", "op": "=", "value": True}], [0, 3]),
        ([{"column": "ok", "op": "!=", "value": True}], [1, 2]),
        ([{"column": "ok", "op": "in", "value": [None, False]}], [1, 2]),
        ([{"column": "image", "op": "contains", "value": "a.png"}], [0, 2]),
        ([{"column": "mixed", "op": "contains", "value": '"k"'}], [3]),
        (
            [{"any": [{"column": "id", "op": "=", "value": 0}, {"column": "name", "op": "=", "value": "a"}]}],
            [0, 1],
        ),
        ([{"not": {"any": [{"column": "id", "op": "in", "value": [0, 1]}]}}], [2, 3]),
        ({"all": []}, [0, 1, 2, 3]),
        ({"any": []}, []),
    ],
)
def test_filtering(api: httpx.Client, stored: Callable[..., str], asked: Any, rows: list[int]) -> None:
    """A filter gives the rows that meet all its conditions, and how many they are."""
    found = page(api, stored(), filter=json.dumps(asked), limit=1)

    assert found.total == len(rows)
    assert [row.row for row in page(api, stored(run="again"), filter=json.dumps(asked)).rows] == rows


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"filter": "{"}, "invalid_filter", "filter"),
        ({"filter": "[1]"}, "invalid_filter", "filter"),
        ({"filter": "3"}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id"}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": "~", "value": 1}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": [], "value": 1}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": "=", "value": "1"}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": "=", "value": true}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": "contains", "value": "1"}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "id", "op": "in", "value": 1}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "name", "op": "matches", "value": "("}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "name", "op": "=", "value": "\\ud800"}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "image", "op": "=", "value": "x"}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "name", "op": "is_null", "value": 3}]'}, "invalid_filter", "filter"),
        ({"filter": '[{"column": "no", "op": "is_null"}]'}, "column_not_found", "filter"),
        (
            {"filter": '{"not":' * 9 + '{"column": "id", "op": "is_null"}' + "}" * 9},
            "invalid_filter",
            "filter",
        ),
        ({"filter": "[" * 5_000}, "invalid_filter", "filter"),
        ({"sort": "no"}, "column_not_found", "sort"),
        ({"sort": "image"}, "invalid_request", "sort"),
        ({"columns": "id,no"}, "column_not_found", "columns"),
        ({"limit": 1_001}, "invalid_request", "limit"),
        ({"offset": -1}, "invalid_request", "offset"),
        ({"format": "xml"}, "invalid_request", "format"),
        ({"colums": "id"}, "unknown_parameter", "colums"),
    ],
)
def test_what_makes_no_sense_is_refused(
    api: httpx.Client, stored: Callable[..., str], asked: dict[str, Any], code: str, field: str
) -> None:
    """A request that cannot be meant names what is wrong with which parameter, and what to do."""
    problem = refused(api, f"{stored()}/rows", **asked)

    assert (problem["status"], problem["code"], problem["field"]) == (422, code, field)
    assert problem["fix"]


def test_a_hostile_pattern_takes_no_time(api: httpx.Client, stored: Callable[..., str]) -> None:
    """Regular expressions that never end elsewhere end here."""
    url = stored(["text"], [["a" * 50_000 + "b"]] * 20)

    asked = [{"column": "text", "op": "matches", "value": "^(a+)+$"}]

    assert page(api, url, filter=json.dumps(asked)).total == 0


def test_exports_have_all_rows(api: httpx.Client, stored: Callable[..., str]) -> None:
    """CSV, Arrow and Parquet hold all rows that pass the filter, in order, in columns of their own types."""
    url = stored()
    asked: dict[str, Any] = {"key": "t", "columns": "id,score,ok,mixed,7", "sort": "-id", "limit": 1}

    text = api.get(f"{url}/rows", params={**asked, "format": "csv"})
    arrow = pa.ipc.open_stream(api.get(f"{url}/rows", params={**asked, "format": "arrow"}).content).read_all()
    parquet = pq.read_table(io.BytesIO(api.get(f"{url}/rows", params={**asked, "format": "parquet"}).content))

    assert text.headers["content-type"].startswith("text/csv")
    assert "t.csv" in text.headers["content-disposition"]
    assert list(csv.reader(io.StringIO(text.text))) == [
        ["id", "score", "ok", "mixed", "7"],
        ["3", "", "true", '{"k":1}', "-4"],
        ["2", "-1.0", "", "", "3"],
        ["1", "NaN", "false", '"x"', str(2**60)],
        ["0", "0.5", "true", "[1,NaN]", ""],
    ]
    assert arrow.schema.names == ["id", "score", "ok", "mixed", "7"]
    assert [str(kind) for kind in arrow.schema.types] == ["int64", "double", "bool", "string", "int64"]
    assert arrow.field("mixed").metadata == {b"encoding": b"json"}
    assert arrow.column("7").to_pylist() == [-4, 3, 2**60, None]
    assert str(parquet.to_pylist()) == str(arrow.to_pylist())
    assert parquet.schema.types == arrow.schema.types


def test_large_exports_stream(api: httpx.Client, stored: Callable[..., str]) -> None:
    """More rows than fit into a batch come whole, filtered, sorted and from an offset."""
    url = stored(["n", "half"], [[number, number / 2] for number in range(30_000)])
    asked = [{"column": "n", "op": ">=", "value": 5_000}]
    params: dict[str, Any] = {
        "key": "t",
        "format": "arrow",
        "filter": json.dumps(asked),
        "sort": "-half",
        "offset": 10,
    }

    found = pa.ipc.open_stream(api.get(f"{url}/rows", params=params).content).read_all()

    assert found.column("n").to_pylist() == list(range(29_989, 4_999, -1))


def test_increments_are_one_table(api: httpx.Client, project: Stored) -> None:
    """An incremental table has the rows of all increments up to the asked step, in columns that hold all."""
    parts = [
        table_bytes(["n", "mixed", "late"], [[1, "a", None]]),
        table_bytes(["n", "mixed", "late"], []),
        table_bytes(["n", "mixed", "late"], [[2.5, 1, IMAGE], [None, None, None]]),
    ]
    paths = [f"media/table/t_{number}.table.json" for number in range(3)]
    rows = [
        {
            "t": value_of(path, part, increment_num=number, previous_increments_paths=paths[:number])
            | {"_type": "incremental-table-file"}
        }
        for number, (path, part) in enumerate(zip(paths, parts, strict=True))
    ]
    run_id = project.log("r1", rows)
    for path, part in zip(paths, parts, strict=True):
        inspect(project.team.id, add_file(project.team.id, run_id, path, part).sha256)
    url = f"{project.url}/runs/r1/tables"

    whole = page(api, url)
    first = page(api, url, step=0)
    described = Table.model_validate(api.get(f"{url}/describe", params={"key": "t"}).json())

    assert [(row.row, row.cells) for row in whole.rows] == [
        (0, [1.0, "a", None]),
        (1, [2.5, 1, IMAGE]),
        (2, [None, None, None]),
    ]
    assert [row.cells for row in first.rows] == [[1, "a", None]]
    assert [(one.type, one.integer, one.nulls) for one in described.columns] == [
        ("number", False, 1), ("other", False, 1), ("media", False, 2),
    ]  # fmt: skip
    assert (described.rows, described.increments) == (3, 3)
    assert [row.row for row in page(api, url, sort="-n").rows] == [1, 0, 2]


def test_a_table_nobody_looked_at_is_asked_for(api: httpx.Client, project: Stored) -> None:
    """Such a table has the media worker look at it; meanwhile its rows are for later."""
    content = table_bytes(["a"], [[1]])
    run_id = project.log("r1", [{"t": value_of(PATH, content)}])
    blob = add_file(project.team.id, run_id, PATH, content)
    url = f"{project.url}/runs/r1/tables"

    problems = [refused(api, f"{url}/rows") for _ in range(2)]

    assert [(one["status"], one["code"]) for one in problems] == [(503, "table_not_ready")] * 2
    assert api.get(f"{url}/rows", params={"key": "t"}).headers["retry-after"] == "1"
    assert api.get(f"{url}/describe", params={"key": "t"}).json()["state"] == "waiting"
    with db.transaction() as tx:
        waiting = tx.execute("SELECT sha256, kind, state FROM inspection").fetchall()
    assert waiting == [(blob.sha256, "table", "waiting")]
    inspect(project.team.id, blob.sha256)
    assert page(api, url).total == 1


def test_what_is_no_table_says_why(api: httpx.Client, project: Stored) -> None:
    """Bytes that cannot be shown answer with the reason of the inspection."""
    content = b'{"columns": ["a"], "data": [[1, 2]]}'
    run_id = project.log("r1", [{"t": value_of(PATH, content)}])
    inspect(project.team.id, add_file(project.team.id, run_id, PATH, content).sha256)
    url = f"{project.url}/runs/r1/tables"

    problem = refused(api, f"{url}/rows")
    described = api.get(f"{url}/describe", params={"key": "t"}).json()

    assert (problem["status"], problem["code"]) == (422, "ragged_rows")
    assert problem["detail"] == described["reason"]
    assert (described["state"], described["code"], described["rows"]) == ("refused", "ragged_rows", None)


def test_bytes_that_are_not_there(api: httpx.Client, project: Stored) -> None:
    """Bytes that did not come yet, and those whose time is over, are told apart."""
    content = table_bytes(["a"], [[1]])
    run_id = project.log("r1", [{"t": value_of(PATH, content)}])
    url = f"{project.url}/runs/r1/tables"

    awaited = refused(api, f"{url}/rows")
    add_file(project.team.id, run_id, PATH, content)
    with db.transaction() as tx:
        tx.execute("UPDATE run_file SET sha256 = NULL, expired_at = now()")
    expired = refused(api, f"{url}/rows")

    assert (awaited["status"], awaited["code"]) == (404, "table_awaited")
    assert (expired["status"], expired["code"]) == (410, "table_expired")
    assert api.get(f"{url}/describe", params={"key": "t"}).json()["state"] == "expired"


def test_lists_and_the_summary_hold_tables(api: httpx.Client, project: Stored) -> None:
    """`index` picks of a list; without a step the summary's table comes first."""
    contents = [table_bytes(["a"], [[number]]) for number in range(3)]
    values = [value_of(f"{number}.table.json", content) for number, content in enumerate(contents)]
    run_id = project.log("r1", [{"t": values[:2]}])
    for value, content in zip(values, contents, strict=True):
        inspect(project.team.id, add_file(project.team.id, run_id, value["path"], content).sha256)
    with db.transaction() as tx:
        tx.execute("UPDATE run SET summary = %s", (json.dumps({"t": values[2]}),))
    url = f"{project.url}/runs/r1/tables"

    assert page(api, url).rows[0].cells == [2]
    assert page(api, url, step=0).rows[0].cells == [0]
    assert page(api, url, step=0, index=1).rows[0].cells == [1]
    assert refused(api, f"{url}/rows", step=0, index=2)["code"] == "table_not_found"


def test_other_teams_and_absent_tables(
    api: httpx.Client, api_url: str, them: httpx.Client, teams: tuple[Team, Team], stored: Callable[..., str]
) -> None:
    """What is not there is not found, for other teams nothing is; a reading key suffices."""
    url = stored()

    assert refused(api, f"{url}/rows", key="no")["code"] == "table_not_found"
    assert refused(api, f"{url}/rows", step=5)["code"] == "table_not_found"
    for path in ("", "/describe?key=t", "/rows?key=t"):
        assert them.get(f"{url}{path}").status_code == 404
    with httpx.Client(base_url=api_url, headers=bearer(teams[0].reader)) as reader:
        assert page(reader, url).total == 4
