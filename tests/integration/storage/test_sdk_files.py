"""Files of our own SDK when bytes are in a bucket: offered to ingest, put at the bucket, offered again."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from runhue_server.ingest.app import Ingest
from runhue_shared.settings import Settings
from tests.integration.ingest.conftest import key_of, serving
from tests.integration.ingest.sender import Sender
from tests.integration.ingest.test_files import CONTENT, offer, stored_files
from tests.integration.storage.bucket import Bucket


@pytest.fixture(params=[True, False], ids=["direct", "indirect"])
def sender(
    request: pytest.FixtureRequest,
    server_settings: Settings,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sender]:
    """A client of an ingest that keeps bytes in the bucket, by way of the client or of the server."""
    bucket.use(monkeypatch, direct=request.param)
    with serving(Ingest()) as url:
        client = Sender(url, key_of("main", "ingest"))
        with client.http:
            yield client


def put(sender: Sender, address: str, content: bytes) -> httpx.Response:
    """PUT where an answer said, without a key."""
    base = str(sender.http.base_url).rstrip("/") if address.startswith("/") else ""
    return httpx.put(base + address, content=content)


def test_offer_put_offer(sender: Sender, bucket: Bucket) -> None:
    """Bytes that were put are stored at the next offer, once, and known to later ones."""
    writer = sender.new_writer()
    first = offer(sender, writer).json()
    assert first["stored"] is False
    assert put(sender, first["upload_url"], CONTENT).status_code == 200

    for _ in range(2):
        assert offer(sender, writer).json() == {"stored": True}
    assert offer(sender, writer, path="b").json() == {"stored": True}

    assert [file.path for file in stored_files()] == ["b", "media/a.png"]
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert list(bucket.objects()) == [f"blobs/1/{sha256[:2]}/{sha256}"]


def test_wrong_bytes_are_never_named(sender: Sender) -> None:
    """Bytes other than offered do not become the file, wherever they were put."""
    writer = sender.new_writer()
    put(sender, offer(sender, writer).json()["upload_url"], b"a pictura")

    again = offer(sender, writer).json()

    assert again["stored"] is False
    assert stored_files() == []
    assert put(sender, again["upload_url"], CONTENT).status_code == 200
    assert offer(sender, writer).json() == {"stored": True}
