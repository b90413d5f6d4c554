"""Uploads in parts: each part is a blob of its own, until all are there and the file is put together.

Parts come in any order, from several processes, twice, or again after any crash: what came stays. Everything
here blocks.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import structlog

from runhue_server.storage import uploads
from runhue_server.storage.problems import FileTooLarge, PartsMissing, UploadNotFound, store_answers
from runhue_server.storage.targets import PartAt, Target, settle
from runhue_server.storage.uploads import Upload
from runhue_server.web.problems import Unavailable
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import (
    ANYTHING,
    BytesMissing,
    Expected,
    StoredBlob,
    TooManyBytes,
    WrongBytes,
)
from runhue_shared.db import blobs, part_uploads
from runhue_shared.db.part_uploads import Part, PartUpload
from runhue_shared.settings import MEBIBYTE, settings

SMALLEST_PART = 8 * MEBIBYTE
LARGEST_PART = 64 * MEBIBYTE
FEW_PARTS = 256
"""Parts are so large that a file has no more, as long as they are not too large."""

MOST_PARTS = 10_000
ADDRESSES_AT_ONCE = 256
ABANDONED_SECONDS = 7 * 24 * 3600.0
FORGOTTEN_AT_ONCE = 100

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
NAMED_MISSING = 100

_log = structlog.get_logger(__name__)
_target_decoder = msgspec.json.Decoder(Target)
_expected_decoder = msgspec.json.Decoder(Expected)


class Progress(NamedTuple):
    """How far an upload is: numbers of the parts that have not come, of `parts` that there are.

    `stored`: SHA-256 of the whole file, once that is what it was to become.
    """

    upload: PartUpload
    parts: int
    missing: list[int]

    @property
    def stored(self) -> bytes | None:
        return self.upload.stored


def part_owner(upload_id: str) -> str:
    """The owner of parts that go straight to the object store."""
    return f"upload:{upload_id}"


def part_size(size: int) -> int:
    """How many bytes each part but the last has, for a file of `size` bytes.

    Raises:
        FileTooLarge: it would need more than `MOST_PARTS`, or is larger than this server keeps.
    """
    limit = min(settings().max_file_bytes, MOST_PARTS * LARGEST_PART)
    if size > limit:
        raise FileTooLarge(limit)
    found = SMALLEST_PART
    while found < LARGEST_PART and size > found * FEW_PARTS:
        found *= 2
    return found


def begin(team_id: int, target: Target, size: int, expected: Expected = ANYTHING) -> PartUpload:
    """Begin an upload, or go on with the one for the same target, size and hash.

    Without a hash it is always a new one: parts of two files must never become one.

    Raises:
        FileTooLarge: as `part_size`.
    """
    of_file = msgspec.structs.replace(expected, size=size)
    texts = (_json(target), _json(of_file))
    known = "\n".join((str(team_id), *texts)) if expected.sha256 else secrets.token_hex()
    upload_id = hashlib.sha256(known.encode()).hexdigest()[:32]
    with db.transaction() as tx:
        return part_uploads.begin(tx, PartUpload(upload_id, team_id, *texts, size, part_size(size), None))


def finish_with_known(upload: PartUpload, sha256: bytes, project_id: int | None) -> bool:
    """Have the team's bytes of that hash be the file, if it has them; no part is needed then.

    With `project_id` those of that project's files only, as `blobs.find`.

    Raises:
        RunDeleted: the run is not there any more.
    """
    with db.transaction() as tx:
        blob = blobs.find(tx, upload.team_id, sha256, project_id)
        if blob is None or blob.size != upload.size:
            return False
        settle(tx, upload.team_id, target_of(upload), StoredBlob(*blob))
        return part_uploads.finish(tx, upload.id, sha256)


def target_of(upload: PartUpload) -> Target:
    """What the file becomes."""
    target: Target = _target_decoder.decode(upload.target)
    return target


def progress(team_id: int, upload_id: str) -> Progress:
    """What came so far; what was put at the object store is taken over first.

    Raises:
        UploadNotFound: the team has no such upload.
        Unavailable: there is more to take over than one request takes; ask again.
    """
    if not uploads.adopt(team_id, part_owner(upload_id)):
        raise Unavailable("the parts of the file are being checked")
    with db.transaction() as tx:
        upload = _found(tx, team_id, upload_id)
        return _progress(upload, part_uploads.parts(tx, upload_id))


def part_at(upload: PartUpload, number: int) -> tuple[PartAt, Expected]:
    """(what a part becomes, how many bytes it must have).

    Raises:
        UploadNotFound: the file has no part of that number.
    """
    if not 1 <= number <= _count(upload):
        raise UploadNotFound(f"{upload.id} with a part {number}")
    return PartAt(upload.id, number), Expected(size=_length(upload, number))


def addresses(upload: PartUpload, numbers: Sequence[int], base_url: str) -> list[str]:
    """Where the parts of these numbers are put, in their order: at the object store, or below `base_url`.

    Raises:
        Unavailable: the object store's credentials cannot be had right now.
    """
    wanted = [Upload(part_owner(upload.id), str(number), *part_at(upload, number)) for number in numbers]
    with store_answers():
        return uploads.addresses(upload.team_id, wanted, base_url)


def complete(team_id: int, upload_id: str) -> bytes:
    """Put the file together, have it be what it was to become, and return its SHA-256. Idempotent.

    Raises:
        UploadNotFound: the team has no such upload.
        PartsMissing: not all parts have come, or the store lost one.
        HashMismatch: the parts are not those of the announced file; all are to come again.
        Unavailable: somebody else is at it, or the store is away.
        RunDeleted: the run is not there any more.
    """
    if not uploads.adopt(team_id, part_owner(upload_id)):
        raise Unavailable("the parts of the file are being checked")
    with db.transaction() as tx:
        upload, parts = _taken(tx, team_id, upload_id)
    if upload.stored is not None:
        return upload.stored
    try:
        stored = _together(upload, parts)
        with db.transaction() as tx:
            settle(tx, team_id, target_of(upload), stored)
            if not part_uploads.finish(tx, upload_id, stored.sha256):
                raise UploadNotFound(upload_id)
    except BaseException:
        with db.transaction() as tx:
            part_uploads.keep_taken(tx, upload_id, 0)
        raise
    return stored.sha256


def give_up(team_id: int, upload_id: str) -> bool:
    """Forget the upload and what came of it; False when there is none. A file that is whole stays."""
    with db.transaction() as tx:
        return part_uploads.remove(tx, team_id, upload_id)


def forget_abandoned() -> int:
    """Give up uploads that nobody went on with for a week, a bounded number; how many that were."""
    with db.transaction() as tx:
        return part_uploads.forget_abandoned(tx, ABANDONED_SECONDS, FORGOTTEN_AT_ONCE)


def _taken(tx: db.Transaction, team_id: int, upload_id: str) -> tuple[PartUpload, list[Part]]:
    """An upload that is ours to put together, unless it is `stored`."""
    _found(tx, team_id, upload_id)
    is_ours = part_uploads.take(tx, upload_id, LEASE_SECONDS)
    upload = _found(tx, team_id, upload_id)
    if upload.stored is not None:
        part_uploads.keep_taken(tx, upload_id, 0)
        return upload, []
    if not is_ours:
        raise Unavailable("the file is being put together")
    parts = part_uploads.parts(tx, upload_id)
    missing = _progress(upload, parts).missing
    if missing:
        raise _missing(missing)
    return upload, parts


def _missing(numbers: Sequence[int]) -> PartsMissing:
    return PartsMissing(
        f"{len(numbers)} parts of the file have not come",
        field="parts",
        fix="send them, then complete the upload again",
        missing=numbers[:NAMED_MISSING],
    )


def _together(upload: PartUpload, parts: Sequence[Part]) -> StoredBlob:
    store = blob_store()
    with store_answers():
        try:
            with Spool(store.spool_directory) as spool:
                for piece in _while_taken(upload.id, _pieces(upload, parts)):
                    spool.write(piece)
                    if spool.digests.size > settings().max_file_bytes:
                        raise TooManyBytes(settings().max_file_bytes)
                return store.keep(upload.team_id, spool, _expected_decoder.decode(upload.expected))
        except WrongBytes:
            with db.transaction() as tx:
                part_uploads.drop_parts(tx, upload.id)
            raise


def _pieces(upload: PartUpload, parts: Iterable[Part]) -> Iterator[bytes]:
    for part in parts:
        try:
            yield from blob_store().read(upload.team_id, part.sha256)
        except BytesMissing:
            _log.exception("part_lost", upload=upload.id, part=part.number, sha256=part.sha256.hex())
            with db.transaction() as tx:
                part_uploads.drop_part(tx, upload.id, part)
            raise _missing([part.number]) from None


def _while_taken(upload_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces; the upload stays ours however long they take."""
    renew_at = time.monotonic() + RENEW_SECONDS
    for piece in pieces:
        if time.monotonic() > renew_at:
            with db.transaction() as tx:
                part_uploads.keep_taken(tx, upload_id, LEASE_SECONDS)
            renew_at = time.monotonic() + RENEW_SECONDS
        yield piece


def _found(tx: db.Transaction, team_id: int, upload_id: str) -> PartUpload:
    upload = None if "\0" in upload_id else part_uploads.find(tx, team_id, upload_id)
    if upload is None:
        raise UploadNotFound(upload_id)
    return upload


def _progress(upload: PartUpload, came: Iterable[Part]) -> Progress:
    count = _count(upload)
    if upload.stored is not None:
        return Progress(upload, count, [])
    numbers = {part.number for part in came}
    return Progress(upload, count, [number for number in range(1, count + 1) if number not in numbers])


def _count(upload: PartUpload) -> int:
    if upload.size is None or upload.part_bytes is None:
        return 0
    return -(-upload.size // upload.part_bytes)


def _length(upload: PartUpload, number: int) -> int | None:
    if upload.size is None or upload.part_bytes is None:
        return None
    return min(upload.part_bytes, upload.size - (number - 1) * upload.part_bytes)


def _json(value: Target | Expected) -> str:
    return msgspec.json.encode(value).decode()
