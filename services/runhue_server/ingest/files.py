"""`POST /ingest/v1/writers/{writer_id}/files`: a writer offers a file, and learns where its bytes go."""

import re

import msgspec

from runhue_server.ingest.file_parts import PARTS_FROM, MissingParts, missing_parts
from runhue_server.intake import liveness
from runhue_server.intake.problems import Malformed
from runhue_server.storage import uploads
from runhue_server.storage.file_names import check_path, check_type, type_of
from runhue_server.storage.named_files import take_over_uploads
from runhue_server.storage.problems import FileTooLarge, store_answers
from runhue_server.storage.targets import RunFileAt, settle
from runhue_server.storage.uploads import Upload, run_owner
from runhue_server.web.json_text import holds_lone_surrogate
from runhue_shared import db
from runhue_shared.blobs.store import Expected, StoredBlob
from runhue_shared.db import blobs, run_files
from runhue_shared.db.keys import Principal
from runhue_shared.db.writers import SeenWriter
from runhue_shared.settings import Settings

OFFER_BYTES = 16 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class FileOffer(msgspec.Struct, frozen=True):
    """A file of a run: `sha256` in hex, `size` in bytes; without `mimetype` the path tells the type.

    `parts`: whether the sender can send a large file in parts.
    """

    path: str
    sha256: str
    size: int
    mimetype: str | None = None
    parts: bool = False


class FileAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Stored and named; or not, and where to PUT the bytes, or their parts.

    Addresses that begin with `/` are at ingest itself.
    """

    stored: bool
    upload_url: str | None = None
    headers: dict[str, str] | None = None
    parts: MissingParts | None = None


_decoder = msgspec.json.Decoder(FileOffer)


def decode(body: bytes) -> FileOffer:
    """The offer in a request's body.

    Raises:
        Malformed: it is no JSON object with these members.
    """
    try:
        if holds_lone_surrogate(body):
            raise ValueError("half a surrogate pair")
        return _decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(
            f"the body is no offer of a file: {error}",
            field="body",
            fix="send {path, sha256, size, mimetype}",
        ) from None


def check(offer: FileOffer, max_bytes: int) -> None:
    """Pass an offer that can be stored.

    Raises:
        InvalidPath: the path or the type is not taken.
        Malformed: the hash or the size is none.
        FileTooLarge: it is larger than `max_bytes`.
    """
    check_path(offer.path)
    if not _SHA256.match(offer.sha256):
        raise Malformed(
            f"sha256 is {offer.sha256[:80]!r}", field="sha256", fix="send 64 lower-case hex digits"
        )
    if offer.size < 0:
        raise Malformed(f"size is {offer.size}", field="size", fix="send the number of bytes")
    if offer.size > max_bytes:
        raise FileTooLarge(max_bytes)
    if offer.mimetype is not None:
        check_type(offer.mimetype)


def answer_offer(
    sender: Principal, writer_id: int, offer: FileOffer, settings: Settings
) -> tuple[FileAnswer, SeenWriter]:
    """Have the run's path name the bytes if they are here; else say where they go. Idempotent; blocks.

    For a key of one project they are here when a file of that project has them.

    Raises:
        WriterNotFound: the key reaches no such writer.
        RunDeleted: its run is gone.
        Unavailable: the store is away.
    """
    check(offer, settings.max_file_bytes)
    seen = liveness.hear(sender, writer_id)
    if _names_it(sender, seen.run_id, offer):
        return FileAnswer(stored=True), seen
    take_over_uploads(sender.team_id, seen.run_id, [offer.path])
    if _names_it(sender, seen.run_id, offer):
        return FileAnswer(stored=True), seen
    expected = Expected(sha256=bytes.fromhex(offer.sha256), size=offer.size)
    if offer.parts and offer.size >= PARTS_FROM:
        target = target_of(seen.run_id, offer)
        missing = missing_parts(sender.team_id, writer_id, target, offer.sha256, offer.size)
        return FileAnswer(stored=False, parts=missing), seen
    upload = Upload(run_owner(seen.run_id), offer.path, target_of(seen.run_id, offer), expected)
    with store_answers():
        (address,) = uploads.addresses(sender.team_id, [upload], "")
    return FileAnswer(stored=False, upload_url=address, headers={}), seen


def target_of(run_id: int, offer: FileOffer) -> RunFileAt:
    """What the offered bytes become."""
    return RunFileAt(run_id, offer.path, offer.mimetype or type_of(offer.path))


def _names_it(sender: Principal, run_id: int, offer: FileOffer) -> bool:
    """Have the run's path name the team's blob; False when there is none that the key may know of."""
    with db.transaction() as tx:
        blob = blobs.find(tx, sender.team_id, bytes.fromhex(offer.sha256), sender.project_id)
        if blob is None or blob.size != offer.size:
            return False
        file = run_files.find(tx, run_id, offer.path)
        if file is None or file.sha256 != blob.sha256:
            settle(tx, sender.team_id, target_of(run_id, offer), StoredBlob(*blob))
    return True
