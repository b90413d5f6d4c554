"""Tables of stored runs: their columns, rows that the server filters and sorts, and DataFrames of them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runhue._errors import UsageError
from runhue._media.libraries import library
from runhue._public_api.blocking import BlockingTransport
from runhue._public_api.nonblocking import AsyncTransport
from runhue._public_api.run_calls import RunPath
from runhue._public_api.tables_calls import (
    MAX_PAGE,
    Condition,
    TableAt,
    TableColumn,
    TableQuery,
    TableRecord,
    exact_rows,
    table_arrow_call,
    table_page_call,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TableRow = dict[str | int, Any]
"""Values by column, as they were logged; media have a `url`."""


class TableView:
    """What is known of a table without reading rows; common to both APIs."""

    def __init__(self, path: RunPath, at: TableAt, record: TableRecord) -> None:
        self._path = path
        self._at = at
        self._record = record

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r} {len(self)} rows x {len(self.columns)} columns>"

    def __len__(self) -> int:
        return self._record.rows or 0

    @property
    def key(self) -> str:
        return self._record.key

    @property
    def step(self) -> int | None:
        """The step it was logged at; None for one that was put into the summary."""
        return self._record.step

    @property
    def columns(self) -> list[str | int]:
        """Names of the columns."""
        return [column.name for column in self._record.columns]

    @property
    def described_columns(self) -> tuple[TableColumn, ...]:
        """The columns with types, ranges and counts."""
        return self._record.columns


class RunTable(TableView):
    """A table that a run logged. Methods raise a `RunhueError` when the server refuses or is away."""

    def __init__(self, transport: BlockingTransport, path: RunPath, at: TableAt, record: TableRecord) -> None:
        super().__init__(path, at, record)
        self._transport = transport

    def rows(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
        limit: int | None = None,
        page_size: int = 1000,
    ) -> Iterator[TableRow]:
        """Rows by column, read in pages as they are asked for, with the very values that were logged.

        Args:
            columns: names of columns; all when None.
            filter: conditions that all must hold, as `{"column": "score", "op": ">=", "value": 0.5}`;
                docs/api.md, "Tables", has the operators.
            sort: names of columns; `-name` is descending. Null and NaN come last.
            limit: at most so many rows.
            page_size: rows per request, 1 to 1,000.
        Raises:
            UsageError: a `limit` or `page_size` beyond these.
            ServerRefused: there is no such column, or it cannot be asked so; says what can.
        """
        query, offset = _query(columns, filter, sort, limit, page_size), 0
        while limit is None or offset < limit:
            page = self._transport.run(table_page_call(self._path, self._at, query, offset))
            yield from exact_rows(self._record, page)
            if page.next is None:
                return
            offset = page.next

    def to_arrow(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
    ) -> "pa.Table":
        """The table as a `pyarrow.Table`; media and mixed cells are JSON text in it.

        Raises:
            LibraryMissing: pyarrow is not installed.
        """
        pyarrow = library("pyarrow", "Table.to_arrow", "pyarrow")
        query = _query(columns, filter, sort)
        return arrow_table(pyarrow, self._transport.run(table_arrow_call(self._path, self._at, query)))

    def to_pandas(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
    ) -> "pd.DataFrame":
        """The table as a DataFrame, with the columns' own names; media are dicts.

        Raises:
            LibraryMissing: pandas is not installed.
        """
        pandas = library("pandas", "Table.to_pandas", "pandas")
        rows = list(self.rows(columns, filter, sort))
        return pandas.DataFrame(rows, columns=self.columns if columns is None else _named(self, columns))


class AsyncRunTable(TableView):
    """As `RunTable`, with `await` and `async for`."""

    def __init__(self, transport: AsyncTransport, path: RunPath, at: TableAt, record: TableRecord) -> None:
        super().__init__(path, at, record)
        self._transport = transport

    async def rows(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
        limit: int | None = None,
        page_size: int = 1000,
    ) -> AsyncIterator[TableRow]:
        """As `RunTable.rows`."""
        query, offset = _query(columns, filter, sort, limit, page_size), 0
        while limit is None or offset < limit:
            page = await self._transport.run(table_page_call(self._path, self._at, query, offset))
            for row in exact_rows(self._record, page):
                yield row
            if page.next is None:
                return
            offset = page.next

    async def to_arrow(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
    ) -> "pa.Table":
        """As `RunTable.to_arrow`."""
        pyarrow = library("pyarrow", "Table.to_arrow", "pyarrow")
        query = _query(columns, filter, sort)
        content = await self._transport.run(table_arrow_call(self._path, self._at, query))
        return arrow_table(pyarrow, content)

    async def to_pandas(
        self,
        columns: Sequence[str | int] | None = None,
        filter: Condition | Sequence[Condition] | None = None,  # noqa: A002
        sort: str | Sequence[str] = (),
    ) -> "pd.DataFrame":
        """As `RunTable.to_pandas`."""
        pandas = library("pandas", "Table.to_pandas", "pandas")
        rows = [row async for row in self.rows(columns, filter, sort)]
        return pandas.DataFrame(rows, columns=self.columns if columns is None else _named(self, columns))


def _query(
    columns: Sequence[str | int] | None,
    conditions: Condition | Sequence[Condition] | None,
    sort: str | Sequence[str],
    limit: int | None = None,
    page_size: int = 1000,
) -> TableQuery:
    if limit is not None and limit < 0:
        raise UsageError(f"limit must be 0 or more rows, or None for all, got {limit}")
    if not 1 <= page_size <= MAX_PAGE:
        raise UsageError(f"page_size must be 1 to {MAX_PAGE:,} rows, got {page_size}")
    return TableQuery(columns, conditions, [sort] if isinstance(sort, str) else sort, limit, page_size)


def _named(table: TableView, columns: Sequence[str | int]) -> list[str | int]:
    """The columns as the table calls them: a number and its text name the same one."""
    names = {str(name): name for name in table.columns}
    return [names.get(str(name), name) for name in columns]


def arrow_table(pyarrow: Any, content: bytes) -> "pa.Table":  # a module has no static type
    """The table in an Arrow stream."""
    return pyarrow.ipc.open_stream(content).read_all()
