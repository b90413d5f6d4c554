"""Paths of files: which are taken, and what type of content they tell of."""

import mimetypes
import re

from runhue_server.storage.problems import InvalidPath, InvalidType

MAX_PATH = 1024
DEFAULT_TYPE = "application/octet-stream"

# Without the machine's own tables, so that every server says the same.
_types = mimetypes.MimeTypes()
_MORE_TYPES = {
    ".csv": "text/csv",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".jsonl": "application/x-ndjson",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mp4": "video/mp4",
    ".obj": "model/obj",
    ".ogg": "audio/ogg",
    ".parquet": "application/vnd.apache.parquet",
    ".pdb": "chemical/x-pdb",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}\Z")


def check_path(path: str, field: str = "path") -> None:
    """Pass a path that a file of a run can have; `/` divides folders.

    Raises:
        InvalidPath: it is empty, too long, begins with a slash, or holds `..` or control characters.
    """
    if not 1 <= len(path) <= MAX_PATH:
        raise InvalidPath(
            f"{field} has {len(path)} characters, 1 to {MAX_PATH} are taken",
            field=field,
            limit=MAX_PATH,
            fix="use a shorter path" if path else "name the file",
        )
    if _NO_TEXT.search(path):
        raise InvalidPath(f"{field} holds control characters", field=field, fix="leave them out")
    if path.startswith("/") or ".." in path.split("/"):
        raise InvalidPath(
            f"{field} must stay in the run, got {path[:100]!r}",
            field=field,
            fix="use a path without a leading slash and without '..'",
        )


def tame_path(path: str) -> str:
    """The path that is taken instead of one that `check_path` refuses; others stay as they are.

    For clients of whom a refusal would lose the file, and a whole request of other files with it.
    """
    try:
        check_path(path)
    except InvalidPath:
        parts = _NO_TEXT.sub("\ufffd", path).split("/")
        return "/".join(part for part in parts if part not in ("", ".", ".."))[-MAX_PATH:] or "unnamed"
    return path


def type_of(path: str) -> str:
    """The MIME type that a path tells of, `application/octet-stream` when none."""
    ending = path[path.rfind(".") :].lower() if "." in path else ""
    return _MORE_TYPES.get(ending) or _types.guess_type(f"file{ending}")[0] or DEFAULT_TYPE


def check_type(mimetype: str, field: str = "mimetype") -> None:
    """Pass what looks like a MIME type without parameters.

    Raises:
        InvalidType: it does not.
    """
    if not _TYPE.match(mimetype):
        raise InvalidType(
            f"{field} must be like text/plain, got {mimetype[:100]!r}", field=field, fix="leave it out"
        )
