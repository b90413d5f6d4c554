"""The store that the settings name."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runhue_shared.blobs.local import LocalStore
from runhue_shared.blobs.s3 import BucketStore
from runhue_shared.blobs.store import BlobStore
from runhue_shared.settings import Settings, settings

DIRECTORY = "blobs"
SPOOL = "incoming"
"""Where bytes on their way into a bucket are hashed: `/tmp` is memory in many containers."""


def blob_store() -> BlobStore:
    """The process's store; nothing is opened or made before it is used."""
    return _store(settings())


@lru_cache(maxsize=1)
def _store(current: Settings) -> BlobStore:
    if current.blob_url.startswith("s3://"):
        return BucketStore(
            current.blob_url,
            current.data_dir / SPOOL,
            current.blob_public_endpoint,
            direct=current.blob_direct,
        )
    if current.blob_url:
        return LocalStore(Path(unquote(urlsplit(current.blob_url).path)))
    return LocalStore(current.data_dir / DIRECTORY)
