"""Manifests: the JSON lists of an artifact's files that clients write, read and merge."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from runhue_server.web.problems import Invalid
from runhue_shared.db.artifact_files import MD5_BYTES

MOST_NAMED = 5
"""Of files that are missing, so many are named in an error."""

_HEAD = b"wandb-artifact-manifest-v1\n"


class Entry(msgspec.Struct):
    """A file: base64 of its MD5 and its size in bytes, or `ref`, the address of what lies elsewhere."""

    digest: str = ""
    ref: str | None = None
    size: int | None = None

    @property
    def md5(self) -> bytes | None:
        """16 bytes; None when the digest is no MD5, or its bytes are not with us."""
        if self.ref:
            return None
        try:
            plain = base64.b64decode(self.digest, validate=True)
        except (binascii.Error, ValueError):
            return None
        return plain if len(plain) == MD5_BYTES else None


class _Document(msgspec.Struct):
    contents: dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read: `head` is everything but the entries, `raw` has their JSON by path."""

    head: Mapping[str, Any]
    entries: Mapping[str, Entry]
    raw: Mapping[str, msgspec.Raw]

    @property
    def size(self) -> int:
        """Bytes of all that is listed, also of what lies elsewhere."""
        return sum(entry.size or 0 for entry in self.entries.values())

    def files(self) -> dict[str, Entry]:
        """Entries whose bytes are to be with us, by path."""
        return {path: entry for path, entry in self.entries.items() if not entry.ref}


_document = msgspec.json.Decoder(_Document)
_entry = msgspec.json.Decoder(Entry)
_head = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(body: bytes) -> Manifest:
    """The manifest in a JSON text.

    Raises:
        Invalid: it is none.
    """
    try:
        raw = _document.decode(body).contents
        entries = {path: _entry.decode(text) for path, text in raw.items()}
        head = {
            name: msgspec.json.decode(text) for name, text in _head.decode(body).items() if name != "contents"
        }
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid(
            f"the manifest is not as clients write it: {error}", field="manifest", fix="send it again"
        ) from None
    return Manifest(head, entries, raw)


def merged(parts: Iterable[Manifest]) -> Manifest:
    """All parts in one; where two have a path the later one says what it is. The last head is kept.

    Raises:
        ValueError: there are no parts.
    """
    listed = list(parts)
    if not listed:
        raise ValueError("there is no manifest to merge")
    entries: dict[str, Entry] = {}
    raw: dict[str, msgspec.Raw] = {}
    for part in listed:
        entries |= part.entries
        raw |= part.raw
    return Manifest(listed[-1].head, entries, raw)


def written(manifest: Manifest) -> bytes:
    """The manifest as a JSON text."""
    return msgspec.json.encode({**manifest.head, "contents": dict(sorted(manifest.raw.items()))})


def digest(manifest: Manifest) -> str:
    """The digest of what is listed, as clients compute it: hex MD5 over lines of path and digest.

    Source: the client's first version of manifests, `digest()`.
    """
    found = hashlib.md5(_HEAD, usedforsecurity=False)
    for path, entry in sorted(manifest.entries.items()):
        found.update(f"{path}:{entry.digest}\n".encode())
    return found.hexdigest()


def few(paths: Iterable[str]) -> str:
    """Some of the paths, for a message."""
    listed = sorted(paths)
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
