"""What the API answers about media, typed. Fields and routes: docs/media.md, "The API"."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from runhue._public_api.records import Page

State = Literal["ready", "waiting", "awaited", "expired", "refused"]
"""`waiting`: not looked at yet; `awaited`: its bytes have not come; `expired`: they are gone by rule."""


class MediaKey(Struct, frozen=True):
    """A key under which a run logged media: `_type` of its values, and at how many steps."""

    key: str
    types: tuple[str, ...]
    kind: str
    count: int
    first_step: int
    last_step: int


class RunSteps(Struct, frozen=True):
    """At how many of the steps a run logged media."""

    run_id: str
    count: int


class MediaSteps(Struct, frozen=True):
    """Ascending steps at which some of the runs logged media; `more` come behind the last."""

    steps: tuple[int, ...]
    more: bool
    runs: tuple[RunSteps, ...]


class RenditionRecord(Struct, frozen=True):
    """Bytes that the server made of a file: a thumbnail, a preview. `size` is bytes."""

    url: str
    mimetype: str
    size: int


class MediaFileRecord(Struct, frozen=True):
    """A file that a logged value names; `path`, `sha256` (hex), `size` (bytes) are None without one."""

    path: str | None = None
    sha256: str | None = None
    size: int | None = None
    mimetype: str | None = None
    state: State = "awaited"
    code: str | None = None
    reason: str | None = None
    url: str | None = None
    facts: dict[str, Any] | None = None  # by kind, see docs/media.md
    renditions: Mapping[str, RenditionRecord] = {}


class LayerRecord(MediaFileRecord, frozen=True, kw_only=True):
    """A mask or a group of boxes over an image; `labels` are names of classes by id."""

    labels: Mapping[str, Any] = {}


class MediumRecord(MediaFileRecord, frozen=True, kw_only=True):
    """One medium; of a list that was logged, each is one. `step` is None in the summary."""

    run_id: str
    key: str
    step: int | None
    index: int
    type: str
    kind: str
    caption: str | None = None
    masks: Mapping[str, LayerRecord] = {}
    boxes: Mapping[str, LayerRecord] = {}
    value: dict[str, Any] = {}  # as it was logged


class MediaKeyList(Struct, frozen=True):
    keys: list[MediaKey]


class MediaPage(Page, frozen=True, kw_only=True):
    media: list[MediumRecord]


class MediaList(Struct, frozen=True):
    media: list[MediumRecord]
