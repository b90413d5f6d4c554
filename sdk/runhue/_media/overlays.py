"""Masks and boxes over an image, with the names of their classes."""

import math
import struct
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Place, SettingKind
from runhue._media.pixels import encoded, picture_of_bytes
from runhue._media.tensors import as_numpy
from runhue._media.text import existing_file, json_bytes, path_of
from runhue._values import plain

ClassLabels = dict[str, str]
"""Name by class id, which is a decimal number."""

DOMAINS = frozenset({None, "percentage", "fraction", "pixel"})
FAR_BEYOND = 2
"""A fraction of an image may overshoot 1; nothing that is meant as one is as large as this."""

CORNERS = ("minX", "maxX", "minY", "maxY")
WANDB_TYPES: dict[str, str] = {
    "mask_classes": "mask/class_labels",
    "box_classes": "bounding_box/class_labels",
}


class Classes(list[Mapping[str, Any]]):
    """Names of classes, `[{"id": 1, "name": "car"}, ...]`, to be given to several images.

    Raises:
        BadMedia: an entry without id and name, an id that is no integer, or a name that is no str.
    """

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        class_labels(class_set, "Classes")
        super().__init__(class_set)


class Mask:
    """One layer of class ids, one per pixel."""

    def __init__(self, name: str, given: object, labels: ClassLabels | None) -> None:
        self.name = name
        if not isinstance(given, Mapping):
            raise BadMedia(f"masks[{name!r}] must be a dict with mask_data, got {type(given).__name__}")
        path = path_of(given.get("path"))
        if path is not None:
            self.content = _mask_file(existing_file(path, "masks").read_bytes(), name)
            found: list[int] = []
        else:
            self.content, found = _mask_pixels(given, name)
        self.labels = class_labels(given.get("class_labels"), f"masks[{name!r}]") or labels
        if self.labels is None and found:
            self.labels = _default_labels(found)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, which stand at this place of every PNG."""
        width, height = struct.unpack(">II", self.content[16:24])
        return width, height

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: mask, path, sha256, size}`; the labels are recorded beside it."""
        if self.labels:
            _record_labels(place, "mask_classes", self.name, self.labels)
        return {"_type": "mask", **place.add_file(self.content, "images/mask", "mask.png")}


class Boxes:
    """One group of boxes."""

    def __init__(self, name: str, given: object, labels: ClassLabels | None) -> None:
        self.name = name
        boxes = given.get("box_data") if isinstance(given, Mapping) else None
        if not isinstance(given, Mapping) or not isinstance(boxes, list | tuple):
            raise BadMedia(f"boxes[{name!r}] must be a dict with a list box_data, got {given!r:.80}")
        self.boxes = [_box(box, f"boxes[{name!r}] box {at}") for at, box in enumerate(boxes)]
        found = {box["class_id"] for box in self.boxes if "class_id" in box}
        labels = class_labels(given.get("class_labels"), f"boxes[{name!r}]") or labels
        self.labels = labels if labels is not None else _default_labels(sorted(found))

    @property
    def looks_like_pixels(self) -> bool:
        """True when a box that is said to have fractions of the image has pixels, it seems."""
        return any(
            abs(number) > FAR_BEYOND
            for box in self.boxes
            if box.get("domain") != "pixel"
            for side in box["position"].values()
            for number in (side if isinstance(side, list) else [side])
            if _is_finite(number)
        )

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: boxes2D, path, sha256, size}`; the labels are in the file, and recorded beside it."""
        _record_labels(place, "box_classes", self.name, self.labels)
        content = json_bytes({"box_data": self.boxes, "class_labels": self.labels})
        return {"_type": "boxes2D", **place.add_file(content, "metadata/boxes2D", "boxes2D.json")}


def class_labels(given: object, name: str) -> ClassLabels | None:
    """Names of classes by id, from a dict or a sequence of `{id, name}`; None when none are given.

    Raises:
        BadMedia: an id that is no integer, or a name that is no str.
    """
    if given is None:
        return None
    if isinstance(given, Sequence) and not isinstance(given, str):
        if not all(isinstance(entry, Mapping) and {"id", "name"} <= set(entry) for entry in given):
            raise BadMedia(f"{name}: classes must be dicts with id and name, got {given!r:.80}")
        given = {entry["id"]: entry["name"] for entry in given}
    if not isinstance(given, Mapping):
        raise BadMedia(
            f"{name}: class_labels must be a dict of names by class id, got {type(given).__name__}"
        )
    for number, label in given.items():
        if not isinstance(number, Real) or not isinstance(label, str):
            raise BadMedia(f"{name}: class_labels must be names by class id, got {number!r}: {label!r}")
    return {str(int(number)): plain(label, name) for number, label in given.items()}


def _default_labels(found: Sequence[int]) -> ClassLabels:
    return {str(number): f"class_{number}" for number in found}


def _record_labels(place: Place, kind: SettingKind, name: str, labels: ClassLabels) -> None:
    """Under the key that wandb uses, and under the whole one when the image is nested."""
    for key in dict.fromkeys((place.name, place.key)):
        full = f"{key}_wandb_delimeter_{name}"
        place.set_media(kind, full, {"type": WANDB_TYPES[kind], "key": full, "value": labels})


def _mask_pixels(given: Mapping[Any, Any], name: str) -> tuple[bytes, list[int]]:
    """(PNG with the class ids as pixels, ids that occur)."""
    numpy = library("numpy", "Image masks")
    if given.get("mask_data") is None:
        raise BadMedia(f"masks[{name!r}] must have mask_data, a 2-D array of class ids, or path")
    data = as_numpy(given["mask_data"], "mask_data")
    if data.ndim != 2 or data.size == 0:
        raise BadMedia(f"masks[{name!r}]: mask_data must have shape (height, width), got {data.shape}")
    if data.dtype.kind not in "biuf" or bool((data != numpy.floor(data)).any()):
        raise BadMedia(f"masks[{name!r}]: mask_data must hold integers, got {data.dtype}")
    low, high = int(data.min()), int(data.max())
    if low < 0 or high > 255:
        raise BadMedia(f"masks[{name!r}]: mask_data must hold class ids from 0 to 255, got {low} to {high}")
    ids = data.astype(numpy.uint8)
    picture = library("PIL.Image", "Image masks").fromarray(ids)
    return encoded(picture, "png"), numpy.unique(ids).tolist()


def _mask_file(content: bytes, name: str) -> bytes:
    """A mask's file as PNG whose pixels are class ids."""
    picture = picture_of_bytes(content, f"masks[{name!r}]")
    if picture.mode not in {"L", "P", "1"}:
        picture = picture.convert("L")
    elif picture.format == "PNG":
        return content
    return encoded(picture, "png")


def _box(box: object, name: str) -> dict[str, Any]:
    if not isinstance(box, Mapping):
        raise BadMedia(f"{name} must be a dict, got {type(box).__name__}")
    stored: dict[str, Any] = plain(dict(box), name)
    _check_position(stored.get("position"), name)
    if stored.get("domain") not in DOMAINS:
        raise BadMedia(
            f"{name}: domain must be 'percentage' (the default) or 'pixel', got {stored['domain']!r}"
        )
    class_id = stored.get("class_id", 0)
    if isinstance(class_id, bool) or not isinstance(class_id, Integral):
        raise BadMedia(f"{name}: class_id must be an integer, got {class_id!r}")
    if not isinstance(stored.get("box_caption", ""), str):
        raise BadMedia(f"{name}: box_caption must be a str, got {stored['box_caption']!r}")
    scores = stored.get("scores", {})
    if not isinstance(scores, dict) or not all(_is_number(score) for score in scores.values()):
        raise BadMedia(f"{name}: scores must be numbers by name, got {scores!r:.80}")
    return stored


def _check_position(position: object, name: str) -> None:
    if isinstance(position, dict):
        middle = position.get("middle")
        sides = [position.get("width"), position.get("height")]
        corners = [position.get(corner) for corner in CORNERS]
        is_around_middle = (
            isinstance(middle, list) and len(middle) == 2 and all(map(_is_finite, middle + sides))
        )
        if is_around_middle or all(map(_is_finite, corners)):
            return
    raise BadMedia(
        f"{name}: position must have numbers minX, maxX, minY, maxY, or middle [x, y], width, height;"
        f" got {position!r:.80}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
