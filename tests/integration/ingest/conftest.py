"""The ingest service on a real port, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from runhue_server.ingest.app import Ingest
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import Settings, settings
from tests.integration.ingest.sender import Sender

START_SECONDS = 20.0


@contextmanager
def serving(ingest: Ingest) -> Iterator[str]:
    """Serve on a free port; gives the address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            ingest.app(), loop="uvloop", http="httptools", ws="none", access_log=False, log_config=None
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def key_of(team: str, *scopes: keys.Scope) -> str:
    """A new key of a team, which is made when it is new."""
    with db.transaction() as tx:
        return keys.create(tx, keys.team_id(tx, team), "test", scopes, keys.pepper(settings()))


@pytest.fixture
def url(server_settings: Settings) -> Iterator[str]:
    """Address of a running ingest."""
    with serving(Ingest()) as address:
        yield address


@pytest.fixture
def sender(url: str) -> Iterator[Sender]:
    """A client of team `main` that may ingest."""
    client = Sender(url, key_of("main", "ingest"))
    with client.http:
        yield client


@pytest.fixture
def other_team(url: str) -> Iterator[Sender]:
    """A client of another team."""
    client = Sender(url, key_of("others", "ingest"))
    with client.http:
        yield client
