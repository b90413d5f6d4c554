"""What a run printed, line by line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.refusals import NotUnderstood
from runhue_server.gateway.run_fields import page_of
from runhue_shared import db
from runhue_shared.db import console
from runhue_shared.db.console import ClientLine

FIELDS = Fields("console_logs")

Json = dict[str, Any]  # what fields below a type are read from

PAGE = 1_000
LARGEST_PAGE = 10_000
FROM_THE_FIRST = -1


@FIELDS.answers("Run", "logLines")
def log_lines(
    source: Json,
    _context: Context,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    useImprovedPagination: bool | None = None,  # noqa: ARG001, N803  # the wire's
) -> Json:
    """`first` lines behind the cursor `after`, or the `last` ones; 10,000 at most."""
    _, run_id = page_of(source)
    if last is not None:
        with db.snapshot() as tx:
            found = console.last_client_lines(tx, run_id, min(max(last, 0), LARGEST_PAGE))
        return _connection(found, more=False)
    size = min(max(PAGE if first is None else first, 1), LARGEST_PAGE)
    with db.snapshot() as tx:
        found = console.client_lines(tx, run_id, _cursor(after), size + 1)
    return _connection(found[:size], more=len(found) > size)


def _cursor(after: str | None) -> int:
    if not after:
        return FROM_THE_FIRST
    place = ids.place_of(after) or ""
    if not place.isdigit() or int(place) > ids.LARGEST:
        raise NotUnderstood(
            "after is no cursor of a console", field="after", fix="send `endCursor` of the page before"
        )
    return int(place)


def _connection(lines: Sequence[ClientLine], *, more: bool) -> Json:
    edges = [{"node": _line(line), "cursor": ids.cursor_of(str(line.cursor))} for line in lines]
    end = edges[-1]["cursor"] if edges else None
    return {"edges": edges, "pageInfo": {"endCursor": end, "hasNextPage": more}}


def _line(line: ClientLine) -> Json:
    """A line as the client has it: its level is empty unless it is an error's."""
    return {
        "number": line.number,
        "timestamp": datetime.fromtimestamp(line.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "level": "error" if line.level == "error" else "",
        "label": line.label or "",
        "line": line.line,
    }
