"""A running ingest service, and settings of runs that log to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runhue
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import Settings
from tests.integration.sdk.ingest_server import IngestServer

RunSettings = Callable[..., runhue.Settings]


@pytest.fixture(scope="session")
def ingest_server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestServer]:
    """One process for all tests; the first starts it, and the next after one that killed it."""
    server = IngestServer(database_url, tmp_path_factory.mktemp("ingest") / "log")
    yield server
    server.kill()


@pytest.fixture
def ingest(server_settings: Settings, ingest_server: IngestServer) -> IngestServer:
    """The running service with an empty database and one team's key."""
    pepper = keys.pepper(server_settings)
    with db.transaction() as tx:
        ingest_server.key = keys.create(tx, keys.team_id(tx, "main"), "tests", ["ingest", "read"], pepper)
    ingest_server.ensure_started()
    return ingest_server


@pytest.fixture
def run_settings(ingest: IngestServer, tmp_path: Path) -> RunSettings:
    """Makes settings of a quiet run that logs to `ingest`; fields by name."""

    def make(**fields: Any) -> runhue.Settings:  # values of fields of Settings
        chosen = {
            "base_url": ingest.url,
            "api_key": ingest.key,
            "dir": tmp_path / "training",
            "silent": True,
            "metadata": False,
            "system_metrics_interval": 0,
            "console": "off",
            "reinit": "create_new",
        }
        return runhue.Settings(**{**chosen, **fields})

    return make
