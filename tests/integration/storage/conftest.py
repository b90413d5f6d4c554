"""A run of a team, the routes in front of it, and a bucket of a real S3 server."""

from collections.abc import Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from runhue_shared.settings import Settings
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import LoggedRun, log_run
from tests.integration.storage.serving import serving


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ThreadedMotoServer]:
    """An S3 server on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server: ThreadedMotoServer) -> Bucket:
    """A new bucket, which is not used before `use` is called."""
    return Bucket(s3_server)


@pytest.fixture
def run(server_settings: Settings) -> LoggedRun:
    """Run r1 of project digits of team main, and a key that may read and write."""
    return log_run(server_settings)


@pytest.fixture
def http(server_settings: Settings) -> Iterator[httpx.Client]:
    """A client of the routes without a key."""
    with serving() as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client
