"""Calls that read a logged table: what it is, pages of rows, and the whole as Arrow."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from runhue._errors import ServerRefused
from runhue._public_api.exchange import Call, Sleep, decode, exchange, fetch, get
from runhue._public_api.run_calls import RunPath
from runhue._values import NON_FINITE

ColumnType = Literal["number", "bool", "string", "media", "other"]

READY_SECONDS = 60.0
MAX_PAGE = 1000
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0

Condition = Mapping[str, Any]
"""`{"column": ..., "op": ..., "value": ...}`, `{"any": [...]}`, `{"all": [...]}` or `{"not": ...}`."""


class TableColumn(msgspec.Struct, frozen=True):
    """A column over all rows. `min` and `max` are of finite numbers, None elsewhere; `other` is mixed."""

    name: str | int
    type: ColumnType
    integer: bool = False
    min: int | float | None = None
    max: int | float | None = None
    nulls: int = 0
    nans: int = 0
    distinct: int | None = None
    media: tuple[str, ...] = ()


class TableRecord(msgspec.Struct, frozen=True):
    """A table as the server has it. `value` is what was logged; `step` is None for one of the summary."""

    key: str
    step: int | None
    state: Literal["ready", "waiting", "awaited", "expired", "refused"]
    code: str | None
    reason: str | None
    value: dict[str, Any]
    rows: int | None
    increments: int
    columns: tuple[TableColumn, ...]


class TableRow(msgspec.Struct, frozen=True):
    """A row's number in the table, and its cells."""

    row: int
    cells: list[Any]


class TablePage(msgspec.Struct, frozen=True):
    """Some rows in the asked order; `total` pass the filter."""

    columns: tuple[str | int, ...]
    total: int
    rows: list[TableRow]
    next: int | None


class TableKey(msgspec.Struct, frozen=True):
    """A key under which a run logged tables: at how many steps, and whether the summary has one.

    `steps` are the last 1,000 of them.
    """

    key: str
    type: str
    count: int
    first_step: int | None
    last_step: int | None
    steps: tuple[int, ...]
    in_summary: bool


class TableKeyList(msgspec.Struct, frozen=True):
    tables: list[TableKey]


class TableAt(msgspec.Struct, frozen=True):
    """Which table: its key, the step it was logged at, and its index where a list was."""

    key: str
    step: int | None = None
    index: int = 0


class TableQuery(msgspec.Struct, frozen=True):
    """Which rows of a table, in which order."""

    columns: Sequence[str | int] | None = None
    filter: Condition | Sequence[Condition] | None = None
    sort: Sequence[str] = ()
    limit: int | None = None
    page_size: int = 1000


def table_keys_call(path: RunPath) -> Call[list[TableKey]]:
    """The keys under which a run logged tables."""
    return (yield from fetch(TableKeyList, get(f"{path.url}/tables"))).tables


def table_call(path: RunPath, at: TableAt) -> Call[TableRecord]:
    """The table, when the server has looked at it, which takes a moment after it was logged.

    Raises:
        ServerRefused: there is none; its bytes have not come or are gone; or they are no table, with the
            server's `code` and reason.
    """
    waited, pause = 0.0, FIRST_PAUSE
    while True:
        request = get(f"{path.url}/tables/describe", key=at.key, step=at.step, index=at.index)
        response = yield from exchange(request)
        found = decode(response.body, TableRecord, strict=True)
        if found.state == "ready":
            return found
        if found.state != "waiting" or waited >= READY_SECONDS:
            raise _unreadable(found)
        yield Sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)


def _unreadable(table: TableRecord) -> ServerRefused:
    reasons = {
        "waiting": f"the server did not look at it within {READY_SECONDS:.0f} s",
        "awaited": "its bytes have not come to the server yet",
        "expired": "its bytes are gone: the project keeps media for some days only",
    }
    reason = reasons.get(table.state, table.reason)
    return ServerRefused(
        f"table {table.key!r}: {reason}", code=table.code or f"table_{table.state}", field="key"
    )


def table_page_call(path: RunPath, at: TableAt, query: TableQuery, offset: int) -> Call[TablePage]:
    """Rows from place `offset` on, with exact values: NaN is a number, and a text stays a text."""
    left = query.page_size if query.limit is None else min(query.page_size, query.limit - offset)
    request = get(f"{path.url}/tables/rows", **_asked(at, query), offset=offset, limit=left, other="text")
    response = yield from exchange(request)
    return decode(response.body, TablePage, strict=True)


def table_arrow_call(path: RunPath, at: TableAt, query: TableQuery) -> Call[bytes]:
    """All rows of the query as an Arrow stream."""
    response = yield from exchange(get(f"{path.url}/tables/rows", **_asked(at, query), format="arrow"))
    return response.body


def _asked(at: TableAt, query: TableQuery) -> dict[str, str | int | None]:
    columns = None if query.columns is None else json.dumps([str(name) for name in query.columns])
    return {
        "key": at.key,
        "step": at.step,
        "index": at.index,
        "columns": columns,
        "filter": None if query.filter is None else json.dumps(query.filter),
        "sort": json.dumps(list(query.sort)) if query.sort else None,
    }


def exact_rows(table: TableRecord, page: TablePage) -> list[dict[str | int, Any]]:
    """The rows of a page, by column, with the values that were logged."""
    types = {column.name: column.type for column in table.columns}
    kinds = [types.get(name, "other") for name in page.columns]
    return [
        {name: _exact(cell, kind) for name, kind, cell in zip(page.columns, kinds, row.cells, strict=True)}
        for row in page.rows
    ]


def _exact(cell: Any, kind: str) -> Any:  # any JSON
    if cell is None:
        return None
    if kind == "number":
        return NON_FINITE[cell] if isinstance(cell, str) else cell
    return json.loads(cell) if kind == "other" else cell
