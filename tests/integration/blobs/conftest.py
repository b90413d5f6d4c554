"""The same store twice: in a directory and in a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from runhue_shared.blobs.local import LocalStore
from runhue_shared.blobs.s3 import BucketStore
from runhue_shared.blobs.store import BlobStore
from tests.integration.storage.bucket import Bucket


@pytest.fixture(scope="session")
def blob_server() -> Iterator[ThreadedMotoServer]:
    """An S3 server on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(blob_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket that this process's environment leads to."""
    bucket = Bucket(blob_server)
    bucket.lead_to(monkeypatch)
    return bucket


@pytest.fixture
def bucket_store(bucket: Bucket, tmp_path: Path) -> BucketStore:
    """Blobs in the bucket."""
    return BucketStore(f"s3://{bucket.name}/runs", tmp_path / "spool")


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Blobs in a directory, and the same test with blobs in a bucket."""
    if request.param == "directory":
        return LocalStore(tmp_path / "blobs")
    found: BucketStore = request.getfixturevalue("bucket_store")
    return found
