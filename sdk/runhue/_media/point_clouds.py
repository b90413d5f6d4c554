"""Points, boxes and vectors of a scene, checked, as lists of numbers."""

from collections.abc import Mapping
from typing import Any

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.tensors import as_numpy
from runhue._values import plain

CATEGORIES = 14
BRIGHTEST = 255
SHAPES = "(n, 3), (n, 4) with a category, or (n, 6) with r, g, b"

Point = list[float]


class Cloud:
    """Points of shape (n, 3), (n, 4) or (n, 6); `warnings` say what was changed."""

    def __init__(self, given: Any) -> None:  # array or sequence of points
        self.warnings: list[str] = []
        array = _numbers(given, "points")
        if array.ndim != 2 or array.shape[1] not in {3, 4, 6}:
            raise BadMedia(f"Object3D: points must have shape {SHAPES}, got {array.shape}")
        array = self._finite(array)
        if array.shape[1] == 4:
            _check_categories(array[:, 3])
        if array.shape[1] == 6:
            array = self._clipped(array)
        self.points: list[Point] = array.tolist()

    def _finite(self, array: Any) -> Any:  # numpy.ndarray
        whole = library("numpy", "Object3D").isfinite(array).all(axis=1)
        missing = int((~whole).sum())
        if missing:
            self.warnings.append(f"{missing} points with NaN or infinite values are left out")
        return array[whole] if missing else array

    def _clipped(self, array: Any) -> Any:  # numpy.ndarray
        colors = array[:, 3:]
        if ((colors < 0) | (colors > BRIGHTEST)).any():
            self.warnings.append(f"color components are cut to 0..{BRIGHTEST}")
            array = array.copy()
            array[:, 3:] = colors.clip(0, BRIGHTEST)
        return array


class Scene:
    """Points, boxes of 8 corners, and vectors from start to end, each of which may be missing."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.warnings: list[str] = []
        self.points: list[Point] = []
        points = given.get("points")
        if points is not None and len(points):
            cloud = Cloud(points)
            self.points, self.warnings = cloud.points, cloud.warnings
        self.boxes = [self._box(box, f"box {at}") for at, box in enumerate(_entries(given, "boxes"))]
        self.vectors = [
            self._vector(vector, f"vector {at}") for at, vector in enumerate(_entries(given, "vectors"))
        ]

    def _box(self, box: object, name: str) -> dict[str, Any]:
        stored = _plain_entry(box, name)
        corners = stored.get("corners")
        if not isinstance(corners, list) or len(corners) != 8 or not all(map(_is_point, corners)):
            raise BadMedia(f"Object3D: {name} must have corners, 8 points of x, y, z; got {corners!r:.80}")
        if not isinstance(stored.get("label"), str | None):
            raise BadMedia(f"Object3D: {name}: label must be a str, got {stored['label']!r}")
        return self._with_color(stored, name)

    def _vector(self, vector: object, name: str) -> dict[str, Any]:
        stored = _plain_entry(vector, name)
        if not _is_point(stored.get("start")) or not _is_point(stored.get("end")):
            raise BadMedia(f"Object3D: {name} must have start and end, points of x, y, z; got {vector!r:.80}")
        return self._with_color(stored, name)

    def _with_color(self, stored: dict[str, Any], name: str) -> dict[str, Any]:
        color = stored.get("color")
        if color is None:
            return stored
        if not _is_point(color):
            raise BadMedia(f"Object3D: {name}: color must be r, g, b, got {color!r:.80}")
        clipped = [min(max(part, 0), BRIGHTEST) for part in color]
        if clipped != color:
            self.warnings.append(f"color components are cut to 0..{BRIGHTEST}")
        return stored | {"color": clipped}


def _entries(given: Mapping[str, Any], name: str) -> list[Any]:
    entries = given.get(name)
    if entries is None:
        return []
    if hasattr(entries, "tolist"):
        entries = entries.tolist()
    if not isinstance(entries, list | tuple):
        raise BadMedia(f"Object3D: {name} must be a list of dicts, got {type(entries).__name__}")
    return list(entries)


def _plain_entry(entry: object, name: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise BadMedia(f"Object3D: {name} must be a dict, got {type(entry).__name__}")
    return {key: plain(part, name) for key, part in entry.items() if part is not None}


def _is_point(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(
            isinstance(part, int | float) and abs(part) != float("inf") and part == part for part in value
        )
    )


def _numbers(given: Any, name: str) -> Any:  # array or sequence -> numpy.ndarray
    array = as_numpy(given, f"Object3D {name}")
    if array.dtype.kind not in "biuf":
        raise BadMedia(f"Object3D: {name} must be numbers, got {array.dtype}")
    return array


def _check_categories(categories: Any) -> None:  # numpy.ndarray
    numpy = library("numpy", "Object3D")
    wrong = categories[(categories < 1) | (categories > CATEGORIES) | (categories != numpy.floor(categories))]
    if wrong.size:
        raise BadMedia(
            f"Object3D: a category must be an integer from 1 to {CATEGORIES}, got {wrong[0].item()}"
        )
