"""What uploaded bytes become."""

import msgspec

from runhue_server.intake.problems import RunDeleted
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import Transaction, blobs, run_files
from runhue_shared.db.blobs import Blob


class BlobOnly(msgspec.Struct, frozen=True, tag="blob"):
    """A blob that nothing names yet: whoever needs it finds it by its hash."""


class RunFileAt(msgspec.Struct, frozen=True, tag="run_file"):
    """The file of a run (internal number) at a path."""

    run_id: int
    path: str
    mimetype: str


Target = BlobOnly | RunFileAt


def settle(tx: Transaction, team_id: int, target: Target, stored: StoredBlob) -> None:
    """Note bytes that are in the store, and what they are. Idempotent.

    Raises:
        RunDeleted: the run is not there any more.
    """
    blob = Blob(*stored)
    blobs.insert(tx, team_id, blob)
    match target:
        case BlobOnly():
            pass
        case RunFileAt():
            if not run_files.put(tx, team_id, target.run_id, target.path, blob, target.mimetype):
                raise RunDeleted
