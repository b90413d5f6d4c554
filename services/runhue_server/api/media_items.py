"""Logged media values as items: one value may be a list of many. What a client sent may have any shape."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runhue_shared.media_kinds import OF_TYPE, claim_of

HISTOGRAM = "histogram"
MAX_PATH_LENGTH = 1_024
MAX_COUNTED = 1_000
"""Of a list that tells its length and no names no more are taken."""

_ONE_OF = {
    "images/separated": "image-file",
    "audio": "audio-file",
    "videos": "video-file",
    "html": "html-file",
    "molecule": "molecule-file",
    "object3D": "object3D-file",
}
_MEMBERS = {"audio": "audio", "videos": "videos", "html": "html", "object3D": "objects"}
"""The member that holds the items' own values."""

_FOLDERS = {"images/separated": "images", "molecule": "molecule", "object3D": "object3D"}
_OF_EACH = {"captions": "caption", "caption": "caption", "all_masks": "masks", "all_boxes": "boxes",
            "sampleRates": "sampleRate", "durations": "duration"}  # fmt: skip
_OF_ALL = ("format", "width", "height")
_INLINE = frozenset({HISTOGRAM, "array"})
"""Kinds that may be whole without a file."""

Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One medium of a logged value; `index` is its place in a list, 0 where there is none."""

    index: int
    type: str
    kind: str
    value: Value

    @property
    def path(self) -> str | None:
        """The file that holds its bytes; None when the value itself is all."""
        return path_in(self.value)

    @property
    def is_whole(self) -> bool:
        """Whether it needs no file."""
        return self.path is None and self.kind in _INLINE

    @property
    def caption(self) -> str | None:
        caption = self.value.get("caption")
        return caption if isinstance(caption, str) else None

    def layers(self, member: str) -> dict[str, Value]:
        """Its masks or boxes by name."""
        given = self.value.get(member)
        layers = given.items() if isinstance(given, Mapping) else ()
        return {str(name): layer for name, layer in layers if isinstance(layer, Mapping)}


def path_in(value: Value) -> str | None:
    """The path that a value names, when a file can have it."""
    path = value.get("path")
    possible = isinstance(path, str) and 0 < len(path) <= MAX_PATH_LENGTH and "\0" not in path
    return path if possible and isinstance(path, str) else None


def kind_of(type_: str, path: str | None) -> str | None:
    """The kind of a value by its type, or by the path where that tells more; None when it is no medium."""
    known = HISTOGRAM if type_ == HISTOGRAM else OF_TYPE.get(type_)
    claim = None if path is None or known is None else claim_of(path)
    return known if claim is None else claim.kind


def items_of(value: Any, key: str, step: int | None) -> list[Item]:  # what a client logged
    """The media in a value that was logged under a key at a step (None: set in the summary)."""
    if isinstance(value, list):
        some = ((index, one) for index, one in enumerate(value) if isinstance(one, dict))
        return [item for index, one in some if (item := _item(index, one)) is not None]
    if not isinstance(value, dict):
        return []
    if value.get("_type") in _ONE_OF:
        listed = _listed(value, key, step)
        return [item for index, one in listed if (item := _item(index, one)) is not None]
    item = _item(0, value)
    return [] if item is None else [item]


def media_in(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Item]]:
    """(dotted key, medium) of all in a summary, nested ones too."""
    for name, value in values.items():
        key = prefix + name
        items = items_of(value, key, None)
        yield from ((key, item) for item in items)
        if not items and isinstance(value, dict) and "_type" not in value:
            yield from media_in(value, f"{key}.")


def _item(index: int, value: Value) -> Item | None:
    type_ = value.get("_type")
    if not isinstance(type_, str) or type_ in _ONE_OF:
        return None
    kind = kind_of(type_, path_in(value))
    return None if kind is None else Item(index, type_, kind, value)


def _listed(value: Value, key: str, step: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(index, value) of each, with what the list says of each and of all."""
    type_ = value["_type"]
    common = {name: value[name] for name in _OF_ALL if name in value}
    for index, own in enumerate(_own_values(value, key, step)):
        said = {name: value[list_][index] for list_, name in _OF_EACH.items() if _says(value, list_, index)}
        yield index, {"_type": _ONE_OF[type_], **common, **said, **own}


def _own_values(value: Value, key: str, step: int | None) -> list[dict[str, Any]]:
    type_ = value["_type"]
    values = value.get(_MEMBERS.get(type_, ""))
    if isinstance(values, list):
        return [one if isinstance(one, dict) else {} for one in values]
    names = value.get("filenames")
    if not isinstance(names, list):
        names = _old_names(value, key, step)
    folder = _FOLDERS.get(type_, "")
    paths = [name if str(name).startswith("media/") else f"media/{folder}/{name}" for name in names]
    return [{"path": path} for path in paths]


def _old_names(value: Value, key: str, step: int | None) -> list[str]:
    """Names of images that clients before 0.9 did not list."""
    count = value.get("count")
    number = count if isinstance(count, int) and value["_type"] == "images/separated" else 0
    ending = value.get("format") if isinstance(value.get("format"), str) else "png"
    return [f"{key}_{step}_{index}.{ending}" for index in range(min(number, MAX_COUNTED))]


def _says(value: Value, name: str, index: int) -> bool:
    listed = value.get(name)
    return isinstance(listed, Sequence) and not isinstance(listed, str) and index < len(listed)
