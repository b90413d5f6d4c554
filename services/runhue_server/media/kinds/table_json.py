"""The JSON of a table, read exactly: integers of any size, NaN and the infinities as bare words."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from runhue_server.media.contract import Refused, Source

MAX_BYTES = 256 * 1024 * 1024
MAX_COLUMNS = 5_000
MAX_NAME_LENGTH = 1_000
SHOWN = 80

Row = list[Any]
"""The cells of a row: anything that JSON has."""


class LoggedTable(NamedTuple):
    """A table as it was logged; each row has a cell for each name, and no two names are one text."""

    names: Sequence[str | int]
    rows: Sequence[Row]


def read_table(source: Source) -> LoggedTable:
    """The table in a file.

    Raises:
        Refused: too many bytes or columns, no JSON, not of the form, rows of another length, equal names.
    """
    if source.size > MAX_BYTES:
        raise Refused(
            "table_too_large", f"the table has {source.size:,} bytes; up to {MAX_BYTES:,} can be shown"
        )
    document = decoded(source.path.read_bytes())
    if not isinstance(document, dict):
        raise Refused("not_a_table", f"the JSON is {_kind(document)}, and no object with columns and data")
    names, rows = document.get("columns"), document.get("data")
    return LoggedTable(_checked_names(names), _checked_rows(rows, len(names or ())))


def decoded(content: bytes) -> Any:  # any JSON
    """What the JSON says.

    Raises:
        Refused: it is no JSON in UTF-8, or nests too deep to be read.
    """
    try:
        return msgspec.json.decode(content)
    except RecursionError:
        raise too_deep() from None
    except (ValueError, UnicodeDecodeError):
        return _decoded_with_words(content)


def _decoded_with_words(content: bytes) -> Any:  # any JSON
    """The same, slower, with the words NaN, Infinity and -Infinity for numbers."""
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError:
        raise Refused("not_unicode", "the table is not written in UTF-8") from None
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        raise Refused("not_json", f"the table is no JSON: {error}") from None


def too_deep() -> Refused:
    """Why JSON that nests without end is not shown."""
    return Refused("too_deep", "the table nests deeper than can be read")


def _checked_names(names: object) -> list[str | int]:
    if not isinstance(names, list):
        raise Refused("not_a_table", f"columns is {_kind(names)}, and no list of names")
    if len(names) > MAX_COLUMNS:
        raise Refused(
            "too_many_columns", f"the table has {len(names):,} columns; up to {MAX_COLUMNS:,} can be shown"
        )
    seen: set[str] = set()
    for name in names:
        text = _checked_name(name)
        if text in seen:
            raise Refused("duplicate_columns", f"two columns are called {text[:SHOWN]!r}")
        seen.add(text)
    return names


def _checked_name(name: object) -> str:
    """The name as text."""
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise Refused("not_a_table", f"a column's name is {_kind(name)}, and no text or integer")
    text = str(name)
    if len(text) > MAX_NAME_LENGTH:
        raise Refused(
            "name_too_long",
            f"a column's name has {len(text):,} characters; up to {MAX_NAME_LENGTH:,} can be shown",
        )
    check_unicode(text)
    return text


def check_unicode(text: str) -> None:
    """Pass text that any encoding has.

    Raises:
        Refused: it holds half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("not_unicode", "the table holds half a surrogate pair") from None


def _checked_rows(rows: object, width: int) -> list[Row]:
    if not isinstance(rows, list):
        raise Refused("not_a_table", f"data is {_kind(rows)}, and no list of rows")
    for number, row in enumerate(rows):
        if type(row) is not list:
            raise Refused("not_a_table", f"row {number:,} is {_kind(row)}, and no list of values")
        if len(row) != width:
            raise Refused(
                "ragged_rows", f"row {number:,} has {len(row):,} values, and the columns are {width:,}"
            )
    return rows


_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a bool", type(None): "missing or null"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")
