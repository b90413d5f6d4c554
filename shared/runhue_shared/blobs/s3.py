"""Blobs in a bucket of an S3-compatible store. Whoever holds a signed address reads or writes it directly."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from runhue_shared.blobs.local import disk_errors, forget_files, is_blob_name
from runhue_shared.blobs.spool import Digests, Spool
from runhue_shared.blobs.store import (
    ANYTHING,
    READ_BYTES,
    BytesMissing,
    Expected,
    ListedBlob,
    StoreAway,
    StoredBlob,
    TooManyBytes,
    check,
)

if TYPE_CHECKING:  # there at type checking only
    from obstore import GetOptions
    from obstore.store import S3Config

PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
CONNECT_TIME = timedelta(seconds=5)
REQUEST_TIME = timedelta(minutes=10)
RETRY_TIME = timedelta(seconds=10)
BLOBS = "blobs"
BLOB_KEY_PARTS = 4
ADOPTED = "adopted"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class BucketStore:
    """A bucket, or a part of one: `blobs/` has what is hashed, `incoming/` what was put by signed addresses.

    Credentials, region and endpoint come from the usual `AWS_*` variables. `public_endpoint` is where clients
    reach the store when that is another address than the server's.
    """

    def __init__(
        self, url: str, spool_directory: Path, public_endpoint: str = "", *, direct: bool = True
    ) -> None:
        self._store = _open(url, next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), None))
        self._public = _open(url, public_endpoint) if public_endpoint else self._store
        self.direct = direct
        self.spool_directory = spool_directory

    def keep(self, team_id: int, spool: Spool, expected: Expected = ANYTHING) -> StoredBlob:
        found = StoredBlob(spool.digests.sha256, spool.digests.md5, spool.digests.size)
        check(found, expected)
        with disk_errors():
            spool.to_disk()
        with _errors():
            if not self._holds(_blob_key(team_id, found.sha256), found.size):
                obstore.put(
                    self._store,
                    _blob_key(team_id, found.sha256),
                    spool.path,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
        spool.close()
        return found

    def read(self, team_id: int, sha256: bytes, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if end is not None and end <= start:
            return
        with _errors():
            found = obstore.get(self._store, _blob_key(team_id, sha256), options=_range(start, end))
            for piece in found.stream(min_chunk_size=READ_BYTES):
                yield bytes(piece)

    def holds(self, team_id: int, sha256: bytes) -> bool:
        with _errors():
            try:
                obstore.head(self._store, _blob_key(team_id, sha256))
            except FileNotFoundError:
                return False
        return True

    def listing(self) -> Iterator[ListedBlob]:
        now = datetime.now(UTC)
        with _errors():
            for page in obstore.list(self._store, BLOBS):
                for entry in page:
                    parts = entry["path"].split("/")
                    if len(parts) == BLOB_KEY_PARTS and parts[1].isdecimal() and is_blob_name(parts[-1]):
                        age = max(0.0, (now - entry["last_modified"]).total_seconds())
                        yield ListedBlob(int(parts[1]), bytes.fromhex(parts[-1]), entry["size"], age)

    def delete(self, team_id: int, sha256: bytes) -> None:
        self.discard(_blob_key(team_id, sha256))

    def sign_get(self, team_id: int, sha256: bytes, seconds: int) -> str | None:
        if not self.direct:
            return None
        with _errors():
            return obstore.sign(self._public, "GET", _blob_key(team_id, sha256), timedelta(seconds=seconds))

    def sign_puts(self, keys: list[str], seconds: int) -> list[str] | None:
        if not self.direct:
            return None
        with _errors():
            return list(obstore.sign(self._public, "PUT", keys, timedelta(seconds=seconds)))

    def adopt(self, team_id: int, key: str, max_bytes: int, expected: Expected = ANYTHING) -> StoredBlob:
        # Its signed address stays good for a while: what we hash must be out of its reach.
        own = f"{ADOPTED}/{secrets.token_hex(16)}"
        with _errors():
            if obstore.head(self._store, key)["size"] > max_bytes:
                raise TooManyBytes(max_bytes)
            obstore.copy(self._store, key, own)
            try:
                found = self._hash(own)
                check(found, expected)
                obstore.copy(self._store, own, _blob_key(team_id, found.sha256))
            finally:
                obstore.delete(self._store, own)
        return found

    def discard(self, key: str) -> None:
        with _errors():
            obstore.delete(self._store, key)

    def forget_left_over(self, seconds: float) -> None:
        with disk_errors():
            forget_files(self.spool_directory, seconds)
        for key in self.arrived(ADOPTED, seconds):
            self.discard(key)

    def arrived(self, folder: str, seconds: float | None = None) -> list[str]:
        with _errors():
            found = [entry for page in obstore.list(self._store, folder) for entry in page]
        if seconds is not None:
            latest = datetime.now(UTC) - timedelta(seconds=seconds)
            found = [entry for entry in found if entry["last_modified"] <= latest]
        return [entry["path"] for entry in found]

    def _holds(self, key: str, size: int) -> bool:
        try:
            return obstore.head(self._store, key)["size"] == size
        except FileNotFoundError:
            return False

    def _hash(self, key: str) -> StoredBlob:
        digests = Digests()
        for piece in obstore.get(self._store, key).stream(min_chunk_size=READ_BYTES):
            digests.add(memoryview(piece))
        return StoredBlob(digests.sha256, digests.md5, digests.size)


def _range(start: int, end: int | None) -> "GetOptions":
    if end is not None:
        return {"range": (start, end)}
    # Nothing at all for the whole: an object without bytes has no range.
    return {"range": {"offset": start}} if start else {}


def _blob_key(team_id: int, sha256: bytes) -> str:
    name = sha256.hex()
    return f"{BLOBS}/{team_id}/{name[:2]}/{name}"


def _open(url: str, endpoint: str | None) -> S3Store:
    config: S3Config = {} if endpoint is None else {"endpoint": endpoint}
    plain = endpoint is not None and endpoint.startswith("http://")
    return S3Store.from_url(
        url,
        config=config,
        client_options={"allow_http": plain, "timeout": REQUEST_TIME, "connect_timeout": CONNECT_TIME},
        retry_config={"max_retries": 3, "retry_timeout": RETRY_TIME},
    )


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what the bucket says into what a store says.

    Raises:
        BytesMissing: there is no such object.
        StoreAway: the bucket is not reachable, or refuses.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
            raise BytesMissing("the bucket has no such object") from error
        raise StoreAway(f"the bucket of the blob store refuses: {str(error)[:300]}") from error
