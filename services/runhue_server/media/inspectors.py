"""Which inspector looks at which kind. Modules are imported when a kind is first met: some are heavy."""

from importlib import import_module
from typing import Final

from runhue_server.media.contract import Inspector
from runhue_shared.media_kinds import Kind

_PLACES: Final[dict[Kind, str]] = {
    "image": "images:inspect_image",
    "mask": "images:inspect_mask",
    "boxes": "boxes:inspect_boxes",
    "audio": "sound:inspect_audio",
    "video": "video:inspect_video",
    "html": "html:inspect_html",
    "molecule": "molecules:inspect_molecule",
    "object3d": "objects:inspect_object",
    "points": "point_clouds:inspect_points",
    "plotly": "figures:inspect_plotly",
    "table": "tables:inspect_table",
    "graph": "graphs:inspect_graph",
    "array": "arrays:inspect_array",
}


def inspector(kind: Kind) -> Inspector:
    """The function that looks at bytes of a kind."""
    module, _, name = _PLACES[kind].partition(":")
    found: Inspector = getattr(import_module(f"runhue_server.media.kinds.{module}"), name)
    return found
