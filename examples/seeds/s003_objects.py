"""Seeds 003 and 004, "3D Object": obj, gltf and glb files.

Seen: three triangles to turn around.
"""

import base64
import json
import struct
import tempfile
from pathlib import Path

import runhue as wandb

BOUNDS = {"min": [0.0, 0.0, 0.0], "max": [1.0, 1.0, 0.0]}
CORNERS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]


def gltf(uri: str | None) -> dict[str, object]:
    """A triangle in glTF's JSON; without `uri` its corners are in the chunk that follows."""
    buffer: dict[str, object] = {"byteLength": 36}
    return {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", **BOUNDS}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [buffer if uri is None else buffer | {"uri": uri}],
    }


def glb(corners: bytes) -> bytes:
    """The same in glTF's binary form: a header, a chunk of JSON, a chunk of corners."""
    text = json.dumps(gltf(None)).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(corners), b"BIN\0") + corners
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


corners = b"".join(struct.pack("<3f", *corner) for corner in CORNERS)
uri = "data:application/octet-stream;base64," + base64.b64encode(corners).decode()
folder = Path(tempfile.mkdtemp())
(folder / "sample.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="ascii")
(folder / "sample.gltf").write_text(json.dumps(gltf(uri)), encoding="ascii")
(folder / "sample.glb").write_bytes(glb(corners))

with wandb.init(project="seeds", name="s003_objects"), (folder / "sample.obj").open() as sample:
    wandb.log(
        {
            "generated_samples": [
                wandb.Object3D(sample),
                wandb.Object3D(str(folder / "sample.gltf")),
                wandb.Object3D(str(folder / "sample.glb")),
            ]
        }
    )
