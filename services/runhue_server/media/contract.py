"""What an inspector is: it looks at bytes that may be hostile, inside the bounded process.

An inspector reads one file, and nothing else: no network, no database, no settings. It returns facts, puts
renditions, or raises `Refused`. The same bytes give the same facts and the same renditions, byte for byte.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runhue_shared.media_kinds import Rendition


class Source(NamedTuple):
    """The file to look at. `format` is the lower-case ending of its name, `size` in bytes."""

    path: Path
    format: str
    size: int


class Refused(Exception):
    """The bytes cannot be shown. `code` is stable and in snake_case, `reason` a sentence for the run's page.

    The reason names what was found and what is allowed; it holds no path of this machine.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Workshop:
    """Where an inspector leaves renditions: a folder that the bounded process may write to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: dict[Rendition, tuple[str, str]] = {}
        """(file name in the folder, MIME type) of each rendition."""

    def put(self, name: Rendition, mimetype: str, content: bytes) -> None:
        """Leave a rendition."""
        self.path(name, mimetype).write_bytes(content)

    def path(self, name: Rendition, mimetype: str) -> Path:
        """Where to write a rendition that is too large for memory; it counts from now on."""
        self.made[name] = (name, mimetype)
        return self._folder / name

    def drop(self, name: Rendition) -> None:
        """Take a rendition back."""
        if self.made.pop(name, None) is not None:
            (self._folder / name).unlink(missing_ok=True)


Facts = Mapping[str, Any]
"""JSON: what `docs/media.md` lists for the kind."""

Inspector = Callable[[Source, Workshop], Facts]
