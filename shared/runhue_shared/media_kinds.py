"""Kinds of media: what a logged value's `_type` and a file's path tell of how its bytes are looked at.

Paths are those of the wandb client, which both clients write: `media/<folder>/<key>_<step>_<hash>.<ending>`.
"""

from typing import Final, Literal, NamedTuple, get_args

Kind = Literal[
    "image",
    "mask",
    "boxes",
    "audio",
    "video",
    "html",
    "molecule",
    "object3d",
    "points",
    "plotly",
    "table",
    "graph",
    "array",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Rendition = Literal["thumbnail", "poster", "playable", "peaks", "preview", "columns", "vega"]
"""What the media worker makes of bytes; docs/media.md says of which kinds, and in which format."""

MEDIA_FOLDER: Final = "media/"
MAX_FORMAT_LENGTH: Final = 20

_FOLDERS: Final[tuple[tuple[str, Kind], ...]] = (
    # The longer first: masks lie in a folder of images.
    ("images/mask/", "mask"),
    ("images/", "image"),
    ("metadata/boxes2D/", "boxes"),
    ("audio/", "audio"),
    ("videos/", "video"),
    ("html/", "html"),
    ("molecule/", "molecule"),
    ("object3D/", "object3d"),
    ("plotly/", "plotly"),
    ("table/", "table"),
    ("graph/", "graph"),
)
_ENDINGS: Final[tuple[tuple[str, Kind, str], ...]] = (
    # Endings that tell more than the folder, wherever the file lies; artifacts have folders of their own.
    (".pts.json", "points", "pts.json"),
    (".table.json", "table", "json"),
    (".boxes2D.json", "boxes", "json"),
    (".plotly.json", "plotly", "json"),
    (".graph.json", "graph", "json"),
    (".mask.png", "mask", "png"),
    (".npy", "array", "npy"),
)

OF_TYPE: Final[dict[str, Kind]] = {
    "image-file": "image",
    "images/separated": "image",
    "mask": "mask",
    "boxes2D": "boxes",
    "audio-file": "audio",
    "audio": "audio",
    "video-file": "video",
    "videos": "video",
    "html-file": "html",
    "html": "html",
    "molecule-file": "molecule",
    "molecule": "molecule",
    "object3D-file": "object3d",
    "object3D": "object3d",
    "plotly-file": "plotly",
    "table-file": "table",
    "incremental-table-file": "table",
    "partitioned-table": "table",
    "graph-file": "graph",
    "numpy.ndarray": "array",
    "torch.Tensor": "array",
    "tensorflow.Tensor": "array",
}
"""Kind by the `_type` of a logged value; point clouds are known by their path only."""


class Claim(NamedTuple):
    """What a name says of bytes: how to look at them, and the lower-case ending without a dot."""

    kind: Kind
    format: str


def claim_of(path: str) -> Claim | None:
    """What a path of a run's or an artifact's file says of its bytes; None for a file that is no media."""
    for ending, kind, format_ in _ENDINGS:
        if path.endswith(ending):
            return Claim(kind, format_)
    folder = path.removeprefix(MEDIA_FOLDER)
    if folder == path:
        return None
    for prefix, kind in _FOLDERS:
        if folder.startswith(prefix):
            return Claim(kind, _ending(path))
    return None


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower()[:MAX_FORMAT_LENGTH] if "." in name else ""
