"""Every point of a run, one row a step."""

from collections.abc import Generator, Iterator, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import Response

from runhue_server.api.answers import Streamed, answer, from_thread
from runhue_server.api.documents import Responses, errors
from runhue_server.api.exporting import export_slot
from runhue_server.api.models_history import Rows
from runhue_server.api.parameters import FromStep, Names, ToStep, names_in
from runhue_server.api.resources import ProjectName, Reader, RunId, TeamName, run_of
from runhue_server.api.row_formats import FORMATS, STEP, Row
from runhue_shared import db
from runhue_shared.db import exports, history
from runhue_shared.db.history import MAX_STEP

router = APIRouter(prefix="/api/v1/projects/{team}/{project}/runs/{run}", tags=["history"])

MAX_ROWS = 10_000
WINDOW_CELLS = 500_000
FormatName = Literal["json", "ndjson", "csv", "arrow", "parquet"]


def row_responses() -> Responses:
    """What `GET .../rows` answers, by format."""
    content: dict[str, Any] = {format_.media_type: {} for format_ in FORMATS.values()}
    return {200: {"description": "rows", "content": content}, **errors(404)}


@router.get("/rows", response_model=Rows, responses=row_responses(), summary="Every point, one row a step")
def read_rows(
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    run: RunId,
    keys: Names = None,
    from_step: FromStep = 0,
    to_step: ToStep = None,
    after: Annotated[
        int | None, Query(ge=-MAX_STEP, le=MAX_STEP, description="rows behind this step")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="rows a page, for json")] = 1_000,
    format: Annotated[FormatName, Query(description="all but json stream every row")] = "json",  # noqa: A002
    complete: Annotated[bool, Query(description="only rows that hold all of `keys`")] = False,
) -> Response:
    names = names_in(keys, "keys")
    first = from_step if after is None else max(from_step, after + 1)
    with db.snapshot() as tx:
        run_id = run_of(tx, principal, team, project, run).id
        if format == "json":
            return _page(tx, _Reading(run_id, names, first, to_step, complete), limit)
        columns = _columns(tx, run_id, names)
    return _export(_Reading(run_id, names, first, to_step, complete), format, columns, run)


class _Reading:
    """Which rows of a run are read."""

    def __init__(
        self, run_id: int, names: Sequence[str] | None, first: int, last: int | None, complete: bool
    ) -> None:
        self.run_id = run_id
        self.names = names
        self.first = first
        self.last = last
        self._needed = {name.casefold() for name in names or ()} if complete else set()

    def rows(self, tx: db.Transaction, first: int, limit: int) -> list[Row]:
        """Up to `limit` rows from step `first` on, complete or not."""
        if first > (MAX_STEP if self.last is None else self.last):
            return []
        return history.read_rows(tx, self.run_id, self.names, first, self.last, limit)

    def batches(self, tx: db.Transaction, size: int) -> Iterator[list[Row]]:
        """All rows, at most `size` at once."""
        first = self.first
        while rows := self.rows(tx, first, size):
            yield self.wanted(rows)
            first = rows[-1][STEP] + 1

    def wanted(self, rows: list[Row]) -> list[Row]:
        """The rows that hold all that is needed."""
        if not self._needed:
            return rows
        return [row for row in rows if self._needed <= {name.casefold() for name in row}]


def _page(tx: db.Transaction, reading: _Reading, limit: int) -> Response:
    rows = reading.rows(tx, reading.first, limit + 1)
    page = rows[:limit]
    following = page[-1][STEP] if len(rows) > limit else None
    return answer({"rows": reading.wanted(page), "next": following})


def _columns(tx: db.Transaction, run_id: int, names: Sequence[str] | None) -> list[str]:
    """The asked keys, or all that the run has, in the spelling that rows have them."""
    spelled = {metric.name.casefold(): metric.name for metric in history.metrics_of_run(tx, run_id)}
    wanted = spelled if names is None else [name.casefold() for name in names]
    columns = dict.fromkeys(spelled[folded] for folded in wanted if folded in spelled)
    return [name for name in columns if name != STEP]


def _export(reading: _Reading, format_name: FormatName, columns: Sequence[str], run: str) -> Response:
    release = export_slot()
    form = FORMATS[format_name]
    name = quote(f"{run}.{form.suffix}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    parts = from_thread(_parts(reading, format_name, columns))
    return Streamed(parts, form.media_type, headers, closed=release)


def _parts(
    reading: _Reading, format_name: FormatName, columns: Sequence[str]
) -> Generator[bytes, None, None]:
    """All rows of one moment: the export is one transaction, however long its client reads."""
    size = max(100, WINDOW_CELLS // (len(columns) + 1))
    with db.snapshot() as tx:
        exports.bound_idle(tx)
        yield from FORMATS[format_name].write(lambda: reading.batches(tx, size), columns)
