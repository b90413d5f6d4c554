"""What answers about tables look like."""

from typing import Any, Literal

from pydantic import Field

from runhue_server.api.models_runs import Answer


class TableKey(Answer):
    """A key under which a run logged tables."""

    key: str = Field(examples=["predictions"])
    type: Literal["table-file", "incremental-table-file"]
    count: int = Field(description="values in history")
    first_step: int | None
    last_step: int | None
    steps: list[int] = Field(description="ascending, the last 1,000")
    in_summary: bool = Field(description="whether the summary holds one, which is what comes without a step")


class Tables(Answer):
    """By key."""

    tables: list[TableKey]


class TableColumn(Answer):
    """A column, over all rows. `min` and `max` are of finite numbers, null elsewhere."""

    name: str | int
    type: Literal["number", "bool", "string", "media", "other"] = Field(
        description="other: cells of several kinds, lists and objects"
    )
    integer: bool = Field(description="a number column of 64-bit integers")
    min: int | float | None
    max: int | float | None
    nulls: int
    nans: int
    distinct: int | None = Field(description="of the values that are not null; null when not counted")
    media: list[str] = Field(description="`_type` of the media in its cells", examples=[["image-file"]])
    operators: list[str] = Field(description="what a filter can ask of it")


class Table(Answer):
    """A logged table. What follows `value` is null or empty until it is ready."""

    key: str
    step: int | None = Field(description="null for one that the summary holds")
    state: Literal["ready", "waiting", "awaited", "expired", "refused"]
    code: str | None = Field(description="why it is refused, in snake_case")
    reason: str | None
    value: dict[str, Any] = Field(description="as it was logged")
    rows: int | None
    increments: int = Field(description="files it is made of; 1 unless it was logged in increments")
    columns: list[TableColumn]


class TableRow(Answer):
    """A row: its number in the table, from 0, and its cells in the order of `columns`."""

    row: int
    cells: list[Any]


class TablePage(Answer):
    """Rows in the asked order. Media cells have `url`, and `thumbnail` where there is one."""

    key: str
    step: int | None
    columns: list[str | int]
    total: int = Field(description="rows that pass the filter")
    offset: int
    rows: list[TableRow]
    next: int | None = Field(description="`offset` of the next page; null on the last")
