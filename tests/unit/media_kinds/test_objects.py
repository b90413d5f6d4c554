"""What is found in three-dimensional objects, and that lengths and indices that lie are refused."""

import base64
import copy
import json
import struct
from typing import Any

import pytest

from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import BABYLON, OBJ, SCENE, STL, STL_TEXT, glb

TRIANGLE = {"vertices": 3, "faces": 1, "external": []}


def scene(**changes: Any) -> dict[str, Any]:
    """The sample's glTF, with parts exchanged."""
    return copy.deepcopy(SCENE) | changes


def with_accessor(number: int, **changes: Any) -> bytes:
    """The sample's GLB, with one accessor changed."""
    changed = scene()
    changed["accessors"][number] |= changes
    return glb(changed)


def test_obj_is_counted() -> None:
    """Vertices, polygons, bounds and the materials that it would load."""
    assert look("object3d", "obj", OBJ).facts == {
        "format": "obj",
        "vertices": 4,
        "faces": 2,
        "bounds": [[0, 0, -1], [1, 2, 0]],
        "external": ["square.mtl"],
    }


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (b"v 0 0 0\nf 1 2 3\n", "bad_index", "Line 2 names vertex 3; there are 1."),
        (b"v 0 0 0\nf -1 -2 -3\n", "bad_index", "Line 2 names vertex -3; there are 1."),
        (b"v 0 0 0\nf 1 0 1\n", "bad_index", "Line 2 names vertex 0; there are 1."),
        (b"v 0 0 0\nf 1 x 1\n", "bad_index", "Line 2 has a face with the corner 'x'."),
        (b"v 0 nan 0\n", "bad_number", "Line 1 has no x, y and z: '0 nan 0'."),
        (b"v 0 0\n", "bad_number", "Line 1 has no x, y and z: '0 0'."),
        (b"v 0 0 0\nf 1 1\n", "not_an_object", "Line 2 has a face of 2 corners; 3 are least."),
        (b"nothing\n", "not_an_object", "OBJ was expected, found text without a vertex."),
        (b"\x7fELF\0", "not_an_object", "OBJ was expected, found a Linux program."),
    ],
)
def test_an_obj_that_is_wrong_is_refused_by_its_line(content: bytes, code: str, reason: str) -> None:
    """The reason names the line and what stands there."""
    found = refused("object3d", "obj", content)

    assert (found.code, found.reason) == (code, reason)


@pytest.mark.parametrize(("ending", "content"), [("stl", STL), ("stl", STL_TEXT), ("babylon", BABYLON)])
def test_stl_and_babylon_are_counted(ending: str, content: bytes) -> None:
    """A triangle is a triangle in each."""
    found = look("object3d", ending, content).facts

    assert found == {"format": ending, "bounds": [[0, 0, 0], [1, 1, 0]], **TRIANGLE}


def test_gltf_and_glb_are_counted_by_their_accessors() -> None:
    """Counts, bounds from the vertices themselves, and addresses that are not within the file."""
    embedded = scene(
        buffers=[{"byteLength": 42, "uri": "data:;base64," + base64.b64encode(bytes(42)).decode()}]
    )
    outside = scene(buffers=[{"byteLength": 42, "uri": "https://a.example/x.bin"}])

    counted = {"vertices": 3, "faces": 1, "external": ["wood.png"]}
    assert look("object3d", "glb", glb()).facts == counted | {
        "format": "glb",
        "bounds": [[0, 0, 0], [1, 1, 0.5]],
    }
    found = look("object3d", "gltf", json.dumps(embedded).encode()).facts
    assert found == counted | {"format": "gltf", "bounds": [[0, 0, 0], [0, 0, 0]]}
    found = look("object3d", "gltf", json.dumps(outside).encode()).facts
    assert found == counted | {
        "format": "gltf",
        "bounds": None,
        "external": ["https://a.example/x.bin", "wood.png"],
    }


def test_bounds_that_are_told_are_taken() -> None:
    """An accessor's min and max, which the format wants there."""
    told = with_accessor(0, min=[-1, -1, -1], max=[1, 2, 3])

    assert look("object3d", "glb", told).facts["bounds"] == [[-1, -1, -1], [1, 2, 3]]


def test_strips_and_fans_have_faces_and_lines_have_none() -> None:
    """Faces are counted by the mode of the primitive."""
    for mode, faces in ((0, 0), (1, 0), (4, 1), (5, 1), (6, 1)):
        changed = scene()
        changed["meshes"][0]["primitives"][0] |= {"mode": mode}
        assert look("object3d", "glb", glb(changed)).facts["faces"] == faces


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (glb()[:-8], "truncated"),
        (glb() + b"more", "not_an_object"),
        (b"glTF" + struct.pack("<II", 1, 20) + bytes(8), "not_an_object"),
        (b"glTF" + struct.pack("<II", 2, 20) + b"\xff\xff\xff\xffJSON", "truncated"),
        (b"glTF" + struct.pack("<II", 2, 20) + struct.pack("<I", 0) + b"JSON", "not_json"),
        (glb(binary=bytes(8)), "truncated"),
        (glb(binary=bytes(36) + struct.pack("<3H", 0, 1, 3)), "bad_index"),
        (with_accessor(0, count=4), "bad_index"),
        (with_accessor(0, count=-1), "bad_number"),
        (with_accessor(0, count=2**62), "bad_number"),
        (with_accessor(0, byteOffset=-4), "bad_number"),
        (with_accessor(0, bufferView=7), "bad_index"),
        (with_accessor(0, type="VEC2"), "not_an_object"),
        (with_accessor(1, componentType=5126, count=1), "not_an_object"),
        (with_accessor(1, componentType=1), "not_an_object"),
        (glb(scene(accessors=[])), "bad_index"),
        (glb(scene(meshes=[{"primitives": [{"attributes": {"POSITION": [0]}}]}])), "bad_index"),
        (glb(scene(meshes={})), "wrong_shape"),
        (glb(scene(asset={"version": "1.0"})), "not_an_object"),
    ],
)
def test_a_glb_that_lies_is_refused(content: bytes, code: str) -> None:
    """Lengths, counts and numbers that do not fit what is there."""
    assert refused("object3d", "glb", content).code == code


def test_an_stl_that_is_cut_says_so() -> None:
    """A binary STL tells how many faces it has."""
    assert refused("object3d", "stl", STL[:-1]).code == "truncated"
    assert refused("object3d", "stl", STL_TEXT[: STL_TEXT.index(b"vertex 1")]).code == "truncated"
    assert refused("object3d", "fbx", b"x").code == "unsupported_format"
