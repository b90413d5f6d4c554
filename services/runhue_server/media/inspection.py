"""One inspection: bytes are fetched, looked at by the bounded process, and what was made of them is kept."""

import shutil
import time
from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

import structlog

from runhue_server.media.child_bounds import MAX_MADE_BYTES
from runhue_server.media.contract import Refused
from runhue_server.media.sandbox import Answer, Bench, BoundedProcess
from runhue_server.storage.targets import note_stored
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.local import disk_errors
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import READ_BYTES, BytesMissing, StoredBlob
from runhue_shared.db import Transaction, inspections
from runhue_shared.db.inspections import BYTES_LOST, Made, Waiting

MAX_ATTEMPTS: Final = 3
SAY_SECONDS: Final = 1.0
MOST_OF_FREE: Final = 0.5
"""So much of a disk's free room may the copy of an item take: others write there too."""

_log = structlog.get_logger(__name__)


class NoRoom(Exception):
    """A copy of the bytes would fill the disk; other items, which are smaller, can be looked at."""


class Finding(NamedTuple):
    """What came of an inspection: facts (JSON) and renditions as stored bytes, or a code and a reason."""

    job: Waiting
    facts: str | None = None
    code: str = ""
    reason: str = ""
    made: tuple[tuple[Made, StoredBlob], ...] = ()

    def note(self, tx: Transaction) -> bool:
        """Write it down; False when somebody did so before.

        Raises:
            RemovedMeanwhile, StoreAway: as `note_stored`; roll back, and inspect it again.
        """
        if self.facts is None:
            return inspections.refuse(tx, self.job, self.code, self.reason)
        for _, stored in self.made:
            note_stored(tx, self.job.team_id, stored)
        return inspections.finish(tx, self.job, self.facts, [one for one, _ in self.made])


def inspect(process: BoundedProcess, job: Waiting, still_at_it: Callable[[], None]) -> Finding:
    """Look at one item. `still_at_it` is called now and then while its bytes are on their way.

    Raises:
        StoreAway: the blob store, or the disk for the work; the same may work later.
        NoRoom: the disk for the work is too small for this one.
        EndedWithoutResult, NotStarted: as `BoundedProcess.look`.
    """
    try:
        if job.attempts > MAX_ATTEMPTS:
            raise _given_up()
        with disk_errors(), process.bench() as bench:
            _check_room(job, bench)
            _fetch(job, bench, still_at_it)
            answer = process.look(bench, job.kind, job.format, job.size, job.team_id)
            return Finding(job, answer.facts, made=_keep(job, bench, answer))
    except Refused as refused:
        _log.info("media_refused", kind=job.kind, sha256=job.sha256.hex(), code=refused.code)
        return Finding(job, code=refused.code, reason=refused.reason)


def _given_up() -> Refused:
    return Refused(
        "inspection_failed",
        f"{MAX_ATTEMPTS} times whoever looked at it was ended before there was a result; "
        "this machine may have too little memory for it.",
    )


def _check_room(job: Waiting, bench: Bench) -> None:
    free = shutil.disk_usage(bench.folder).free
    if job.size > free * MOST_OF_FREE:
        raise NoRoom(f"a copy of {job.size:,} bytes would take too much of the {free:,} that are free")


def _fetch(job: Waiting, bench: Bench, still_at_it: Callable[[], None]) -> None:
    said = time.monotonic()
    try:
        with bench.bytes.open("wb", buffering=0) as file:
            for piece in blob_store().read(job.team_id, job.sha256):
                file.write(piece)
                if time.monotonic() - said > SAY_SECONDS:
                    still_at_it()
                    said = time.monotonic()
    except BytesMissing:
        _log.error("bytes_lost", team=job.team_id, sha256=job.sha256.hex())
        raise Refused(BYTES_LOST, "Its bytes are not in the blob store; store them again.") from None


def _keep(job: Waiting, bench: Bench, answer: Answer) -> tuple[tuple[Made, StoredBlob], ...]:
    """Have renditions be blobs; their rows are for `Finding.note`."""
    kept = []
    left = MAX_MADE_BYTES
    for name, mimetype in sorted(answer.made.items()):
        with bench.open_made(name) as file:
            stored = _store(job.team_id, file, left)
        left -= stored.size
        kept.append((Made(name, stored.sha256, stored.size, mimetype), stored))
    return tuple(kept)


def _store(team_id: int, file: BinaryIO, most: int) -> StoredBlob:
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        while piece := file.read(READ_BYTES):
            spool.write(piece)
            if spool.digests.size > most:
                raise Refused(
                    "result_too_large", f"What is made of it has more than {MAX_MADE_BYTES:,} bytes."
                )
        return store.keep(team_id, spool)
