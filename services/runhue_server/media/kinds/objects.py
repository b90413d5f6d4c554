"""Looks at objects in three dimensions: how large they are, and what else they would load."""

from collections.abc import Callable
from typing import Final

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.first_bytes import check_size
from runhue_server.media.kinds.gltf import read_glb, read_gltf
from runhue_server.media.kinds.meshes import Mesh, read_babylon, read_obj, read_stl

MAX_BYTES: Final = 512 << 20
_READERS: Final[dict[str, Callable[[Source], Mesh]]] = {
    "obj": read_obj,
    "gltf": read_gltf,
    "glb": read_glb,
    "stl": read_stl,
    "babylon": read_babylon,
}


def inspect_object(source: Source, _workshop: Workshop) -> Facts:
    """What an object is made of.

    Returns:
        `format`, as the ending says; `vertices` as the file stores them; `faces`: triangles of glTF, STL
        and Babylon, polygons of OBJ; `bounds`: the lowest and the highest x, y, z before any node moves
        them, null without a vertex; `external`: addresses that it would load, as they stand in it.
    Raises:
        Refused: `empty`, `too_large`, `unsupported_format`, `not_an_object`, `bad_number`, `bad_index`,
            `truncated`, or as `read_json`.
    """
    check_size(source, MAX_BYTES)
    reader = _READERS.get(source.format)
    if reader is None:
        allowed = ", ".join(_READERS)
        raise Refused("unsupported_format", f"Objects may end in {allowed}; this ends in {source.format!r}.")
    mesh = reader(source)
    return {
        "format": source.format,
        "vertices": mesh.vertices,
        "faces": mesh.faces,
        "bounds": mesh.bounds.as_lists(),
        "external": mesh.external,
    }
