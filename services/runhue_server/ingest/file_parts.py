"""Large files of a writer, in parts: where each part goes, and putting them together."""

import msgspec

from runhue_server.intake import liveness
from runhue_server.storage import parts
from runhue_server.storage.problems import UploadNotFound
from runhue_server.storage.targets import RunFileAt
from runhue_shared.blobs.store import Expected
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import SeenWriter
from runhue_shared.settings import MEBIBYTE

PARTS_FROM = 64 * MEBIBYTE
"""Smaller files are sent whole: to send one again costs less than to write each as parts and then whole.

8 files of 25 MB took 2.1 s in parts and 1.3 s whole.
"""

PATH = "/ingest/v1/writers/{writer_id}/uploads/{upload_id}/complete"


class MissingParts(msgspec.Struct, frozen=True):
    """How a large file comes: in parts of `part_bytes`, the last one shorter, numbered from 1.

    `missing`: those that have not come; the first of them are put at `urls`, in their order. Then the file is
    offered again for further addresses; when none is missing a POST to `complete_url` puts it together.
    """

    id: str
    part_bytes: int
    missing: list[int]
    urls: list[str]
    complete_url: str


def missing_parts(team_id: int, writer_id: int, target: RunFileAt, sha256: str, size: int) -> MissingParts:
    """What has not come of a file, of which parts may have come long ago and from another process.

    `sha256` is hex, `size` bytes.

    Raises:
        FileTooLarge: it would need too many parts.
        Unavailable: the store is away, or parts that came are being checked; ask again.
    """
    begun = parts.begin(team_id, target, size, Expected(sha256=bytes.fromhex(sha256)))
    upload, _, missing = parts.progress(team_id, begun.id)
    return MissingParts(
        upload.id,
        upload.part_bytes or size,
        missing,
        parts.addresses(upload, missing[: parts.ADDRESSES_AT_ONCE], ""),
        PATH.format(writer_id=writer_id, upload_id=upload.id),
    )


def complete(sender: Principal, writer_id: int, upload_id: str) -> SeenWriter:
    """Put a file together whose parts came, and have the run's path name it. Idempotent; blocks.

    Raises:
        WriterNotFound: the key reaches no such writer.
        UploadNotFound: its run has no such upload.
        Problem: as `storage.parts.complete`.
    """
    seen = liveness.hear(sender, writer_id)
    target = parts.target_of(parts.progress(sender.team_id, upload_id).upload)
    if not (isinstance(target, RunFileAt) and target.run_id == seen.run_id):
        raise UploadNotFound(upload_id)
    parts.complete(sender.team_id, upload_id)
    return seen
