"""Where the content of artifacts comes from and goes: manifests, buckets, and time to live."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from runhue_server.gateway import artifact_manifests
from runhue_server.web.problems import Invalid
from runhue_shared import db
from runhue_shared.db import artifact_versions
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import Logger, digest_of, manifest_of
from tests.integration.gateway.conftest import Client
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import log_run

contents = st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=8) | st.just("s3://b/k"))


@pytest.fixture
def plain() -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


@given(st.lists(contents, min_size=1, max_size=4))
def test_merged_manifests(parts: list[dict[str, bytes | str]]) -> None:
    """A merged manifest lists what the parts list, the later above the earlier, under the client's digest."""
    merged = artifact_manifests.merged(artifact_manifests.read(manifest_of(part)) for part in parts)

    whole = {path: content for part in parts for path, content in part.items()}
    again = artifact_manifests.read(artifact_manifests.written(merged))
    assert again.entries == merged.entries == artifact_manifests.read(manifest_of(whole)).entries
    assert artifact_manifests.digest(again) == digest_of(whole)
    assert again.size == sum(len(content) for content in whole.values())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"contents": [1]}', b'{"contents": {"a": 1}}', b"\xff"]
)
def test_no_manifest(body: bytes) -> None:
    """What is no manifest is refused, not half read."""
    with pytest.raises(Invalid):
        artifact_manifests.read(body)


def test_straight_to_the_bucket(
    server_settings: Settings, client: Client, plain: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and manifests that clients put straight at an object store are the version's after the commit."""
    log_run(server_settings)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        bucket = Bucket(server)
        bucket.use(monkeypatch)
        logger = Logger(client, plain, times=2)
        made = logger.create("ds", {"a": b"1", "b": b"2"})
        nodes = logger.offer(made["id"], [("a", b"1")])
        assert nodes[0]["uploadUrl"].startswith(bucket.endpoint)

        artifact = logger.log("ds", {"a": b"1", "b": b"2"})
        again = logger.log("ds", {"c": b"3"}, kind="INCREMENTAL", base=artifact)

        assert logger.contents(artifact) == {"a": b"1", "b": b"2"}
        assert logger.contents(again) == {"a": b"1", "b": b"2", "c": b"3"}
    finally:
        server.stop()


def test_time_to_live(server_settings: Settings, client: Client, plain: httpx.Client) -> None:
    """A version that was to be kept for a time goes when it is over; the others stay."""
    log_run(server_settings)
    logger = Logger(client, plain)
    logger.log("ds", {"a": b"1"})
    short = logger.log("ds", {"a": b"2"}, ttlDurationSeconds=60)

    with db.transaction() as tx:
        assert artifact_versions.forget_expired(tx, 10) == 0
        tx.execute("UPDATE artifact SET committed_at = now() - interval '61 seconds'")
        assert artifact_versions.forget_expired(tx, 10) == 1
        assert artifact_versions.forget_expired(tx, 10) == 0

    assert logger.version("ds:latest") == (0, ["latest"])
    assert logger.contents(short) == {}
