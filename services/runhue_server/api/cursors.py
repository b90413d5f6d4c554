"""Cursors: where the next page begins, as an opaque text that only its own list accepts."""

import base64
import binascii
import json
from collections.abc import Sequence

from runhue_server.web.problems import Invalid


class InvalidCursor(Invalid):
    """The cursor does not come from the list it was sent to."""

    code = "invalid_cursor"


def cursor_of(listing: str, place: Sequence[str]) -> str:
    """The cursor behind `place` of the list that is called `listing`."""
    return base64.urlsafe_b64encode(json.dumps([listing, *place]).encode()).decode().rstrip("=")


def place_of(cursor: str | None, listing: str, length: int, field: str = "cursor") -> list[str] | None:
    """The place in a cursor of the list, which came in `field`; None without one.

    Raises:
        InvalidCursor: it is no cursor, or another list's, or has not `length` parts.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_cursor("is none that this server made", field) from error
    texts = isinstance(found, list) and all(isinstance(part, str) and "\0" not in part for part in found)
    if not texts or found[:1] != [listing] or len(found) != length + 1:
        raise invalid_cursor("belongs to another list or order", field)
    return [str(part) for part in found[1:]]


def invalid_cursor(why: str, field: str = "cursor") -> InvalidCursor:
    """The refusal of a cursor."""
    return InvalidCursor(
        f"{field}: {why}", field=field, fix="send `next` of the page before, with the same order"
    )
