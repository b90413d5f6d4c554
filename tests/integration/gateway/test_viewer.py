"""Who the client is, and what the server says of itself."""

import pytest

from runhue_server.gateway import ids
from runhue_server.gateway.viewer import FEATURES
from runhue_shared import db
from runhue_shared.db import keys
from tests.integration.gateway.conftest import Client, key_of

VIEWER = "query Viewer { viewer { id entity flags username email teams { edges { node { name } } } } }"


def test_viewer_is_the_team_of_the_key(client: Client) -> None:
    """A client that logs in learns the entity that it logs to: the key's team."""
    viewer = client.ask(VIEWER)["viewer"]

    assert viewer["entity"] == viewer["username"] == "main"
    assert viewer["flags"] == "{}"
    assert viewer["teams"] == {"edges": [{"node": {"name": "main"}}]}
