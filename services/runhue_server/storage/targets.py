"""What uploaded bytes become."""

import msgspec

from runhue_server.intake.problems import RunDeleted
from runhue_server.storage.inspecting import have_inspected
from runhue_server.storage.problems import RemovedMeanwhile, UploadNotFound
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.db import Transaction, artifact_files, blobs, part_uploads, run_files
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


class PartAt(msgspec.Struct, frozen=True, tag="part"):
    """A part of an upload that comes in parts, numbered from 1."""

    upload_id: str
    number: int


class ArtifactManifestAt(msgspec.Struct, frozen=True, tag="artifact_manifest"):
    """The list of an artifact's files."""

    manifest_id: int


Target = BlobOnly | RunFileAt | ArtifactFileAt | ArtifactManifestAt | PartAt


def settle(tx: Transaction, team_id: int, target: Target, stored: StoredBlob) -> None:
    """Note bytes that are in the store, and what they are. Idempotent.

    Raises:
        RunDeleted: the run is not there any more.
        UploadNotFound: it was a part, and its upload was given up.
        RemovedMeanwhile: send the bytes again.
    """
    name_blob(tx, team_id, target, note_stored(tx, team_id, stored))


def name_blob(tx: Transaction, team_id: int, target: Target, blob: Blob) -> None:
    """Have bytes that this transaction noted be what they are to become. Idempotent.

    Raises:
        RunDeleted, UploadNotFound: as `settle`.
    """
    match target:
        case BlobOnly():
            pass
        case RunFileAt():
            if not run_files.put(tx, team_id, target.run_id, target.path, blob, target.mimetype):
                raise RunDeleted
            have_inspected(tx, team_id, [(target.path, blob.sha256)])
        case ArtifactFileAt():
            file = File(target.path, blob.md5, blob.sha256, blob.size)
            artifact_files.keep_files(tx, team_id, target.artifact_id, [file])
        case ArtifactManifestAt():
            artifact_files.keep_manifest(tx, target.manifest_id, blob.sha256)
        case PartAt():
            if not part_uploads.keep_part(tx, team_id, target.upload_id, target.number, blob):
                raise UploadNotFound(target.upload_id)


def note_stored(tx: Transaction, team_id: int, stored: StoredBlob) -> Blob:
    """Note bytes that are in the store. The only way in which a blob's row comes about.

    Raises:
        RemovedMeanwhile: as bytes that nothing named, the same ones were just being removed.
        StoreAway: the store cannot say whether it holds them.
    """
    blob = Blob(*stored)
    if blobs.insert(tx, team_id, blob) and not blob_store().holds(team_id, blob.sha256):
        raise RemovedMeanwhile
    return blob
