"""What uploaded bytes become."""

import msgspec

from runhue_server.intake.problems import RunDeleted
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import Transaction, artifact_files, blobs, run_files
from runhue_shared.db.artifact_files import File
from runhue_shared.db.blobs import Blob


class BlobOnly(msgspec.Struct, frozen=True, tag="blob"):
    """A blob that nothing names yet: whoever needs it finds it by its hash."""


class RunFileAt(msgspec.Struct, frozen=True, tag="run_file"):
    """The file of a run (internal number) at a path."""

    run_id: int
    path: str
    mimetype: str


class ArtifactFileAt(msgspec.Struct, frozen=True, tag="artifact_file"):
    """A file of an artifact that is not committed yet; afterwards the bytes are a blob that nothing names."""

    artifact_id: int
    path: str


class ArtifactManifestAt(msgspec.Struct, frozen=True, tag="artifact_manifest"):
    """The list of an artifact's files."""

    manifest_id: int


Target = BlobOnly | RunFileAt | ArtifactFileAt | ArtifactManifestAt


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
        case ArtifactFileAt():
            file = File(target.path, blob.md5, blob.sha256, blob.size)
            artifact_files.keep_files(tx, team_id, target.artifact_id, [file])
        case ArtifactManifestAt():
            artifact_files.keep_manifest(tx, target.manifest_id, blob.sha256)
