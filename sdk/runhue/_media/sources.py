"""Media that are files already: given by path, or by an open file."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from runhue._errors import BadMedia
from runhue._media.text import clean, existing_file, path_of


def file_of(
    data: Any, file_type: str | None, allowed: Collection[str], kind: str
) -> tuple[bytes | Path, str]:  # path or open file
    """(content, extension) of a path, or of an open file, whose name or `file_type` tells the extension.

    A path stays one: its bytes are copied when it is logged.

    Raises:
        BadMedia: no such file, or an extension that is not among `allowed`.
    """
    path = path_of(data)
    if path is not None:
        return existing_file(path, kind), _extension(path.name, allowed, kind)
    if not hasattr(data, "read"):
        raise BadMedia(f"{kind} takes a path or an open file, got {type(data).__name__}")
    name = getattr(data, "name", None)
    if file_type is None and not isinstance(name, str):
        raise BadMedia(f"{kind}: an open file without a name needs file_type, one of {_listed(allowed)}")
    extension = _extension(f".{file_type}" if file_type else str(name), allowed, kind)
    if hasattr(data, "seek"):
        data.seek(0)
    content = data.read()
    return content if isinstance(content, bytes) else clean(content).encode(), extension


def _extension(name: str, allowed: Collection[str], kind: str) -> str:
    for extension in allowed:
        if name.lower().endswith(f".{extension}"):
            return extension
    raise BadMedia(f"{kind}: a file must be one of {_listed(allowed)}, got {name!r}")


def _listed(allowed: Collection[str]) -> str:
    return ", ".join(sorted(allowed))
