"""Every part of a JSON document with its place."""

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Names of members and positions in lists, from the outside in."""


def parts_of(document: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:  # JSON
    """Every part with its place, a whole before its parts; of any depth."""
    waiting: list[tuple[Path, Any]] = [(at, document)]
    while waiting:
        path, part = waiting.pop()
        yield path, part
        if isinstance(part, dict):
            waiting.extend(((*path, name), member) for name, member in reversed(part.items()))
        elif isinstance(part, list):
            waiting.extend(((*path, place), item) for place, item in reversed(list(enumerate(part))))
