"""Looks at point clouds and scenes; makes the preview that screens show of large ones."""

from typing import Any, Final

import numpy as np
import orjson

from runhue_server.media.contract import Facts, Source, Workshop
from runhue_server.media.kinds.point_rows import Rows, read_scene
from runhue_server.media.kinds.scene_shapes import boxes_of, vectors_of

MAX_SHOWN: Final = 300_000
MAX_CATEGORY: Final = 14
MAX_COLOR: Final = 255
MAGIC: Final = b"RHPC\1\0\0\0"
PREVIEW_TYPE: Final = "application/octet-stream"
_SHAPES: Final = {3: "xyz", 4: "xyzc", 6: "xyzrgb"}


def shown_of(count: int, most: int = MAX_SHOWN) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which of `count` points are shown, ascending: min(count, most) of them, evenly spread.

    Point i is shown when floor(i * most / count) differs from that of i - 1; the first always is.
    """
    if count <= most:
        return np.arange(count, dtype=np.int64)
    # The first i with floor(i * most / count) = k is k * count / most, rounded up.
    return -(-np.arange(most, dtype=np.int64) * count // most)


def inspect_points(source: Source, workshop: Workshop) -> Facts:
    """What a point cloud holds; the rendition `preview` is described in docs/media.md.

    Returns:
        `shape`: xyz, xyzc (with a category), xyzrgb, or lidar (a scene); `points`; `bounds`: the lowest
        and the highest x, y, z, null without a point; `categories`: those there are, ascending, or null;
        `boxes` and `vectors`: how many; `shown`: points in the preview; `clipped`: points whose color or
        category was out of range.
    Raises:
        Refused: as `read_scene`; `wrong_shape` with the box or vector.
    """
    scene = read_scene(source)
    boxes, vectors = boxes_of(scene.boxes), vectors_of(scene.vectors)
    kept = scene.rows[shown_of(len(scene.rows))]
    extra, clipped = _extra(scene.rows)
    columns = _SHAPES[scene.rows.shape[1]]
    bounds = _bounds(scene.rows)
    header = {"points": len(scene.rows), "shown": len(kept), "columns": list(columns), "bounds": bounds}
    header |= {"boxes": boxes, "vectors": vectors, "clipped": clipped}
    parts = kept[:, :3].astype("<f4").tobytes(), extra[shown_of(len(extra))].tobytes()
    workshop.put("preview", PREVIEW_TYPE, _preview(header, *parts))
    return {
        "shape": "lidar" if scene.is_lidar else columns,
        "points": len(scene.rows),
        "bounds": bounds,
        "categories": np.unique(extra).tolist() if columns == "xyzc" else None,
        "boxes": len(boxes),
        "vectors": len(vectors),
        "shown": len(kept),
        "clipped": clipped,
    }


def _extra(rows: Rows) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], int]:
    """Colors or categories of all points as bytes, and how many points had some out of range."""
    values = np.rint(rows[:, 3:])
    low, high = (1, MAX_CATEGORY) if rows.shape[1] == 4 else (0, MAX_COLOR)
    outside = ((rows[:, 3:] < low) | (rows[:, 3:] > high)).any(axis=1)
    return values.clip(low, high).astype(np.uint8), int(outside.sum())


def _bounds(rows: Rows) -> list[list[float]] | None:
    if not len(rows):
        return None
    return [rows[:, :3].min(axis=0).tolist(), rows[:, :3].max(axis=0).tolist()]


def _preview(header: dict[str, Any], *parts: bytes) -> bytes:
    text = orjson.dumps(header)
    text += b" " * (-len(text) % 4)
    return b"".join((MAGIC, len(text).to_bytes(4, "little"), text, *parts))
