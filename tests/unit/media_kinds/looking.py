"""Has an inspector look at bytes, as the media worker's bounded process does, and keeps what it gave."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from runhue_server.media.contract import Refused, Source, Workshop
from runhue_server.media.inspectors import inspector
from runhue_shared.media_kinds import Kind


class Looked:
    """Facts, and the bytes of each rendition with its type, of one look."""

    def __init__(self, kind: Kind, format_: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="runhue-") as name:
            path, workshop = Path(name) / "content", Workshop(Path(name))
            path.write_bytes(content)
            self.facts: dict[str, Any] = dict(inspector(kind)(Source(path, format_, len(content)), workshop))
            self.made = {made: (Path(name) / file).read_bytes() for made, (file, _) in workshop.made.items()}
            self.types = {made: mimetype for made, (_, mimetype) in workshop.made.items()}


def look(kind: Kind, format_: str, content: bytes) -> Looked:
    """Look twice: the same bytes give the same facts and renditions, which are JSON that Postgres takes."""
    looked, again = Looked(kind, format_, content), Looked(kind, format_, content)
    assert (looked.facts, looked.made) == (again.facts, again.made)
    check_text(json.dumps(looked.facts, allow_nan=False, ensure_ascii=False))
    return looked


def check_text(text: str) -> None:
    """Fail for text that no row of Postgres can hold."""
    assert "\0" not in text
    assert "\\u0000" not in text
    text.encode("utf-8")


def refused(kind: Kind, format_: str, content: bytes) -> Refused:
    """Why bytes are not shown."""
    with pytest.raises(Refused) as raised:
        Looked(kind, format_, content)
    check_text(raised.value.reason)
    assert raised.value.code.isidentifier()
    assert len(raised.value.reason) <= 500
    assert "/tmp" not in raised.value.reason  # noqa: S108  # no path of this machine
    return raised.value
