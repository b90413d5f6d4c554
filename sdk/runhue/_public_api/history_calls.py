"""Calls that read a run's history, and its rows out of what they answer."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from runhue._public_api.exchange import Call, fetch, get
from runhue._public_api.records import RowPage, Series, SeriesList
from runhue._public_api.run_calls import RunPath
from runhue._values import from_wire

Row = dict[str, Any]  # values are of any logged type

STEP = "_step"
FIRST_STEP = -(2**63) + 1
"""The least step that the API takes; steps below 0 are left out unless they are asked for."""


class Scan(msgspec.Struct, frozen=True):
    """Which rows are read: those that hold any of `keys`, from step `start` to `end`, both included."""

    keys: Sequence[str] | None
    page_size: int
    start: int | None
    end: int | None


def series_call(
    path: RunPath, keys: Sequence[str] | None, start: int | None, end: int | None, points: int
) -> Call[list[Series]]:
    """Metrics of a run in at most `points` buckets each."""
    request = get(f"{path.url}/history", keys=joined(keys), points=points, **{"from": start, "to": end})
    listed = yield from fetch(SeriesList, request)
    return listed.series


def row_page_call(path: RunPath, scan: Scan, after: int | None) -> Call[RowPage]:
    """Every point of the next steps of a scan, behind step `after`, one row a step."""
    start = FIRST_STEP if scan.start is None else scan.start
    bounds = {"from": start, "to": scan.end, "after": after}
    request = get(f"{path.url}/rows", keys=joined(scan.keys), limit=scan.page_size, **bounds)
    page = yield from fetch(RowPage, request)
    for row in page.rows:
        row.update(from_wire(row))
    return page


def merged_rows(series: Sequence[Series]) -> list[Row]:
    """One row a step that any series has a point at; a bucket's value is at its first step."""
    rows: dict[int, Row] = {}
    for line in series:
        for point in line.points:
            rows.setdefault(point.step, {STEP: point.step})[line.key] = from_wire(point.last)
    return [rows[step] for step in sorted(rows)]


def joined(keys: Sequence[str] | None) -> str | None:
    """Keys as one parameter, whatever is in their names."""
    return None if keys is None else json.dumps(list(keys))
