"""The same with bytes in a bucket: clients put them there themselves, and the server takes them over."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from runhue_server.stack import Stack
from tests.acceptance.wandb.test_files import READ, SAVE
from tests.integration.storage.bucket import Bucket
from tests.wandb_clients import NEWEST, OLDEST, WandbClient

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """An empty bucket of a real S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield Bucket(server)
    server.stop()


@pytest.fixture(scope="module")
def bucket_stack(bucket: Bucket) -> Iterator[Stack]:
    """Every process, with bytes in the bucket."""
    with Stack.temporary(environ={**os.environ, **bucket.environ}) as stack:
        yield stack


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_files_in_a_bucket(
    bucket_stack: Stack,
    bucket: Bucket,
    client_python: Callable[[str], Path],
    tmp_path: Path,
    version: str,
    project: str,
) -> None:
    """Files of a run are put at the bucket by the client, and are read, restored and deleted as ever."""
    before = set(bucket.objects("blobs/"))
    client = WandbClient(
        version, client_python(version), bucket_stack.api_url, bucket_stack.api_key, tmp_path
    )
    client = replace(client, environ={"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_SILENT": "true"})

    client.run(SAVE, project)
    out = json.loads(client.run(READ, project).stdout.strip().splitlines()[-1])

    assert {"sub dir/grüße.txt", "empty.txt", "big.bin", "config.yaml"} <= set(out["names"])
    assert out["text"] == "hello"
    assert out["restored"] == "later"
    assert out["left"] == []
    assert len(set(bucket.objects("blobs/")) - before) >= 3
    headers = {"Authorization": f"Bearer {bucket_stack.api_key}"}
    with httpx.Client(base_url=bucket_stack.api_url, headers=headers, timeout=60) as http:
        team = http.get("/api/v1/viewer").json()["team"]
        files = http.get(f"/api/v1/projects/{team}/{project}/runs/r1/files", params={"limit": 1000}).json()
        (big,) = (file for file in files["files"] if file["path"] == "big.bin")
        content = bytes(range(256)) * 40_000
        address = f"/api/v1/projects/{team}/{project}/runs/r1/files/big.bin"
        assert http.get(address).content == content
    led = httpx.get(bucket_stack.api_url + big["url"])
    assert led.headers["location"].startswith(bucket.endpoint)
    assert httpx.get(led.headers["location"]).content == content
    assert not bucket.objects("adopted")
