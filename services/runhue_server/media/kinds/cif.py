"""Tables of CIF files (CIF 1.1 syntax): which there are, and how many rows each has."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from runhue_server.media.kinds.chemistry import lines_of, not_a_molecule
from runhue_server.media.kinds.first_bytes import found_in

# Without possessive groups: Python 3.11.2 matches them wrongly (cpython issue 106052).
_TOKEN: Final = re.compile(rb"'[^']*(?:'(?!\s|$)[^']*)*(?:'|$)|\"[^\"]*(?:\"(?!\s|$)[^\"]*)*(?:\"|$)|#.*|\S+")
# An open quote ends with its line, so that no line is read twice.
_MODEL_COLUMN: Final = "_atom_site.pdbx_pdb_model_num"
_MAX_COLUMNS: Final = 2_000


class Table(NamedTuple):
    """Rows of a table; those of the first model, and models, None when it has no such column."""

    rows: int
    rows_of_first_model: int
    models: int | None


class _Value(NamedTuple):
    """A piece of the file; only what is not quoted can be a name or a word of the format."""

    text: bytes
    quoted: bool


def rows_of(content: bytes, format_: str) -> dict[str, Table]:
    """Tables of the first block by the names of their category, in lower case.

    Raises:
        Refused: `not_a_molecule`, the file begins with no block.
    """
    tokens = _first_block(_tokens(content))
    first = next(tokens, None)
    if first is None:
        raise not_a_molecule(format_, f"no data block in {found_in(content[:64])}")
    found: dict[str, Table] = {}
    waiting: _Value | None = next(tokens, None)
    while waiting is not None:
        if _is_word(waiting, b"loop_"):
            waiting = _loop(tokens, found)
        else:
            if _is_name(waiting):
                found.setdefault(_category(waiting), Table(1, 1, None))
            waiting = next(tokens, None)
    return found


def _loop(tokens: Iterator[_Value], found: dict[str, Table]) -> _Value | None:
    """Count the rows of a loop; returns what comes behind it."""
    names: list[str] = []
    value = next(tokens, None)
    while value is not None and _is_name(value):
        names.append(value.text.decode("ascii", "replace").lower())
        value = next(tokens, None)
    column = names.index(_MODEL_COLUMN) if _MODEL_COLUMN in names else None
    count = first_count = 0
    models: set[bytes] = set()
    first: bytes | None = None
    while value is not None and not _is_name(value) and not _is_word(value, b"loop_"):
        if column is not None and count % len(names) == column:
            first = value.text if first is None else first
            first_count += value.text == first
            models.add(value.text)
        count += 1
        value = next(tokens, None)
    if names and len(names) <= _MAX_COLUMNS:
        rows = count // len(names)
        counted = Table(rows, rows if column is None else first_count, len(models) or None)
        found.setdefault(_category_of(names[0]), counted)
    return value


def _first_block(tokens: Iterator[_Value]) -> Iterator[_Value]:
    """From the first `data_` to the second."""
    blocks = 0
    for token in tokens:
        is_head = not token.quoted and token.text[:5].lower() == b"data_"
        blocks += is_head
        if blocks > 1 or (not blocks and not is_head):
            return
        yield token


def _tokens(content: bytes) -> Iterator[_Value]:
    text_field = False
    for line in lines_of(content):
        if line.startswith(b";"):
            text_field = not text_field
            if not text_field:
                yield _Value(b"", True)
                line = line[1:]
            else:
                continue
        if text_field:
            continue
        for found in _TOKEN.findall(line):
            if not found.startswith(b"#"):
                yield _Value(found, found[:1] in {b"'", b'"'})


def _is_name(value: _Value) -> bool:
    return not value.quoted and value.text.startswith(b"_")


def _is_word(value: _Value, word: bytes) -> bool:
    return not value.quoted and value.text.lower() == word


def _category(value: _Value) -> str:
    return _category_of(value.text.decode("ascii", "replace").lower())


def _category_of(name: str) -> str:
    """`_atom_site.id` of mmCIF and `_atom_site_label` of CIF are both of `_atom_site`."""
    if "." in name:
        return name.partition(".")[0]
    known = ("_atom_site", "_geom_bond")
    return next((one for one in known if name.startswith(f"{one}_") and "_aniso" not in name), name)
