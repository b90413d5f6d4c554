"""What is found in point clouds, and the preview of them, byte for byte as docs/media.md says."""

import json
import math
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhue import Object3D
from runhue_server.media.kinds import point_clouds, point_rows
from runhue_server.media.kinds.point_clouds import MAX_SHOWN, shown_of
from tests.unit.media_kinds.looking import Looked, look, refused
from tests.unit.media_kinds.samples import LIDAR


def points(rows: Any) -> Looked:
    return look("points", "pts.json", json.dumps(rows).encode())


def preview_of(looked: Looked) -> tuple[dict[str, Any], np.ndarray[Any, Any], bytes]:
    """Header, x y z of the shown points, and what comes behind."""
    assert looked.types == {"preview": "application/octet-stream"}
    content = looked.made["preview"]
    assert content[:8] == b"RHPC\1\0\0\0"
    length = int.from_bytes(content[8:12], "little")
    assert length % 4 == 0
    header = json.loads(content[12 : 12 + length])
    start = 12 + length
    places = np.frombuffer(content, "<f4", 3 * header["shown"], start).reshape(-1, 3)
    return header, places, content[start + 12 * header["shown"] :]


@given(st.integers(0, 5000), st.integers(1, 700))
@settings(max_examples=300)
def test_shown_points_are_evenly_spread(count: int, most: int) -> None:
    """Point i is shown when floor(i * most / count) differs from that of i - 1, and the first always is."""
    shown = shown_of(count, most).tolist()

    assert shown == [
        i for i in range(count) if count <= most or i == 0 or i * most // count != (i - 1) * most // count
    ]
    assert len(shown) == min(count, most)
    assert len({after - before for before, after in pairwise(shown)}) <= 2


def test_the_largest_cloud_has_as_many_shown_as_may_be() -> None:
    """Millions of points are thinned to 300,000, from the first on."""
    shown = shown_of(5_000_000)

    assert (len(shown), shown[0], shown[-1]) == (MAX_SHOWN, 0, 4_999_984)
    assert set(np.diff(shown).tolist()) == {16, 17}


def test_points_without_color() -> None:
    """Places as 32-bit floats, and nothing behind them."""
    looked = points([[0.1, 2, 3], [-4, 5e3, 6]])

    header, places, rest = preview_of(looked)
    assert looked.facts == {
        "shape": "xyz",
        "points": 2,
        "bounds": [[-4, 2, 3], [0.1, 5000, 6]],
        "categories": None,
        "boxes": 0,
        "vectors": 0,
        "shown": 2,
        "clipped": 0,
    }
    assert header == {
        "points": 2,
        "shown": 2,
        "columns": ["x", "y", "z"],
        "bounds": [[-4, 2, 3], [0.1, 5000, 6]],
        "boxes": [],
        "vectors": [],
        "clipped": 0,
    }
    assert places.tolist() == np.array([[0.1, 2, 3], [-4, 5e3, 6]], "f4").tolist()
    assert rest == b""


def test_categories_and_colors_are_bytes_and_are_clipped() -> None:
    """What is out of range is brought into it, and counted by points."""
    categories = points([[0, 0, 0, 1], [0, 0, 0, 14], [0, 0, 0, 15], [0, 0, 0, -3]])
    colors = points([[0, 0, 0, 255, 0, 7.4], [0, 0, 0, -1, 256, 3]])

    assert preview_of(categories)[2] == bytes([1, 14, 14, 1])
    assert (categories.facts["shape"], categories.facts["categories"], categories.facts["clipped"]) == (
        "xyzc",
        [1, 14],
        2,
    )
    assert preview_of(colors)[2] == bytes([255, 0, 7, 0, 255, 3])
    assert (colors.facts["shape"], colors.facts["clipped"]) == ("xyzrgb", 1)
    assert preview_of(colors)[0]["clipped"] == 1


def test_a_scene_keeps_its_boxes_and_vectors() -> None:
    """Corners, labels, colors, scores and vectors are in the preview's header."""
    looked = points(LIDAR)

    header, places, _ = preview_of(looked)
    assert (looked.facts["shape"], looked.facts["boxes"], looked.facts["vectors"]) == ("lidar", 1, 1)
    assert header["boxes"] == LIDAR["boxes"]
    assert header["vectors"] == [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5], "color": None}]
    assert places.tolist() == [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("scene", "shape"),
    [
        ({"type": "lidar/beta"}, "lidar"),
        ({"type": "lidar/beta", "points": [], "boxes": []}, "lidar"),
        ([], "xyz"),
    ],
)
def test_nothing_to_show_is_a_cloud_too(scene: Any, shape: str) -> None:
    """Without a point there are no bounds."""
    facts = points(scene).facts

    assert (facts["shape"], facts["points"], facts["bounds"]) == (shape, 0, None)


def test_a_scene_with_nan_in_a_score_is_shown() -> None:
    """What only the lenient parser takes is read as well; a score that is no number is null."""
    box = LIDAR["boxes"][0] | {"score": math.nan}

    header, places, _ = preview_of(points(LIDAR | {"boxes": [box]}))

    assert header["boxes"][0]["score"] is None
    assert len(places) == 2


@pytest.mark.parametrize("width", [3, 4, 6])
def test_what_the_sdk_logs_is_read(width: int) -> None:
    """Arrays that runhue.Object3D stored come back with their points."""
    array = np.arange(1, 1 + 2 * width).reshape(2, width)
    content = Object3D(array)._content
    assert isinstance(content, bytes)

    _, places, rest = preview_of(look("points", "pts.json", content))

    assert places.tolist() == array[:, :3].tolist()
    assert rest == array[:, 3:].astype("u1").tobytes()


def test_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that is read in pieces of some bytes is the same, wherever the pieces end."""
    rows = np.random.default_rng(3).normal(size=(12, 3)).round(2).tolist()
    scene = json.dumps({"points": rows, "type": "lidar/beta"})
    for text in (json.dumps(rows), json.dumps(rows) + "\n \n", json.dumps(rows, indent=1), scene):
        whole = look("points", "pts.json", text.encode())
        for size in range(50, 2 + len(text)):
            monkeypatch.setattr(point_rows, "_PIECE_BYTES", size)
            assert Looked("points", "pts.json", text.encode()).made == whole.made
        monkeypatch.undo()


@pytest.mark.parametrize("size", [4 << 20, 12, 30])
@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("[[1,2,3],[1,2,NaN]]", "bad_number", "Row 1 holds nan; finite numbers up to 3.4e38 are allowed."),
        ("[[1,2,3],[1,2,1e999]]", "bad_number", "Row 1 holds inf"),
        ("[[1,2,3],[1,2,1e39]]", "bad_number", "Row 1 holds 1e+39"),
        ("[[1,2,3],[1,2,null]]", "bad_number", "Row 1 holds null"),
        ('[[1,2,3],[1,2,"3"]]', "bad_number", "Row 1 holds the text '3'"),
        ("[[1,2,3],[1,2,true]]", "bad_number", "Row 1 holds true"),
        ("[[1,2,3],[1,2,[3]]]", "bad_number", "Row 1 holds a list of 1"),
        ("[[1,2,3],[1,2,3,4]]", "ragged", "Row 1 has 4 numbers, the ones before have 3."),
        ("[[1,2,3],[]]", "ragged", "Row 1 has 0 numbers"),
        ("[[1,2],[1,2]]", "wrong_shape", "Row 0 has 2 numbers; x, y, z, or these with"),
        ("[1,2,3]", "wrong_shape", "Row 0 must be a point, found 1."),
        ("[[1,2,3] [4,5,6]]", "not_json", "no JSON"),
        ("[[1,2,3],[4,5,6],]", "not_json", "no JSON"),
        ("[[1,2,3],[4,5,6]]]", "not_json", "no JSON"),
        ("[[1,2,3],[4,5,6]", "not_json", "no JSON"),
    ],
)
def test_rows_that_are_no_points_are_named(
    monkeypatch: pytest.MonkeyPatch, size: int, text: str, code: str, reason: str
) -> None:
    """The reason has the number of the row, whichever piece it is in."""
    monkeypatch.setattr(point_rows, "_PIECE_BYTES", size)

    found = refused("points", "pts.json", text.encode())

    if size > 100:
        assert (found.code, reason in found.reason) == (code, True), found.reason
    else:
        assert found.code in {code, "wrong_shape", "not_json", "ragged", "bad_number"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "lidar/alpha"}, "A scene's type must be 'lidar/beta', found the text 'lidar/alpha'."),
        ({"points": 3}, "The scene's points must be a list, found 3."),
        ({"boxes": {}}, "The scene's boxes must be a list, found an object with 0 keys."),
        ({"boxes": [{"corners": []}]}, "Box 0 must have 8 corners, found a list of 0."),
        (
            {"boxes": [{"corners": 8 * [[1, 2]]}]},
            "A corner of Box 0 must be three numbers, found a list of 2.",
        ),
        ({"vectors": [{"start": [0, 0, 0]}]}, "The end of Vector 0 must be three numbers, found null."),
        ({"vectors": [7]}, "Vector 0 must be an object, found 7."),
    ],
)
def test_scenes_of_another_shape_are_refused(change: dict[str, Any], reason: str) -> None:
    """What is wrong is named by its number."""
    found = refused("points", "pts.json", json.dumps(LIDAR | change).encode())

    assert (found.code, found.reason) == ("wrong_shape", reason)


def test_too_many_points_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More points than memory is allowed for have their reason."""
    monkeypatch.setattr(point_rows, "MAX_POINTS", 2)

    assert refused("points", "pts.json", b"[[1,2,3],[1,2,3],[1,2,3]]").code == "too_many_points"


def test_a_large_cloud_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown points and their colors are those of the rule; the facts are of all points."""
    rows = np.concatenate([np.arange(30).reshape(10, 3), np.arange(30).reshape(10, 3)], axis=1)
    monkeypatch.setattr(point_clouds, "shown_of", lambda count: shown_of(count, 4))

    looked = points(rows.tolist())

    _, places, rest = preview_of(looked)
    assert (looked.facts["points"], looked.facts["shown"], looked.facts["bounds"]) == (
        10,
        4,
        [[0, 1, 2], [27, 28, 29]],
    )
    assert places[:, 0].tolist() == [0, 9, 15, 24]
    assert struct.unpack("12B", rest)[::3] == (0, 9, 15, 24)
