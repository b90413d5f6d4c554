"""Calls that read a run's history, and its rows out of what they answer."""

from collections.abc import Sequence
from typing import Any

from runhue._public_api.edited_values import from_wire
from runhue._public_api.exchange import Call, fetch, get
from runhue._public_api.records import RowPage, Series, SeriesList
from runhue._public_api.run_calls import RunPath

Row = dict[str, Any]  # values are of any logged type

STEP = "_step"


def series_call(
    path: RunPath, keys: Sequence[str] | None, start: int | None, end: int | None, points: int
) -> Call[list[Series]]:
    """Metrics of a run in at most `points` buckets each."""
    request = get(f"{path.url}/history", keys=joined(keys), points=points, **{"from": start, "to": end})
    listed = yield from fetch(SeriesList, request)
    return listed.series


def row_page_call(
    path: RunPath, keys: Sequence[str] | None, end: int | None, after: int | None, limit: int
) -> Call[RowPage]:
    """Every point of the next `limit` steps after step `after`, one row a step."""
    request = get(f"{path.url}/rows", keys=joined(keys), limit=limit, after=after, to=end)
    page = yield from fetch(RowPage, request)
    for row in page.rows:
        row.update(from_wire(row))
    return page


def merged_rows(series: Sequence[Series]) -> list[Row]:
    """One row a step that any of the series has a point at, with each series' value there."""
    rows: dict[int, Row] = {}
    for line in series:
        for point in line.points:
            rows.setdefault(point.step, {STEP: point.step})[line.key] = from_wire(point.last)
    return [rows[step] for step in sorted(rows)]


def joined(keys: Sequence[str] | None) -> str | None:
    """Keys as one parameter."""
    return None if keys is None else ",".join(keys)
