"""`POST /ingest/v1/writers/{writer_id}/file-packs`: many small files of a run in one request.

A body is a little-endian uint32, that many bytes of JSON (a list of offers), and the files' bytes one after
the other in that order. Each file is answered for itself: one that is refused does not stop the others.
"""

import operator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from runhue_server.ingest.files import FileOffer, check, target_of
from runhue_server.intake import liveness
from runhue_server.intake.problems import Malformed
from runhue_server.storage.problems import mismatch, store_answers
from runhue_server.storage.targets import name_blob, note_stored
from runhue_server.web.json_text import holds_lone_surrogate
from runhue_server.web.problems import Problem
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import BlobStore, Expected, StoredBlob, WrongBytes
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import SeenWriter
from runhue_shared.settings import MEBIBYTE, Settings

PACK_BYTES = 8 * MEBIBYTE
MAX_FILES = 256
LENGTH_BYTES = 4
STORED_AT_ONCE = 4
"""Syncs that run side by side share their trips to the disk."""


class Packed(NamedTuple):
    """A file of a pack."""

    offer: FileOffer
    content: memoryview


class PackedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one file: stored and named, or refused for good, as problem details say it."""

    stored: bool
    status: int | None = None
    code: str | None = None
    detail: str | None = None


class PackAnswer(msgspec.Struct, frozen=True):
    """One answer for each file of the pack, in its order."""

    files: list[PackedAnswer]


_decoder = msgspec.json.Decoder(list[FileOffer])


def decode(body: bytes) -> list[Packed]:
    """The files in a request's body.

    Raises:
        Malformed: the lengths do not add up, or the head is no list of at most `MAX_FILES` offers.
    """
    length = int.from_bytes(body[:LENGTH_BYTES], "little")
    head = body[LENGTH_BYTES : LENGTH_BYTES + length]
    try:
        if len(head) != length or holds_lone_surrogate(head):
            raise ValueError("its head is cut off, or holds half a surrogate pair")
        offers = _decoder.decode(head)
    except (ValueError, RecursionError) as error:
        raise _no_pack(str(error)) from None
    if not 1 <= len(offers) <= MAX_FILES:
        raise _no_pack(f"it has {len(offers)} files, 1 to {MAX_FILES} are taken")
    contents = memoryview(body)[LENGTH_BYTES + length :]
    if any(offer.size < 0 for offer in offers) or sum(offer.size for offer in offers) != len(contents):
        raise _no_pack(f"the sizes do not add up to the {len(contents)} bytes behind its head")
    files, at = [], 0
    for offer in offers:
        files.append(Packed(offer, contents[at : at + offer.size]))
        at += offer.size
    return files


def _no_pack(reason: str) -> Malformed:
    return Malformed(
        f"the body is no pack of files: {reason}",
        field="body",
        limit=MAX_FILES,
        fix="send the length of the head, the offers as JSON, and the files' bytes",
    )


def store_pack(
    sender: Principal, writer_id: int, files: Sequence[Packed], settings: Settings
) -> tuple[PackAnswer, SeenWriter]:
    """Store the files and have the run's paths name them. Idempotent; blocks.

    Raises:
        WriterNotFound: the key reaches no such writer.
        RunDeleted: its run is gone.
        Unavailable: the store is full or away; nothing is named.
    """
    seen = liveness.hear(sender, writer_id)
    store = blob_store()
    with store_answers(), ThreadPoolExecutor(STORED_AT_ONCE) as pool:
        kept = list(pool.map(lambda file: _kept(store, sender.team_id, file, settings), files))
    named = {
        file.offer.path: (outcome, target_of(seen.run_id, file.offer))
        for file, outcome in zip(files, kept, strict=True)
        if isinstance(outcome, StoredBlob)
    }
    with store_answers(), db.transaction() as tx:
        # First by hash, then by path: packs with the same bytes, or the same paths of a run to which several
        # write, wait for each other, never in a circle.
        noted = {
            stored.sha256: note_stored(tx, sender.team_id, stored)
            for stored in sorted({stored for stored, _ in named.values()})
        }
        for _, (stored, target) in sorted(named.items(), key=operator.itemgetter(0)):
            name_blob(tx, sender.team_id, target, noted[stored.sha256])
    return PackAnswer([_answer(outcome) for outcome in kept]), seen


def _kept(store: BlobStore, team_id: int, file: Packed, settings: Settings) -> StoredBlob | Problem:
    """The blob that the bytes are now, or why they are refused for good."""
    try:
        check(file.offer, settings.max_file_bytes)
        expected = Expected(sha256=bytes.fromhex(file.offer.sha256), size=file.offer.size)
        with Spool(store.spool_directory) as spool:
            spool.write(bytes(file.content))
            return store.keep(team_id, spool, expected)
    except WrongBytes as wrong:
        return mismatch(wrong)
    except Problem as refused:
        return refused


def _answer(outcome: StoredBlob | Problem) -> PackedAnswer:
    if isinstance(outcome, StoredBlob):
        return PackedAnswer(stored=True)
    return PackedAnswer(stored=False, status=outcome.status, code=outcome.code, detail=str(outcome))
