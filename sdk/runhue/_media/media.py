"""The interface between a media type and the run it is logged to. Imports no heavy library.

A media value checks and encodes itself when it is made; `stored()` only puts the encoded bytes in
place. The stored forms are those of wandb's history, so that one viewer shows both clients' runs.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from runhue._errors import BadMedia
from runhue._files import FileStage

SettingKind = Literal["chart", "legacy_chart", "mask_classes", "box_classes"]
SHA_IN_NAME = 20
"""Hex digits of the sha256 that stand in a media file's name."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")


class MediaSetting(NamedTuple):
    """How media under `key` are shown: the fields of `runhue_shared.events.MediaSetting`."""

    kind: SettingKind
    key: str
    value: dict[str, Any]


class LoggedRow:
    """One `log()` call, or one change of the summary, while its values are converted.

    `step` is the row's, None for the summary; `counts` says how many of each type the step has already.
    """

    def __init__(self, step: int | None, stage: FileStage, counts: Mapping[type, int]) -> None:
        self.step = step
        self.stage = stage
        self.counts = dict(counts)
        self.charts: dict[str, Any] = {}
        """What charts within dicts are logged as, by whole key."""

    def place(self, key: str) -> "Place":
        """Where the media logged under `key` go."""
        return Place(key, key, self)


class Place:
    """Where one media value is logged.

    `key` is the metric's name, dotted when it was nested; `name` is what stands in file names, the
    innermost of the names it was nested in, as with wandb. `step` is the row's, None in the summary.
    """

    def __init__(self, key: str, name: str, row: LoggedRow) -> None:
        self.key = key
        self.name = name
        self.step = row.step
        self._row = row

    def nested(self, key: str, name: str) -> "Place":
        """The place of a value within this one."""
        return Place(key, name, self._row)

    def add_file(self, content: bytes | Path, folder: str, extension: str) -> dict[str, Any]:
        """Keep a file; it is delivered before the row that names it.

        Args:
            content: the bytes, or a file whose bytes are copied now.
            folder: under `media/`, such as "images" or "images/mask".
            extension: without its first dot, such as "png" or "mask.png".
        Returns:
            `path` (`media/<folder>/<key>_<step>_<sha256>.<extension>`), `sha256` (hex), `size` (bytes).
        Raises:
            BadMedia: the file cannot be read.
        """
        moment = "summary" if self.step is None else self.step
        stem = f"media/{folder}/{path_of_key(self.name)}_{moment}"
        kept = self._row.stage.put(content, lambda sha256: f"{stem}_{sha256[:SHA_IN_NAME]}.{extension}")
        return {"path": kept.path, "sha256": kept.sha256, "size": kept.size}

    def set_media(self, kind: SettingKind, key: str, value: Mapping[str, Any]) -> None:
        """Record how media under `key` are shown, once for as long as it stays the same."""
        self._row.stage.set_media(kind, key, dict(value))

    def set_aside(self, values: Mapping[str, Any]) -> None:
        """Log these by whole key in the same row, beside the value that they were found in."""
        self._row.charts.update(values)

    @property
    def run_files(self) -> object:
        """What all places of one run have in common, and those of no other."""
        return self._row.stage.files

    def when_recorded(self, then: Callable[[], None]) -> None:
        """Call this once the row is recorded; never, when it is refused."""
        self._row.stage.when_recorded(then)

    def count(self, kind: "type[Media]", number: int = 1) -> None:
        """Count media of a type in the row's step.

        Raises:
            BadMedia: there are more than the type allows.
        """
        total = self._row.counts.get(kind, 0) + number
        self._row.counts[kind] = total
        name = kind.__name__
        if kind.max_in_step is not None and total > kind.max_in_step:
            raise BadMedia(
                f"{self.key}: a step takes at most {kind.max_in_step} {name}, this would be {total}"
            )
        if kind.warn_from is not None and total >= kind.warn_from:
            self.warn(
                f"{kind.warn_from} or more {name} in one step make pages slow: log fewer, or less often"
            )

    def warn(self, sentence: str) -> None:
        """Tell the user something, once per sentence."""
        self._row.stage.warn(sentence)


class Media(ABC):
    """A value that is stored as an object with `_type`, and mostly as a file beside it."""

    max_in_step: ClassVar[int | None] = None
    """At most so many in one step; None for no bound."""

    warn_from: ClassVar[int | None] = None
    """So many in one step are worth a warning."""

    @abstractmethod
    def stored(self, place: Place) -> dict[str, Any]:
        """The JSON value that history has for this; its files are kept on the way."""

    @classmethod
    def stored_list(cls, items: Sequence[Self], place: Place) -> dict[str, Any] | list[Any]:
        """The JSON value for a list of nothing but this type, at least one."""
        return [item.stored(place) for item in items]


class Expanded(ABC):
    """A value that is logged as values of other keys, such as a chart as its table."""

    @abstractmethod
    def expanded(self, key: str) -> dict[str, Any]:
        """What is logged for `key`, by full key; media may be among it, other `Expanded` may not."""

    @abstractmethod
    def settings(self, key: str) -> Sequence[MediaSetting]:
        """How it is shown; recorded before the row, once for as long as it stays the same."""


def path_of_key(key: str) -> str:
    """A key as part of a file's path: `/` makes folders, and no part can lead out of them."""
    parts = [_UNSAFE.sub("_", part) for part in key.split("/")]
    return "/".join("_" if part in {"", ".", ".."} else part for part in parts)
