"""Small files of each kind, made by real libraries where one writes the format."""

import io
import json
import struct
import subprocess
import tempfile
import wave
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import imageio_ffmpeg
import msgspec
import numpy as np
import plotly.graph_objects as go

from runhue_shared.media_kinds import Kind

CODECS = {
    "mp3": ("-c:a", "libmp3lame"),
    "ogg": ("-c:a", "libvorbis"),
    "flac": ("-c:a", "flac"),
    "m4a": ("-c:a", "aac"),
    "aac": ("-c:a", "aac"),
    "wav": ("-c:a", "pcm_s16le"),
    "webm": ("-c:a", "libopus"),
}


@cache
def ffmpeg(ending: str, *arguments: str) -> bytes:
    """What ffmpeg writes for these arguments, into a file with this ending."""
    with tempfile.TemporaryDirectory(prefix="runhue-") as name:
        path = Path(name) / f"made.{ending}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments, "-fflags", "+bitexact"]
        subprocess.run([*command, str(path)], check=True, timeout=60)
        return path.read_bytes()


def sound(ending: str, seconds: float = 1.0) -> bytes:
    """A tone of 440 Hz in two channels at 44,100 samples a second, 48,000 of Opus."""
    source = ("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-ac", "2")
    rate = ("-ar", "48000" if ending == "webm" else "44100")
    return ffmpeg(ending, *source, *rate, *CODECS[ending])


def clip(ending: str, *arguments: str, size: str = "64x48", seconds: float = 1.0, rate: int = 10) -> bytes:
    """A moving test picture; the arguments choose its codec."""
    return ffmpeg(ending, "-f", "lavfi", "-i", f"testsrc=s={size}:r={rate}:d={seconds}", *arguments)


def clip_with_sound(ending: str, *arguments: str) -> bytes:
    """The test picture with a tone."""
    tone = ("-f", "lavfi", "-i", "sine=duration=1")
    return ffmpeg(ending, "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", *tone, *arguments)


def wav(samples: np.ndarray[Any, Any], rate: int = 8000) -> bytes:
    """int16 samples of shape (n, channels), by the standard library."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """As numpy saves it."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def figure() -> bytes:
    """A Plotly figure with typed arrays and lists."""
    made = go.Figure([go.Scatter(x=np.arange(5), y=[1, 2, 3, 4, 5]), go.Heatmap(z=np.ones((2, 3)))])
    made.update_layout(title="Loss", template=None)
    return str(made.to_json()).encode()


PAGE = b"""<!DOCTYPE html><html><head><title>A &amp; B</title>
<link rel=stylesheet href="https://cdn.example.com/a.css"><script src='//js.example.com:8080/x.js'></script>
<style>@import "http://fonts.example.org/f.css"; b { background: url(https://pics.example.com/b.png) }</style>
</head><body><a href="https://elsewhere.example.com">no load</a><img src="data:image/png;base64,AAAA">
<img srcset="small.png 1x, https://set.example.com/big.png 2x"></body></html>"""

PDB = b"""HEADER    WATER
MODEL        1
HETATM    1  O   HOH A   1       0.000   0.000   0.117  1.00  0.00           O
HETATM    2  H1  HOH A   1       0.000   0.757  -0.469  1.00  0.00           H
HETATM    3  H2  HOH A   1       0.000  -0.757  -0.469  1.00  0.00           H
ENDMDL
MODEL        2
HETATM    1  O   HOH A   1       0.000   0.000   0.117  1.00  0.00           O
ENDMDL
CONECT    1    2    3
CONECT    2    1
END
"""
PQR = b"ATOM      1  N   ALA     1      46.457  12.189  21.556  0.1414 1.8240\nTER\nEND\n"
MMCIF = b"""data_1ABC
# a comment
_entry.id   1ABC
_struct.title 'It''s a "title" of loop_'
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.label_atom_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.pdbx_PDB_model_num
ATOM 1 N 1.0 2.0 3.0 1
ATOM 2 "O5'" 1.0 2.0 3.0 1
ATOM 1 N 1.0 2.0 3.0 2
ATOM 2 'C A' 1.0 2.0 3.0 2
#
_other.text
;ATOM that is
no atom
;
_after.it 1
"""
CIF = b"""data_quartz
_cell_length_a 4.91
loop_
_atom_site_label
_atom_site_fract_x
Si1 0.4697
O1 0.4133
loop_
_atom_site_aniso_label
_atom_site_aniso_U_11
Si1 0.1
loop_
_geom_bond_atom_site_label_1
_geom_bond_atom_site_label_2
_geom_bond_distance
Si1 O1 1.6
"""
_SDF_RECORD = b"""water
  made by hand

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1170 O   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000    0.7570   -0.4690 H   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000   -0.7570   -0.4690 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  1  3  1  0
M  END
$$$$
"""
SDF = 2 * _SDF_RECORD
SDF_V3000 = b"""ethane
  hand

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 2 1 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C 0 0 0 0
M  V30 2 C 1.5 0 0 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 1 2
M  V30 END BOND
M  V30 END CTAB
M  END
"""
GRO = (
    2
    * b"""Water t= 0.0
    2
    1WATER  OW1    1   0.126   1.624   1.679  0.1227 -0.0580  0.0434
    1WATER  HW2    2   0.190   1.661   1.747  0.8085  0.3191 -0.7791
   1.82060   1.82060   1.82060
"""
)
MOL2 = b"""# made by hand
@<TRIPOS>MOLECULE
water
 3 2 0 0 0
SMALL
@<TRIPOS>ATOM
      1 O 0.0 0.0 0.117 O.3 1 HOH 0.0
      2 H 0.0 0.757 -0.469 H 1 HOH 0.0
      3 H 0.0 -0.757 -0.469 H 1 HOH 0.0
@<TRIPOS>BOND
 1 1 2 1
 2 1 3 1
"""
MMTF = msgspec.msgpack.encode(
    {
        "mmtfVersion": "1.0.0",
        "numAtoms": 3,
        "numBonds": 2,
        "numModels": 1,
        "xCoordList": struct.pack(">iii", 10, 3, 1000) + bytes(12),
    }
)

OBJ = b"""# a square
mtllib square.mtl
v 0 0 0
v 1 0 0
v 1 2 0
v 0 2 -1 1.0
vt 0 0
f 1/1 2/1 3/1
f -4 -2 \\
  -1
"""
STL_TEXT = b"""solid one
facet normal 0 0 1
outer loop
vertex 0 0 0
vertex 1 0 0
vertex 0 1 0
endloop
endfacet
endsolid one
"""
STL = bytes(80) + struct.pack("<I", 1) + struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
BABYLON = json.dumps(
    {"meshes": [{"name": "m", "positions": [0, 0, 0, 1, 0, 0, 0, 1, 0], "indices": [0, 1, 2]}]}
).encode()

_VERTICES = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0.5)
_INDICES = struct.pack("<3H", 0, 1, 2)
SCENE: dict[str, Any] = {
    "asset": {"version": "2.0"},
    "buffers": [{"byteLength": 42}],
    "bufferViews": [
        {"buffer": 0, "byteOffset": 0, "byteLength": 36},
        {"buffer": 0, "byteOffset": 36, "byteLength": 6},
    ],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
    ],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
    "images": [{"uri": "wood.png"}, {"uri": "data:image/png;base64,AA=="}],
}


def glb(scene: dict[str, Any] | None = None, binary: bytes = _VERTICES + _INDICES) -> bytes:
    """A binary glTF of a triangle."""
    text = json.dumps(SCENE if scene is None else scene).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I", len(text)) + b"JSON" + text
    chunks += struct.pack("<I", len(binary)) + b"BIN\0" + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


GRAPH = json.dumps(
    {
        "format": "keras",
        "nodes": [{"id": "a", "name": "a", "class_name": "Dense"}, {"id": "b", "name": None}],
        "edges": [["a", "b"]],
    }
).encode()

LIDAR: dict[str, Any] = {
    "type": "lidar/beta",
    "points": [[0, 0, 0], [1, 2, 3]],
    "boxes": [
        {
            "corners": [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)],
            "label": "Tree",
            "color": [123, 321, 111],
            "score": 0.5,
        }
    ],
    "vectors": [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}],
}


class Sample(NamedTuple):
    """A file, made when it is asked for: those of sound and video take a program."""

    kind: Kind
    format: str
    content: Callable[[], bytes]


def _made(kind: Kind, **contents: bytes) -> list[Sample]:
    return [
        Sample(kind, name.partition("__")[0], partial(bytes, content)) for name, content in contents.items()
    ]


H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
VP8 = ("-c:v", "libvpx", "-pix_fmt", "yuv420p")
SMALL: tuple[Sample, ...] = (
    *(Sample("audio", ending, partial(sound, ending, 0.3)) for ending in CODECS),
    Sample("video", "gif", partial(clip, "gif", seconds=0.5)),
    Sample("video", "mp4", partial(clip_with_sound, "mp4", *H264)),
    Sample("video", "webm", partial(clip, "webm", *VP8, seconds=0.5)),
    *_made("html", html=PAGE),
    *_made("molecule", pdb=PDB, pqr=PQR, mmcif=MMCIF, cif=CIF, sdf=SDF, sd=SDF_V3000, gro=GRO, mol2=MOL2),
    *_made("molecule", mmtf=MMTF),
    *_made("object3d", obj=OBJ, stl=STL, stl__text=STL_TEXT, babylon=BABYLON, glb=glb()),
    *_made("object3d", gltf=json.dumps(SCENE).encode()),
    Sample("points", "pts.json", partial(bytes, b"[[1.5, 2, 3, 4], [5, 6, 7, 8]]")),
    Sample("points", "pts.json", partial(bytes, json.dumps(LIDAR).encode())),
    Sample("plotly", "json", figure),
    Sample("graph", "json", partial(bytes, GRAPH)),
    Sample("array", "npy", partial(npy, np.arange(12.0).reshape(3, 4))),
)
"""One of each kind and format, without video that would be encoded anew."""
