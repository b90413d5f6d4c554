"""One run by its name, and lists of a project's runs: filtered, sorted, page by page."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.refusals import NotUnderstood
from runhue_server.gateway.run_fields import run_nodes
from runhue_server.gateway.run_filters import refused, run_filter, run_orders
from runhue_shared import db
from runhue_shared.db import run_facts
from runhue_shared.db import runs as stored
from runhue_shared.db.filtering import check_patterns
from runhue_shared.filters import And, Comparison, Field, Filter, InvalidFilter

FIELDS = Fields("runs")

Json = dict[str, Any]  # what fields below a type are read from

PAGE = 50
LARGEST_PAGE = 1_000
FOLDING_SECONDS = 3.0
"""How long a question waits for what was stored before it to be folded."""

FIRST_LOOK_SECONDS = 0.02
LAST_LOOK_SECONDS = 0.2
MOST_WAITING = 4
"""Questions that wait for folding at once; further ones are answered from what is folded, so that no thread
is missing where runs begin."""

_waiting = threading.BoundedSemaphore(MOST_WAITING)


@FIELDS.answers("Project", "run")
def run(source: Json, _context: Context, name: str | None = None) -> Json | None:
    """The run of that name; None when it is not there or deleted."""
    if not name or "\0" in name:
        return None
    project_id = source["_project_id"]
    await_folding(project_id, name)
    with db.snapshot() as tx:
        found = stored.run_named(tx, project_id, name)
    return None if found is None else run_nodes(source, [found])[0]


@FIELDS.answers("Project", "runs")
def runs(
    source: Json,
    _context: Context,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
    names: list[str | None] | None = None,
) -> Json:
    """One page. A cursor is a place in the order, so runs that are added meanwhile move nothing."""
    project_id = source["_project_id"]
    size = min(max(PAGE if first is None else first, 1), LARGEST_PAGE)
    try:
        parsed, orders = _named(run_filter(filters), names), run_orders(order)
        await_folding(project_id)
        with db.snapshot() as tx:
            check_patterns(tx, parsed, None)
            found = stored.page_of_runs(
                tx, project_id, parsed, None, orders[0], size + 1, _place(after), orders[1:]
            )
    except InvalidFilter as error:
        raise refused(error) from error
    except psycopg.errors.QueryCanceled as error:
        raise _too_slow() from error
    except (psycopg.DataError, psycopg.ProgrammingError) as error:
        if after:
            raise _bad_cursor() from error
        raise
    return _connection(source, found, size, parsed)


def _connection(project: Json, found: Sequence[stored.Run], size: int, parsed: Filter) -> Json:
    page = found[:size]
    nodes = run_nodes(project, page)
    edges = [
        {"node": node, "cursor": ids.cursor_of(json.dumps(run.place))}
        for node, run in zip(nodes, page, strict=True)
    ]
    end = edges[-1]["cursor"] if edges else None
    return {
        "edges": edges,
        "pageInfo": {"endCursor": end, "hasNextPage": len(found) > size},
        "_project_id": project["_project_id"],
        "_filter": parsed,
    }


@FIELDS.answers("RunConnection", "totalCount")
def total_count(source: Json, _context: Context) -> int | None:
    if "_filter" not in source:
        return source.get("totalCount")
    return _count(source["_project_id"], source["_filter"])


@FIELDS.answers("Project", "runCount")
def run_count(source: Json, _context: Context, filters: str | None = None) -> int:
    """How many runs pass."""
    try:
        parsed = run_filter(filters)
        await_folding(source["_project_id"])
        return _count(source["_project_id"], parsed)
    except InvalidFilter as error:
        raise refused(error) from error


def _count(project_id: int, parsed: Filter) -> int:
    try:
        with db.snapshot() as tx:
            check_patterns(tx, parsed, None)
            return stored.count_runs(tx, project_id, parsed, None)
    except psycopg.errors.QueryCanceled as error:
        raise _too_slow() from error


def _named(parsed: Filter, names: Sequence[str | None] | None) -> Filter:
    if names is None:
        return parsed
    chosen = tuple(name for name in names if name and "\0" not in name)
    return And((parsed, Comparison(Field("run", "id"), "$in", chosen)))


def await_folding(project_id: int, name: str | None = None) -> None:
    """Wait until what the project, or its run of that name, stored until now is folded.

    A script that logs and then reads finds what it logged. It waits `FOLDING_SECONDS` at most: what comes
    later is seen by the next question.
    """
    with db.transaction() as tx:
        waiting = run_facts.waiting_writers(tx, project_id, name)
    if waiting and _waiting.acquire(blocking=False):
        try:
            _await_writers(waiting)
        finally:
            _waiting.release()


def _await_writers(durable: Mapping[int, int]) -> None:
    deadline = time.monotonic() + FOLDING_SECONDS
    pause = FIRST_LOOK_SECONDS
    behind = True
    while behind and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_LOOK_SECONDS)
        with db.transaction() as tx:
            behind = run_facts.any_behind(tx, durable)


def _place(cursor: str | None) -> list[str] | None:
    if not cursor:
        return None
    try:
        place = json.loads(ids.place_of(cursor) or "null")
    except (ValueError, RecursionError) as error:
        raise _bad_cursor() from error
    if not isinstance(place, list) or not all(isinstance(part, str) and "\0" not in part for part in place):
        raise _bad_cursor()
    return place


def _bad_cursor() -> NotUnderstood:
    return NotUnderstood(
        "after is no cursor of this list", field="after", fix="send `endCursor` of the page before"
    )


def _too_slow() -> NotUnderstood:
    return NotUnderstood(
        "the filter took longer than 10 s", field="filters", limit=10, fix="use a simpler regular expression"
    )
