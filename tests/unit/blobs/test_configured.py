"""The settings name the store."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from runhue_shared.blobs.configured import _store
from runhue_shared.blobs.local import LocalStore
from runhue_shared.settings import Settings


@pytest.mark.parametrize(
    ("url", "directory"),
    [("", "/data/blobs/incoming"), ("file:///mnt/my%20blobs", "/mnt/my blobs/incoming")],
)
def test_directories(url: str, directory: str) -> None:
    """Bytes are in the data directory, or in the directory named; nothing is made before it is used."""
    store = _store(Settings(data_dir=Path("/data"), blob_url=url))

    assert isinstance(store, LocalStore)
    assert store.spool_directory == Path(directory)
    assert not store.spool_directory.exists()


@pytest.mark.parametrize("url", ["/mnt/x", "http://bucket", "s3://", "s3:///x", "file://host"])
def test_bad_addresses(url: str) -> None:
    """What names no store is refused at the start."""
    with pytest.raises(ValidationError, match="blob_url"):
        Settings(blob_url=url)
