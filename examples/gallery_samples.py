"""What `gallery.py` logs: pictures, sounds, points and files, made here or read from `samples/`."""

import base64
import io
import json
import math
import struct
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
SIZE = 48
SOUND_RATE = 8_000


class Gallery:
    """What the items are made with: the client, a folder for files, and numpy where it is installed."""

    def __init__(self, client: Any, folder: Path) -> None:  # one of two modules
        self.client = client
        self.folder = folder
        self.np: Any = import_module("numpy") if find_spec("numpy") else None

    def pixels(self, channels: int, shift: float = 0.0) -> Any:  # numpy.ndarray
        """Waves of color, 0 to 255, of shape (SIZE, SIZE, channels)."""
        y, x = self.np.mgrid[0:SIZE, 0:SIZE] / SIZE
        waves = [self.np.sin(6 * (x * (at + 1) + y) + shift + at) for at in range(channels)]
        return (127.5 * (1 + self.np.stack(waves, axis=-1))).astype(self.np.uint8)

    def frames(self) -> Any:  # numpy.ndarray
        """A clip of shape (time, channels, height, width)."""
        return self.np.stack([self.pixels(3, at / 2).transpose(2, 0, 1) for at in range(8)])

    def points(self) -> Any:  # numpy.ndarray
        """A spiral of shape (n, 3)."""
        turn = self.np.linspace(0, 20, 400)
        return self.np.stack([self.np.cos(turn), self.np.sin(turn), turn / 10], axis=-1)

    def sound(self, pitch: float = 440.0) -> Any:  # numpy.ndarray
        """A fifth of a second, -1 to 1."""
        return self.np.sin(self.np.arange(SOUND_RATE // 5) * (2 * math.pi * pitch / SOUND_RATE))

    def table(self) -> Any:  # the client's Table
        """Heights over steps of two plants."""
        rows = [
            [step, math.sqrt(step) * grow, plant]
            for plant, grow in (("fern", 1), ("moss", 0.5))
            for step in range(20)
        ]
        return self.client.Table(columns=["step", "height", "plant"], data=rows)

    def file(self, name: str, content: bytes) -> str:
        """The path of a file with this content."""
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def picture_file(self, name: str) -> str:
        """The path of a picture in the format that `name` ends with."""
        path = self.folder / name
        import_module("PIL.Image").fromarray(self.pixels(3)).save(path)
        return str(path)


def figure() -> Any:  # matplotlib.figure.Figure
    drawn = import_module("matplotlib.pyplot").figure(figsize=(3, 2))
    drawn.add_subplot().plot([1, 2, 3, 4], label="some interesting numbers")
    return drawn


def gif(gallery: Gallery) -> bytes:
    pictures = [import_module("PIL.Image").fromarray(gallery.pixels(3, at)) for at in range(4)]
    content = io.BytesIO()
    pictures[0].save(content, format="GIF", save_all=True, append_images=pictures[1:], duration=250)
    return content.getvalue()


def glb() -> bytes:
    """The sample in glTF as one binary file."""
    scene = json.loads((SAMPLES / "pyramid.gltf").read_text(encoding="utf-8"))
    content = base64.b64decode(scene["buffers"][0].pop("uri").partition(",")[2])
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    parts = (
        struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(content), b"BIN\0") + content
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(parts)) + parts


def mmtf() -> bytes:
    """Water in MMTF: MessagePack, with lists of numbers as they lie in memory."""
    places = zip((0.0, 0.0, 0.117), (0.0, 0.757, -0.469), (0.0, -0.757, -0.469), strict=True)
    group: dict[str, Any] = {
        "groupName": "HOH",
        "atomNameList": ["O", "H1", "H2"],
        "elementList": ["O", "H", "H"],
    }
    group |= {"formalChargeList": [0, 0, 0], "bondAtomList": [1, 0, 2, 0], "bondOrderList": [1, 1]}
    group |= {"singleLetterCode": "?", "chemCompType": "NON-POLYMER"}
    counts = {"numBonds": 2, "numAtoms": 3, "numGroups": 1, "numChains": 1, "numModels": 1}
    molecule: dict[str, Any] = {"mmtfVersion": "1.0.0", "mmtfProducer": "gallery", **counts}
    molecule |= {"groupList": [group], "chainsPerModel": [1], "groupsPerChain": [1]}
    for axis, values in zip("xyz", places, strict=True):
        molecule[f"{axis}CoordList"] = struct.pack(">3i3f", 1, 3, 0, *values)
    molecule |= {
        "groupIdList": struct.pack(">4i", 4, 1, 0, 1),
        "groupTypeList": struct.pack(">4i", 4, 1, 0, 0),
    }
    return _packed(molecule | {"chainIdList": struct.pack(">3i4s", 5, 1, 4, b"A")})


def _packed(value: Any) -> bytes:  # what JSON has, and bytes
    """MessagePack, of few and small values."""
    if isinstance(value, dict):
        parts = [_packed(name) + _packed(part) for name, part in value.items()]
        return struct.pack(">BH", 0xDE, len(parts)) + b"".join(parts)
    if isinstance(value, list):
        return struct.pack(">BH", 0xDC, len(value)) + b"".join(map(_packed, value))
    if isinstance(value, bytes):
        return struct.pack(">BB", 0xC4, len(value)) + value
    if isinstance(value, str):
        return struct.pack(">BB", 0xD9, len(value.encode())) + value.encode()
    return struct.pack(">Bi", 0xD2, value)
