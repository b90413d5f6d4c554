"""What every store does, in a directory and in a bucket."""

import hashlib
import os
import threading
from pathlib import Path

import httpx
import pytest

from runhue_shared.blobs.local import LocalStore
from runhue_shared.blobs.s3 import BucketStore
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import (
    BlobStore,
    BytesMissing,
    Expected,
    StoreAway,
    StoredBlob,
    TooManyBytes,
    WrongBytes,
)
from tests.integration.storage.bucket import Bucket

TEAM = 7
KEY = "incoming/7/abc"


def keep(store: BlobStore, content: bytes, expected: Expected | None = None, team: int = TEAM) -> StoredBlob:
    """Store bytes in pieces of odd length."""
    with Spool(store.spool_directory) as spool:
        for start in range(0, len(content), 65_537):
            spool.write(content[start : start + 65_537])
        return store.keep(team, spool, expected or Expected())


def whole(store: BlobStore, sha256: bytes, team: int = TEAM) -> bytes:
    """All bytes of a blob."""
    return b"".join(store.read(team, sha256))


@pytest.mark.parametrize("size", [0, 5, 1_000_000, 20_000_000])
def test_read_back(store: BlobStore, size: int) -> None:
    """Bytes are found under their hash, which was computed of them, also in parts."""
    content = os.urandom(size)

    blob = keep(store, content)

    assert blob == (
        hashlib.sha256(content).digest(),
        hashlib.md5(content, usedforsecurity=False).digest(),
        size,
    )
    assert whole(store, blob.sha256) == content
    assert b"".join(store.read(TEAM, blob.sha256, size // 2)) == content[size // 2 :]
    assert b"".join(store.read(TEAM, blob.sha256, size // 3, size // 2)) == content[size // 3 : size // 2]
    assert not list(store.spool_directory.iterdir())


def test_teams_are_apart(store: BlobStore) -> None:
    """A hash names nothing for another team, and one team's deleting leaves the other's bytes."""
    blob = keep(store, b"abc")

    with pytest.raises(BytesMissing):
        whole(store, blob.sha256, team=8)
    keep(store, b"abc", team=8)
    for _ in range(2):
        store.delete(8, blob.sha256)
    assert whole(store, blob.sha256) == b"abc"
    with pytest.raises(BytesMissing):
        whole(store, blob.sha256, team=8)


def test_wrong_bytes_are_not_kept(store: BlobStore) -> None:
    """Bytes with another hash than expected leave nothing behind."""
    with pytest.raises(WrongBytes, match="sha256") as refused:
        keep(store, b"abc", Expected(sha256=b"x" * 32))

    assert refused.value.field == "sha256"
    with pytest.raises(BytesMissing):
        whole(store, hashlib.sha256(b"abc").digest())
    assert not list(store.spool_directory.iterdir())


def test_many_store_the_same_bytes_at_once(store: BlobStore) -> None:
    """Writers of the same bytes do not disturb each other, nor a reader."""
    content = os.urandom(300_000)
    sha256 = keep(store, content).sha256
    threads = [threading.Thread(target=keep, args=(store, content)) for _ in range(8)]
    for thread in threads:
        thread.start()

    while any(thread.is_alive() for thread in threads):
        assert whole(store, sha256) == content
    for thread in threads:
        thread.join()
    assert whole(store, sha256) == content


def test_unfinished_upload_leaves_nothing(store: BlobStore) -> None:
    """Bytes that did not come whole are gone when their upload ends."""
    with Spool(store.spool_directory) as spool:
        spool.write(b"half of it")

    assert not list(store.spool_directory.iterdir())


def test_left_over_bytes_are_forgotten(store: BlobStore) -> None:
    """What a killed process left in the spool goes when it is old, and not before."""
    spool = Spool(store.spool_directory)
    spool.write(b"half of it")

    store.forget_left_over(3600)
    assert spool.path.exists()
    os.utime(spool.path, (0, 0))
    store.forget_left_over(3600)

    assert not spool.path.exists()
    spool.close()


def test_damaged_bytes_heal(tmp_path: Path) -> None:
    """Storing bytes again replaces a damaged file of a directory."""
    store = LocalStore(tmp_path)
    blob = keep(store, b"abc")
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(b"ab")

    keep(store, b"abc")

    assert whole(store, blob.sha256) == b"abc"


def test_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without space is a store that is away, which is tried again later."""
    store = LocalStore(tmp_path)

    def full(_spool: Spool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "to_disk", full)

    with pytest.raises(StoreAway, match="full"):
        keep(store, b"abc")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_directory_gives_no_addresses(tmp_path: Path) -> None:
    """Nobody reaches a directory but by the server."""
    store = LocalStore(tmp_path)

    assert not store.direct
    assert store.sign_puts([KEY], 60) is None
    assert store.sign_get(TEAM, b"x" * 32, 60) is None


def test_bucket_takes_and_gives_directly(bucket_store: BucketStore, bucket: Bucket) -> None:
    """What was put at a signed address is adopted under its hash, and read at another address."""
    content = os.urandom(100_000)
    (address,) = bucket_store.sign_puts([KEY], 60) or []
    assert httpx.put(address, content=content).status_code == 200

    for _ in range(2):
        blob = bucket_store.adopt(TEAM, KEY, 1_000_000, Expected(size=len(content)))
    bucket_store.discard(KEY)

    assert blob.sha256 == hashlib.sha256(content).digest()
    assert whole(bucket_store, blob.sha256) == content
    assert httpx.get(bucket_store.sign_get(TEAM, blob.sha256, 60) or "").content == content
    assert list(bucket.objects()) == [f"blobs/7/{blob.sha256.hex()[:2]}/{blob.sha256.hex()}"]


def test_bucket_refuses_what_was_put(bucket_store: BucketStore, bucket: Bucket) -> None:
    """What is too large, wrong or not there is not adopted, and leaves nothing but what was put."""
    with pytest.raises(BytesMissing):
        bucket_store.adopt(TEAM, KEY, 100)
    (address,) = bucket_store.sign_puts([KEY], 60) or []
    httpx.put(address, content=b"abc")

    with pytest.raises(TooManyBytes):
        bucket_store.adopt(TEAM, KEY, 2)
    with pytest.raises(WrongBytes):
        bucket_store.adopt(TEAM, KEY, 100, Expected(md5=b"x" * 16))

    assert bucket.objects() == {KEY: 3}
    for _ in range(2):
        bucket_store.discard(KEY)
    assert not bucket.objects()


def test_bucket_forgets_interrupted_adoptions(bucket_store: BucketStore, bucket: Bucket) -> None:
    """Copies that an adoption left when its process was killed go later."""
    bucket.client.put_object(Bucket=bucket.name, Key="runs/adopted/x", Body=b"abc")

    bucket_store.forget_left_over(3600)
    assert bucket.objects() == {"adopted/x": 3}
    bucket_store.forget_left_over(-60)
    assert not bucket.objects()


def test_bucket_that_is_away(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that refuses or cannot be reached is a store that is away."""
    store = BucketStore("s3://no-such-bucket/runs", tmp_path)

    with pytest.raises(StoreAway):
        keep(store, b"abc")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreAway):
        next(iter(BucketStore("s3://no-such-bucket/runs", tmp_path).read(TEAM, b"x" * 32)))
    assert not list(store.spool_directory.iterdir())


def test_indirect_bucket_signs_nothing(bucket: Bucket, tmp_path: Path) -> None:
    """Without direct access clients never learn of the bucket."""
    store = BucketStore(f"s3://{bucket.name}/runs", tmp_path, direct=False)

    assert store.sign_puts([KEY], 60) is None
    assert store.sign_get(TEAM, b"x" * 32, 60) is None


def test_clients_may_have_another_address(bucket: Bucket, tmp_path: Path) -> None:
    """Signed addresses name the endpoint that clients reach, not the server's."""
    store = BucketStore(f"s3://{bucket.name}/runs", tmp_path, "https://files.example.org")

    (address,) = store.sign_puts([KEY], 60) or []

    assert address.startswith(f"https://files.example.org/{bucket.name}/runs/{KEY}?")
    assert whole(store, keep(store, b"abc").sha256) == b"abc"
