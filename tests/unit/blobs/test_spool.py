"""Bytes on their way in."""

import hashlib
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.blobs.local import LocalStore
from runhue_shared.blobs.spool import Spool


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_pieces_make_the_same_bytes(pieces: list[bytes]) -> None:
    """However bytes are cut, their hashes and what is read back are those of the whole."""
    content = b"".join(pieces)
    with tempfile.TemporaryDirectory() as directory:
        store = LocalStore(Path(directory))
        with Spool(store.spool_directory) as spool:
            for piece in pieces:
                spool.write(piece)
            blob = store.keep(1, spool)

        assert blob == (
            hashlib.sha256(content).digest(),
            hashlib.md5(content, usedforsecurity=False).digest(),
            len(content),
        )
        assert b"".join(store.read(1, blob.sha256)) == content


@given(st.binary(min_size=1, max_size=300), st.integers(0, 299), st.integers(0, 300))
def test_any_part_is_read(content: bytes, start: int, end: int) -> None:
    """A part of a blob is that part of its bytes."""
    with tempfile.TemporaryDirectory() as directory:
        store = LocalStore(Path(directory))
        with Spool(store.spool_directory) as spool:
            spool.write(content)
            blob = store.keep(1, spool)

        assert b"".join(store.read(1, blob.sha256, start, end)) == content[start:end]
