"""What a `StartWriter` may say; each refusal names the field, the limit and what came."""

import math
import re
import unicodedata
from typing import Any

import msgspec

from runhue_server.web.json_text import holds_lone_surrogate
from runhue_server.web.problems import Invalid
from runhue_shared.events import StartWriter

LONGEST_NAME = 128
LONGEST_TAG = 64
MOST_TAGS = 64
LONGEST_NOTES = 64 * 1024
WRITER = re.compile(r"[0-9a-f]{32}\Z")
NOT_IN_PROJECT = "/\\#?%:"
NOT_IN_RUN = "/\\#?%"
_FIELD = re.compile(r" - at `\$\.?([^`\[]*)|(?:unknown|missing required) field `([^`]*)")


def decode(body: bytes) -> StartWriter:
    """The request in `body`.

    Raises:
        Invalid: not JSON, or a field is unknown, missing or of the wrong type.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = _FIELD.search(str(error))
        why = "it holds half a surrogate pair" if holds_lone_surrogate(body) else error
        raise Invalid(
            f"the body is not a StartWriter: {why}",
            field=(found[1] or found[2] if found else "") or "body",
            fix="send the fields as the reference describes them",
        ) from None


_decoder = msgspec.json.Decoder(StartWriter)


def check(request: StartWriter, max_metadata_bytes: int, max_depth: int) -> None:
    """Refuse what could not be stored or addressed.

    Raises:
        Invalid: the first field that breaks a rule.
    """
    check_place(request.project, request.run)
    check_attributes(request)
    if not WRITER.match(request.writer):
        raise _invalid("writer", "must be 32 hex digits in lower case", request.writer)
    if not math.isfinite(request.started_at):
        raise _invalid("started_at", "must be Unix seconds", str(request.started_at))
    _check_length("metadata", len(msgspec.json.encode(request.metadata)), max_metadata_bytes, "bytes")
    _check_length("metadata", _depth(request.metadata), max_depth, "levels")


def check_place(project: str, run: str) -> None:
    """Raises Invalid: the names cannot be in an address."""
    _check_name("project", project, NOT_IN_PROJECT)
    _check_name("run", run, NOT_IN_RUN)


def check_attributes(request: StartWriter) -> None:
    """Raises Invalid: the first of name, group, job type, tags and notes that breaks a rule."""
    for field in ("name", "group", "job_type"):
        value = getattr(request, field)
        if value is not None:
            _check_name(field, value, "")
    _check_tags(request.tags)
    _check_length("notes", len(request.notes or ""), LONGEST_NOTES, "characters")


def _check_name(field: str, value: str, refused: str) -> None:
    if not value.strip():
        raise _invalid(field, "must not be empty", value)
    _check_length(field, len(value), LONGEST_NAME, "characters")
    bad = next(
        (char for char in value if char in refused or unicodedata.category(char) in ("Cc", "Cs")), None
    )
    if bad is not None or value in (".", ".."):
        raise _invalid(field, f"must not contain {bad or value!r}", value)


def _check_tags(tags: list[str]) -> None:
    _check_length("tags", len(tags), MOST_TAGS, "tags")
    for tag in tags:
        _check_length("tags", len(tag), LONGEST_TAG, "characters in one tag")
        if not tag.strip() or any(unicodedata.category(char) in ("Cc", "Cs") for char in tag):
            raise _invalid("tags", "must be text without control characters", tag)


def _check_length(field: str, length: int, limit: int, unit: str) -> None:
    if length > limit:
        raise Invalid(
            f"{field} has {length} {unit}, the limit is {limit}",
            field=field,
            limit=limit,
            fix=f"shorten {field}",
        )


def _depth(value: Any) -> int:  # JSON
    """Levels of nesting: 1 for a dict or list of plain values."""
    depth = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _invalid(field: str, rule: str, value: str) -> Invalid:
    return Invalid(f"{field} {rule}, got {value[:80]!r}", field=field, fix=f"send another {field}")
