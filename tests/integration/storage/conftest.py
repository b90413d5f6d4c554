"""A run of a team, the routes in front of it, and a bucket of a real S3 server."""

from collections.abc import Iterator

import httpx
import pytest

from runhue_shared.settings import Settings
from tests.integration.storage.logged_run import LoggedRun, log_run
from tests.integration.storage.serving import serving


@pytest.fixture
def run(server_settings: Settings) -> LoggedRun:
    """Run r1 of project digits of team main, and a key that may read and write."""
    return log_run(server_settings)


@pytest.fixture
def http(server_settings: Settings) -> Iterator[httpx.Client]:
    """A client of the routes without a key."""
    with serving() as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client
