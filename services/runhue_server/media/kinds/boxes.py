"""Bounding boxes of an image, as the wandb client writes them: one JSON file for each set."""

import math
from collections import Counter
from typing import Any, Final

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import shown
from runhue_server.media.kinds.json_files import as_list, as_object, is_number, named, read_json

MAX_NAMES: Final = 1_000
"""Distinct scores, and distinct classes."""

MAX_BOXES_BYTES: Final = 64 << 20
_CORNERS: Final = ("minX", "maxX", "minY", "maxY")


def inspect_boxes(source: Source, workshop: Workshop) -> Facts:  # noqa: ARG001  # an `Inspector`
    """How many boxes there are of which class, and between what their scores lie.

    Classes are in the order of their ids; boxes without one are counted under null. Scores that are no finite
    numbers are left out.

    Raises:
        Refused: a code of `read_json`, `wrong_shape`, or `too_many_names`.
    """
    boxes = _boxes(read_json(source, MAX_BOXES_BYTES))
    classes: Counter[int | None] = Counter()
    scores: dict[str, list[float]] = {}
    for place, box in enumerate(boxes):
        box = as_object(box, f"box {place:,}")
        _check_position(box.get("position"), place)
        classes[_class(box.get("class_id"), place)] += 1
        _add_scores(scores, box.get("scores"), place)
        if max(len(scores), len(classes)) > MAX_NAMES:
            raise Refused("too_many_names", f"The boxes have more than {MAX_NAMES:,} classes or scores.")
    ordered = sorted(classes.items(), key=lambda one: (one[0] is None, one[0] or 0))
    return {
        "count": len(boxes),
        "classes": [{"id": number, "count": count} for number, count in ordered],
        "scores": {shown(name): {"min": low, "max": high} for name, (low, high) in sorted(scores.items())},
    }


def _boxes(value: Any) -> list[Any]:  # whatever JSON says
    """Files beside images hold an object, those in artifacts the list alone."""
    return as_list(
        value["box_data"] if isinstance(value, dict) and "box_data" in value else value, "box_data"
    )


def _check_position(position: object, place: int) -> None:
    """Raises Refused: the position is neither corners nor a middle with width and height."""
    found = as_object(position, f"position of box {place:,}")
    if all(_is_finite(found.get(name)) for name in _CORNERS):
        return
    middle = found.get("middle")
    sized = _is_finite(found.get("width")) and _is_finite(found.get("height"))
    if sized and isinstance(middle, list) and len(middle) == 2 and all(map(_is_finite, middle)):
        return
    raise Refused(
        "wrong_shape",
        f"The position of box {place:,} must have minX, maxX, minY and maxY, or middle, width and height.",
    )


def _class(number: object, place: int) -> int | None:
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 1 << 53:
        raise Refused("wrong_shape", f"class_id of box {place:,} must be an integer, found {named(number)}.")
    return number


def _add_scores(scores: dict[str, list[float]], given: object, place: int) -> None:
    if given is None:
        return
    for name, value in as_object(given, f"scores of box {place:,}").items():
        if isinstance(value, int | float) and _is_finite(value):
            bounds = scores.setdefault(name, [float(value), float(value)])
            bounds[:] = min(bounds[0], value), max(bounds[1], value)


def _is_finite(value: object) -> bool:
    return is_number(value) and isinstance(value, int | float) and math.isfinite(value)
