"""Why bytes are not taken or given; what the store says, in terms of HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from runhue_server.web.problems import NotFound, Problem, Unavailable
from runhue_shared.blobs.local import disk_errors
from runhue_shared.blobs.store import BytesMissing, StoreAway, TooManyBytes, WrongBytes

_log = structlog.get_logger(__name__)


class FileTooLarge(Problem):
    """The file is larger than this server keeps."""

    status = 413
    code = "file_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the file is larger than {limit} bytes",
            field="size",
            limit=limit,
            fix="send a smaller file, or have RUNHUE_MAX_FILE_BYTES raised",
        )


class UploadTooSlow(Problem):
    """The file did not come in time. Not 408: clients that send again after that are rare."""

    status = 503
    code = "upload_timeout"

    def headers(self) -> dict[str, str]:
        # What still comes of the body is of no use.
        return {**super().headers(), "Connection": "close"}


class HashMismatch(Problem):
    """The bytes that arrived are not those that were announced."""

    status = 422
    code = "hash_mismatch"


class InvalidPath(Problem):
    """A file cannot have that path."""

    status = 422
    code = "invalid_path"


class InvalidType(Problem):
    """That is no MIME type."""

    status = 422
    code = "invalid_type"


class FileNotFound(NotFound):
    """The run has no file at that path."""

    code = "file_not_found"


class FileExpired(Problem):
    """The file was there, and was kept as long as its project keeps media."""

    status = 410
    code = "file_expired"


class UploadNotFound(NotFound):
    """There is no such upload in parts: it was given up, or its time is over."""

    code = "upload_not_found"

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"no upload {upload_id[:80]!r}", field="upload", fix="begin it again with POST .../uploads"
        )


class PartsMissing(Problem):
    """A file cannot be put together yet."""

    status = 409
    code = "parts_missing"


class WrongPartSize(Problem):
    """A part has another length than its place in the file says."""

    status = 422
    code = "wrong_part_size"


class RemovedMeanwhile(Unavailable):
    """The same bytes were being removed while these came in; the next time they stay."""

    def __init__(self) -> None:
        super().__init__("the same bytes were being removed from the blob store at that moment")


class BytesLost(Problem):
    """A file is there whose bytes are not: somebody took them from the store."""

    status = 500
    code = "bytes_lost"


def mismatch(error: WrongBytes) -> HashMismatch:
    """What is said of bytes that are not the announced ones."""
    return HashMismatch(
        f"{error.field} of the bytes that arrived is {error.found}, announced was {error.expected}",
        field=error.field,
        fix="send the bytes as announced; if they were, send them again",
    )


@contextmanager
def store_answers() -> Iterator[None]:
    """Turn what a store raises into problems.

    Raises:
        Unavailable: the store, or the disk, is full or away; passing, so that clients send again.
        HashMismatch, FileTooLarge, BytesLost: for good.
    """
    try:
        with disk_errors():
            yield
    except StoreAway as error:
        _log.warning("blob_store_away", error=str(error))
        raise Unavailable("the blob store is full or not reachable right now") from error
    except WrongBytes as error:
        raise mismatch(error) from error
    except TooManyBytes as error:
        raise FileTooLarge(error.limit) from error
    except BytesMissing as error:
        _log.error("bytes_lost", error=str(error))
        raise BytesLost(
            "the bytes of this file are not in the blob store", fix="send the file again"
        ) from error
