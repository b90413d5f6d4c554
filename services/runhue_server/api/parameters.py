"""Query parameters that several routes take."""

import json
from typing import Annotated

from fastapi import Header, Query

from runhue_server.web.problems import Invalid
from runhue_shared.db.history import MAX_STEP

MAX_KEYS = 1_000
MAX_LIST = 100_000

FromStep = Annotated[int, Query(alias="from", ge=-MAX_STEP, le=MAX_STEP, description="first step")]
ToStep = Annotated[
    int | None, Query(alias="to", ge=-MAX_STEP, le=MAX_STEP, description="last step, included")
]
BucketCount = Annotated[int, Query(alias="points", ge=1, le=10_000, description="buckets a series at most")]
IfNoneMatch = Annotated[str | None, Header(description="ETag of the answer that the client holds")]
Names = Annotated[
    str | None,
    Query(
        description="comma-separated; a JSON list when a name holds a comma",
        max_length=MAX_LIST,
        examples=["loss,acc"],
    ),
]


def names_in(text: str | None, field: str, at_most: int = MAX_KEYS) -> list[str] | None:
    """The names in a comma-separated list or a JSON list; None stays None.

    Raises:
        Invalid: not a list of texts, none at all, or more than `at_most`.
    """
    if text is None:
        return None
    names = _json_list(text, field) if text.lstrip().startswith("[") else text.split(",")
    found = [name for name in dict.fromkeys(names) if name]
    if not found:
        raise Invalid(
            f"{field}: no name in {text[:100]!r}",
            field=field,
            fix="name one, or leave it out where it may be",
        )
    if len(found) > at_most:
        raise Invalid(
            f"{field}: {len(found)} names", field=field, limit=at_most, fix="ask in several requests"
        )
    return found


def _json_list(text: str, field: str) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid(f"{field}: no JSON list of texts", field=field, fix='write it like ["a,b", "c"]')
    return [name for name in names if "\0" not in name]
