"""Tables that runs logged: described, and paged, filtered and sorted on the server."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.api.answers import Streamed, answer, from_thread
from runhue_server.api.documents import Responses, errors
from runhue_server.api.exporting import export_slot
from runhue_server.api.media_addresses import viewer_in
from runhue_server.api.models_tables import Table, TablePage, Tables
from runhue_server.api.parameters import Names, names_in
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, project_of, run_of
from runhue_server.api.table_cells import OtherAs, Page, add_addresses, page_of, plain_cells
from runhue_server.api.table_columns import JSON_TYPES, Column, StoredTable
from runhue_server.api.table_descriptions import description_of
from runhue_server.api.table_filters import MAX_TEXT
from runhue_server.api.table_formats import MEDIA_TYPES, WRITERS, Shown
from runhue_server.api.table_orders import order_of
from runhue_server.api.table_places import Place
from runhue_server.api.table_standing import standing_of
from runhue_server.api.table_values import table_keys
from runhue_shared import db
from runhue_shared.db.history import MAX_STEP

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}/tables", tags=["tables"])

MAX_ROWS = 1_000
MAX_COLUMNS = 5_000
FormatName = Literal["json", "csv", "arrow", "parquet"]

Key = Annotated[
    str, Query(min_length=1, max_length=1_000, description="what it was logged under", examples=["samples"])
]
Step = Annotated[
    int | None,
    Query(ge=-MAX_STEP, le=MAX_STEP, description="without one: the summary's table, and else the last"),
]
Index = Annotated[int, Query(ge=0, lt=2**31, description="which one, where a list of tables was logged")]


@router.get("", response_model=Tables, responses=errors(404), summary="The tables that a run logged")
def list_tables(principal: Reader, team: TeamName, project: ProjectName, run: RunId) -> Response:
    with db.snapshot() as tx:
        found = table_keys(tx, run_of(tx, principal, team, project, run).id)
    return answer({"tables": [{"count": key.values, **_without_values(key._asdict())} for key in found]})


def _without_values(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "values"}


@router.get(
    "/describe", response_model=Table, responses=errors(404), summary="A table's columns, and how far it is"
)
def describe_table(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    key: Key,
    step: Step = None,
    index: Index = 0,
) -> Response:
    return answer(description_of(standing_of(principal, (team, project, run), key, step, index)))


def page_responses() -> Responses:
    """What `GET .../tables/rows` answers, by format."""
    content: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES.values()}
    return {200: {"description": "rows", "content": content}, **errors(404, 410)}


@router.get(
    "/rows", response_model=TablePage, responses=page_responses(), summary="Rows, filtered and sorted"
)
def read_table_rows(
    request: Request,
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    key: Key,
    step: Step = None,
    index: Index = 0,
    columns: Names = None,
    filter: Annotated[  # noqa: A002
        str | None,
        Query(
            max_length=MAX_TEXT,
            description="a JSON list of conditions that all must hold",
            examples=['[{"column": "score", "op": ">=", "value": 0.5}]'],
        ),
    ] = None,
    sort: Annotated[
        Names, Query(description="column names; -name is descending", examples=["-score,id"])
    ] = None,
    offset: Annotated[int, Query(ge=0, le=MAX_STEP, description="rows to leave out")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="rows a page, for json")] = 100,
    format: Annotated[FormatName, Query(description="all but json stream every row")] = "json",  # noqa: A002
    other: Annotated[
        OtherAs, Query(description="cells of type other, for json: values, or texts of exact JSON")
    ] = "value",
) -> Response:
    standing = standing_of(principal, (team, project, run), key, step, index)
    table = StoredTable(principal.team_id, standing.ready())
    names = names_in(columns, "columns", MAX_COLUMNS)
    chosen = table.columns if names is None else [table.column(name, "columns") for name in names]
    order = order_of(table, filter, names_in(sort, "sort") or ())
    if format != "json":
        return _export(Shown(table, chosen, order, offset), format, standing.logged.key)
    page = page_of(table, chosen, order.between(offset, offset + limit))
    end = offset + len(page.rows)
    cells = plain_cells(page, chosen, other)
    places = [standing.pieces[piece].located.place for piece in table.pieces_of(page.rows)]
    named = _naming_files(chosen, cells, places, other)
    if named:
        with db.transaction() as tx:
            viewer = viewer_in(tx, project_of(tx, principal, team, project), request)
            add_addresses(tx, principal, viewer, named)
    return answer(
        {
            "key": standing.logged.key,
            "step": standing.logged.step,
            "columns": [column.name for column in chosen],
            "total": order.total,
            "offset": offset,
            "rows": _rows(page, cells),
            "next": end if end < order.total and len(page.rows) else None,
        }
    )


def _naming_files(
    columns: Sequence[Column], cells: Sequence[Sequence[Any]], places: Sequence[Place], other: OtherAs
) -> list[tuple[Any, Place]]:
    """The cells that may name files, and what their paths are relative to."""
    return [
        (cell, place)
        for column, of in zip(columns, cells, strict=True)
        if column.type == "media" or (column.type in JSON_TYPES and other == "value")
        for cell, place in zip(of, places, strict=True)
        if isinstance(cell, dict | list)
    ]


def _rows(page: Page, cells: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    numbers = page.rows.tolist()
    rows = zip(*cells, strict=True) if cells else (() for _ in numbers)
    return [{"row": number, "cells": row} for number, row in zip(numbers, rows, strict=True)]


def _export(shown: Shown, format_name: str, key: str) -> Response:
    release = export_slot()
    name = quote(f"{key.replace('/', '_')}.{format_name}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    parts = from_thread(WRITERS[format_name](shown))
    return Streamed(parts, MEDIA_TYPES[format_name], headers, closed=release)
