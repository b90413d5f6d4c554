"""What media have in common that is not pixels: captions, files given by path, JSON content."""

import json
import os
from pathlib import Path
from typing import Any

from runhue._errors import BadMedia


def caption_of(caption: object, kind: str) -> str | None:
    """The caption as text that can be stored.

    Raises:
        BadMedia: it is no str.
    """
    if caption is None:
        return None
    if not isinstance(caption, str):
        raise BadMedia(f"{kind}: caption must be a str, got {type(caption).__name__}: {caption!r}")
    return clean(caption)


def clean(text: str) -> str:
    """The text with lone surrogates written out, which no encoding has."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def path_of(value: object) -> Path | None:
    """The path, when that is what was given: a str or a path object."""
    return Path(value) if isinstance(value, str | os.PathLike) else None


def existing_file(path: Path, kind: str) -> Path:
    """The absolute path of a file.

    Raises:
        BadMedia: there is no such file.
    """
    if not path.is_file():
        raise BadMedia(f"{kind}: there is no file {path}")
    return path.absolute()


def suffix_of(path: Path) -> str:
    """The extension in lower case, without its dot."""
    return path.suffix[1:].lower()


def json_bytes(content: Any) -> bytes:  # plain values
    """Compact JSON; NaN and the infinities are the bare words that wandb's files have."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
