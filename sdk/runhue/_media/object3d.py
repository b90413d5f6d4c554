"""`runhue.Object3D`: models, point clouds, and scenes of points, boxes and vectors."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.point_clouds import Cloud, Scene
from runhue._media.sources import file_of
from runhue._media.text import caption_of, json_bytes, path_of

FORMATS = ("obj", "gltf", "glb", "babylon", "stl", "pts.json")
POINTS = "pts.json"
FOLDER = "object3D"
SCENE = "lidar/beta"


class Object3D(Media):
    """Something in three dimensions. Arrays are taken at once; a file is kept as it is.

    Args:
        data_or_path: points of shape (n, 3), (n, 4) with a category from 1 to 14, or (n, 6) with r, g,
            b from 0 to 255; a scene `{"type": "lidar/beta", "points", "boxes", "vectors"}`; or a path
            or an open file: obj, gltf, glb, babylon, stl, pts.json.
        caption: shown below it.
        file_type: one of these, for an open file without a name.
    Raises:
        BadMedia: another shape, scene or format, or no such file.
        LibraryMissing: points need numpy (`runhue[media]`).
    """

    SUPPORTED_TYPES = frozenset(FORMATS)
    SUPPORTED_POINT_CLOUD_TYPES = frozenset({SCENE})

    def __init__(
        self,
        data_or_path: Any,  # array, dict, path or open file
        caption: str | None = None,
        *,
        file_type: str | None = None,
    ) -> None:
        self.caption = caption_of(caption, "Object3D")
        self._warnings: list[str] = []
        self._content: bytes | Path
        if isinstance(data_or_path, Mapping) or hasattr(data_or_path, "shape"):
            self._content, self._extension = self._points(data_or_path), POINTS
        elif isinstance(data_or_path, list | tuple):
            self._content, self._extension = (
                self._points(library("numpy", "Object3D").asarray(data_or_path)),
                POINTS,
            )
        elif path_of(data_or_path) is None and not hasattr(data_or_path, "read"):
            kind = type(data_or_path).__name__
            raise BadMedia(f"Object3D takes an array, a scene, a path or an open file, got {kind}")
        else:
            self._content, self._extension = file_of(data_or_path, file_type, FORMATS, "Object3D")

    def _points(self, data: Any) -> bytes:  # array or scene
        if not isinstance(data, Mapping):
            cloud = Cloud(data)
            self._warnings += cloud.warnings
            return json_bytes(cloud.points)
        if data.get("type") != SCENE:
            raise BadMedia(f"Object3D: the type of a scene must be {SCENE!r}, got {data.get('type')!r}")
        scene = Scene(data)
        self._warnings += scene.warnings
        parts = {"vectors": scene.vectors, "points": scene.points, "boxes": scene.boxes}
        return json_bytes({"type": SCENE, **parts})

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> "Object3D":  # path or open file
        """As `Object3D` of a file."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> "Object3D":  # array
        """As `Object3D` of points."""
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,  # array or sequence of points
        boxes: Sequence[Mapping[str, Any]],
        vectors: Sequence[Mapping[str, Any]] | None = None,
        point_cloud_type: Literal["lidar/beta"] = "lidar/beta",
    ) -> "Object3D":
        """As `Object3D` of a scene."""
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: object3D-file, path, sha256, size, caption?}`; points as `*.pts.json`."""
        for warning in self._warnings:
            place.warn(f"{place.key}: {warning}")
        value = {"_type": "object3D-file", **place.add_file(self._content, FOLDER, self._extension)}
        if self.caption is not None:
            value["caption"] = self.caption
        return value

    @classmethod
    def stored_list(cls, items: Sequence["Object3D"], place: Place) -> dict[str, Any]:
        """`{_type: object3D, count, filenames: [...], objects: [...]}`."""
        objects = [item.stored(place) for item in items]
        names = [value["path"].removeprefix(f"media/{FOLDER}/") for value in objects]
        return {"_type": "object3D", "filenames": names, "count": len(objects), "objects": objects}


def box3d(
    *,
    center: Sequence[float],
    size: Sequence[float],
    orientation: Sequence[float],
    color: Sequence[float],
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """A box of a scene, from its center (x, y, z), size along its own axes, and orientation.

    Args:
        orientation: a quaternion (r, x, y, z) other than 0, which turns the axes of space into the
            box's.
        color: r, g, b.
    Raises:
        BadMedia: not 3, 3 and 4 numbers, or a quaternion of 0.
    """
    x, y, z = _numbers(center, 3, "center")
    sides = _numbers(size, 3, "size")
    axes = _rotation(*_numbers(orientation, 4, "orientation"))
    corners = []
    for signs in itertools.product((-1, 1), repeat=3):
        offset = [side * sign / 2 for side, sign in zip(sides, signs, strict=True)]
        turned = [sum(part * row[axis] for part, row in zip(offset, axes, strict=True)) for axis in range(3)]
        corners.append((x + turned[0], y + turned[1], z + turned[2]))
    return {"corners": tuple(corners), "color": color, "label": label, "score": score}


def _numbers(values: Sequence[float], count: int, name: str) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count:
        raise BadMedia(f"box3d: {name} must be {count} numbers, got {len(numbers)}")
    return numbers


def _rotation(r: float, i: float, j: float, k: float) -> list[list[float]]:
    """Where the quaternion turns the three axes: its rows."""
    length = math.hypot(r, i, j, k)
    if length == 0:
        raise BadMedia("box3d: orientation must not be 0, 0, 0, 0")
    r, i, j, k = r / length, i / length, j / length, k / length
    return [
        [1 - 2 * (j * j + k * k), 2 * (i * j + k * r), 2 * (i * k - j * r)],
        [2 * (i * j - k * r), 1 - 2 * (i * i + k * k), 2 * (j * k + i * r)],
        [2 * (i * k + j * r), 2 * (j * k - i * r), 1 - 2 * (i * i + j * j)],
    ]
