"""SVG, read without following anything: no entities, no other files, and nothing is drawn."""

import re
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.first_bytes import shown

MAX_SVG_BYTES: Final = 64 << 20
MAX_DEPTH: Final = 1_000
SVG_NAMESPACE: Final = "http://www.w3.org/2000/svg"

_SEPARATOR: Final = " "
_LENGTH: Final = re.compile(r"\s*\+?([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(px|pt|pc|mm|cm|in)?\s*\Z")
_PIXELS: Final = {None: 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}


class _Reader:
    """Remembers the root; refuses what a picture does not need."""

    def __init__(self) -> None:
        self.root: tuple[str, dict[str, str]] | None = None
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refused("too_deep", f"The SVG is nested more than {MAX_DEPTH:,} levels deep.")
        if self.root is None:
            self.root = (name, attributes)

    def end(self, _name: str) -> None:
        self._depth -= 1

    def entity(self, name: str, *_: object) -> None:
        raise Refused(
            "unsafe_svg", f"The SVG declares the entity {shown(name, 40)!r}; entities are not taken."
        )


def svg_facts(path: Path, size: int) -> dict[str, Any]:  # JSON
    """Width and height in pixels, null where the SVG leaves them to its page.

    Raises:
        Refused: `too_large`, `not_an_image`, `damaged`, `unsafe_svg` or `too_deep`.
    """
    if size > MAX_SVG_BYTES:
        raise Refused("too_large", f"The SVG has {size:,} bytes; at most {MAX_SVG_BYTES:,} are looked at.")
    name, attributes = _root(path)
    namespace, _, local = name.rpartition(_SEPARATOR)
    if local != "svg" or namespace not in {"", SVG_NAMESPACE}:
        raise Refused("not_an_image", f"An SVG begins with <svg>, this begins with <{shown(local, 40)}>.")
    width, height = _size(attributes)
    return {"format": "svg", "width": width, "height": height, "frames": 1, "animated": False, "active": True}


def _root(path: Path) -> tuple[str, dict[str, str]]:
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.EntityDeclHandler = reader.entity
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Refused("damaged", f"The SVG is no XML: {shown(error, 120)}.") from error
    if reader.root is None:
        raise Refused("damaged", "The SVG is no XML: it holds no element.")
    return reader.root


def _size(attributes: dict[str, str]) -> tuple[float | None, float | None]:
    box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
    boxed = (_length(box[2]), _length(box[3])) if len(box) == 4 else (None, None)
    return _length(attributes.get("width", "")) or boxed[0], _length(attributes.get("height", "")) or boxed[1]


def _length(text: str) -> float | None:
    """Pixels; None for what depends on the page, as 100% does."""
    found = _LENGTH.match(text[:60])
    if found is None:
        return None
    pixels = float(found[1]) * _PIXELS[found[2]]
    return round(pixels, 3) if 0 < pixels < 1e9 else None
