"""Boxes and vectors of a scene, checked, as the preview tells them."""

import math
from typing import Any, Final

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.first_bytes import shown
from runhue_server.media.kinds.json_files import as_object, is_number, named

MAX_SHAPES: Final = 20_000
_CORNERS: Final = 8
_LARGEST: Final = 3.4e38


def boxes_of(entries: list[Any]) -> list[dict[str, Any]]:  # of whatever JSON says
    """`{"corners": 8 points, "label", "color", "score"}` of each; what is missing is null.

    Raises:
        Refused: `wrong_shape` with the box's number, or `too_many_shapes`.
    """
    _check_count(entries, "boxes")
    return [_box(as_object(entry, f"Box {at:,}"), f"Box {at:,}") for at, entry in enumerate(entries)]


def vectors_of(entries: list[Any]) -> list[dict[str, Any]]:  # of whatever JSON says
    """`{"start": point, "end": point, "color"}` of each.

    Raises:
        Refused: `wrong_shape` with the vector's number, or `too_many_shapes`.
    """
    _check_count(entries, "vectors")
    return [_vector(as_object(entry, f"Vector {at:,}"), f"Vector {at:,}") for at, entry in enumerate(entries)]


def _check_count(entries: list[Any], name: str) -> None:
    if len(entries) > MAX_SHAPES:
        raise Refused(
            "too_many_shapes", f"The scene has {len(entries):,} {name}; {MAX_SHAPES:,} are allowed."
        )


def _box(box: dict[str, Any], name: str) -> dict[str, Any]:
    corners = box.get("corners")
    if not isinstance(corners, list) or len(corners) != _CORNERS:
        raise Refused("wrong_shape", f"{name} must have 8 corners, found {named(corners)}.")
    label, score = box.get("label"), box.get("score")
    return {
        "corners": [_point(corner, f"A corner of {name}") for corner in corners],
        "label": None if label is None else shown(label, 200),
        "color": _color(box.get("color"), name),
        "score": score if is_number(score) and math.isfinite(score) else None,
    }


def _vector(vector: dict[str, Any], name: str) -> dict[str, Any]:
    start, end = (_point(vector.get(which), f"The {which} of {name}") for which in ("start", "end"))
    return {"start": start, "end": end, "color": _color(vector.get("color"), name)}


def _color(color: object, name: str) -> list[float] | None:
    return None if color is None else _point(color, f"The color of {name}")


def _point(value: object, name: str) -> list[float]:
    if not isinstance(value, list) or len(value) != 3:
        raise Refused("wrong_shape", f"{name} must be three numbers, found {named(value)}.")
    for part in value:
        if not is_number(part) or not abs(part) <= _LARGEST:
            raise Refused("wrong_shape", f"{name} must be finite numbers, found {named(part)}.")
    return value
