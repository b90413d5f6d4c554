"""The ingest service on a real port, in a thread of this process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from runhue_server.ingest.app import Ingest
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import Settings, settings
from tests.integration.ingest.sender import Sender
from tests.serving import on_a_port


def serving(ingest: Ingest) -> AbstractContextManager[str]:
    """Serve on a free port; gives the address."""
    return on_a_port(ingest.app())


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
