"""Files of arrays and media that were assigned to a stored run's summary, until they are sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from runhue._errors import BadMedia
from runhue._files import FileStage, SpoolFiles
from runhue._records import FileSaved


class HeldFiles(FileStage):
    """`contents`: by the path in the run, the bytes, or the file that has them."""

    def __init__(self) -> None:
        super().__init__(SpoolFiles(None), {})
        self.contents: dict[str, bytes | Path] = {}

    def put(self, content: bytes | Path, path: str | Callable[[str], str]) -> FileSaved:
        kept = super().put(content, path)
        self.contents[kept.path] = content
        return kept

    def set_media(self, kind: str, key: str, value: dict[str, Any]) -> None:  # noqa: ARG002  # as FileStage has it
        """Refused: how media are shown is said by a run that logs.

        Raises:
            BadMedia: always.
        """
        raise BadMedia(f"{key}: charts and masks can be logged by a run, not set in a stored run's summary")
