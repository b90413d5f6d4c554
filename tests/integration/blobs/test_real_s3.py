"""The long suite: blobs in a real S3-compatible server that checks signatures (OpenStack Swift).

`python -m pytest -m soak tests/integration/blobs/test_real_s3.py`; as root it installs Debian's packages.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from runhue_shared.blobs.s3 import BucketStore
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import BytesMissing, Expected, StoreAway, StoredBlob
from runhue_shared.settings import MEBIBYTE
from tests.integration.blobs.swift_server import ACCESS_KEY, SECRET_KEY, NotInstallable, install, swift

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

TEAM = 7
KEY = "incoming/7/abc"


@pytest.fixture(scope="module")
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Swift that speaks S3, for whoever asked for the long suite."""
    if "soak" not in str(request.config.getoption("-m")):
        pytest.skip("of the long suite: run it with -m soak")
    try:
        install()
    except NotInstallable as reason:
        pytest.skip(str(reason))
    with swift(tmp_path_factory.mktemp("swift")) as address:
        yield address


@pytest.fixture
def client(endpoint: str) -> Any:  # boto3
    """A client of the server that is not ours."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture
def bucket(client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket that this process's environment leads to."""
    name = f"bucket-{secrets.token_hex(8)}"
    client.create_bucket(Bucket=name)
    for variable, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.fixture
def store(bucket: str, tmp_path: Path) -> BucketStore:
    """Blobs in that bucket."""
    return BucketStore(f"s3://{bucket}/runs", tmp_path / "spool")


def keep(store: BucketStore, content: bytes) -> StoredBlob:
    with Spool(store.spool_directory) as spool:
        spool.write(content)
        return store.keep(TEAM, spool)


def whole(store: BucketStore, sha256: bytes) -> bytes:
    return b"".join(store.read(TEAM, sha256))


@pytest.mark.parametrize("size", [0, 5, 3 * MEBIBYTE, 20 * MEBIBYTE])
def test_read_back(store: BucketStore, size: int) -> None:
    """Bytes of any size come back equal, whole and in part, also those that are put in parts."""
    content = os.urandom(size)

    for _ in range(2):
        blob = keep(store, content)

    assert blob.sha256 == hashlib.sha256(content).digest()
    assert store.holds(TEAM, blob.sha256)
    assert whole(store, blob.sha256) == content
    assert b"".join(store.read(TEAM, blob.sha256, size // 3, size // 2)) == content[size // 3 : size // 2]
    assert b"".join(store.read(TEAM, blob.sha256, size // 2)) == content[size // 2 :]


def test_wrong_secret_is_refused(store: BucketStore, bucket: str, tmp_path: Path) -> None:
    """Signatures are checked: with another secret nothing is read, put, listed or removed."""
    blob = keep(store, b"abc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        stranger = BucketStore(f"s3://{bucket}/runs", tmp_path / "strange")

    with pytest.raises(StoreAway):
        whole(stranger, blob.sha256)
    with pytest.raises(StoreAway):
        keep(stranger, b"def")
    with pytest.raises(StoreAway):
        list(stranger.listing())
    with pytest.raises(StoreAway):
        stranger.delete(TEAM, blob.sha256)
    (address,) = stranger.sign_puts([KEY], 60) or []
    assert httpx.put(address, content=b"abc").status_code == 403
    assert whole(store, blob.sha256) == b"abc"


def test_signed_addresses(store: BucketStore) -> None:
    """Signed addresses put and get without a key, and nothing else: a changed one is refused."""
    content = os.urandom(200_000)
    (address,) = store.sign_puts([KEY], 60) or []
    assert httpx.put(address.replace("/abc?", "/abd?"), content=content).status_code == 403
    assert httpx.put(address, content=content).status_code == 200
    assert httpx.get(address).status_code == 403

    blob = store.adopt(TEAM, KEY, 1_000_000, Expected(size=len(content)))
    store.discard(KEY)

    reading = store.sign_get(TEAM, blob.sha256, 60) or ""
    assert httpx.get(reading).content == content
    assert httpx.get(reading, headers={"Range": "bytes=10-19"}).content == content[10:20]
    assert httpx.put(reading, content=b"other").status_code == 403
    assert store.arrived("incoming") == []


def test_listing_and_removing(store: BucketStore) -> None:
    """Every blob is listed with its size and age, and is gone once removed; twice is as once."""
    contents = [os.urandom(number) for number in range(1, 20)]
    blobs = {keep(store, content).sha256: len(content) for content in contents}

    listed = {one.sha256: one.size for one in store.listing()}
    assert listed == blobs
    assert all(0 <= one.age < 600 and one.team_id == TEAM for one in store.listing())

    first = next(iter(blobs))
    for _ in range(2):
        store.delete(TEAM, first)
    assert not store.holds(TEAM, first)
    with pytest.raises(BytesMissing):
        whole(store, first)
    assert len(list(store.listing())) == len(blobs) - 1


def test_arrived_and_left_over(store: BucketStore) -> None:
    """What was put is found below its folder; nothing is young enough to be thrown away by mistake."""
    names = [f"incoming/7/run-1/{number}" for number in range(3)]
    for address in store.sign_puts(names, 60) or []:
        assert httpx.put(address, content=b"abc").status_code == 200

    assert sorted(store.arrived("incoming/7/run-1")) == names
    assert store.arrived("incoming/7/run-1", 3600) == []
    store.forget_left_over(3600)
    assert len(store.arrived("incoming")) == 3
