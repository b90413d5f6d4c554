"""The gateway on a real port, in a thread of this process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from runhue_server.gateway.app import app_of
from runhue_server.gateway.service import Gateway
from runhue_server.web.bounded_http import BoundedHeads
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import Settings, settings
from tests.serving import on_a_port


def serving(gateway: Gateway) -> AbstractContextManager[str]:
    """Serve on a free port; gives the address."""
    return on_a_port(app_of(gateway), BoundedHeads)


def key_of(team: str, *scopes: keys.Scope, project_id: int | None = None) -> str:
    """A new key of a team, which is made when it is new."""
    with db.transaction() as tx:
        team_id = keys.team_id(tx, team)
        return keys.create(tx, team_id, "test", scopes, keys.pepper(settings()), project_id=project_id)


class Client:
    """Speaks GraphQL as the wandb client does: Basic, with the key as the password of `api`."""

    def __init__(self, url: str, key: str, agent: str = "wandb-core") -> None:
        self.url = url
        self.key = key
        self.http = httpx.Client(
            base_url=url, auth=("api", key), headers={"User-Agent": agent}, timeout=30, trust_env=False
        )

    def post(self, query: str, /, **variables: Any) -> httpx.Response:  # JSON values
        return self.http.post("/graphql", json={"query": query, "variables": variables or None})

    def ask(self, query: str, /, **variables: Any) -> dict[str, Any]:  # JSON values
        """`data` of an answer without errors."""
        response = self.post(query, **variables)
        body: dict[str, Any] = response.json()
        assert response.status_code == 200, response.text
        assert "errors" not in body, response.text
        data: dict[str, Any] = body["data"]
        return data


@pytest.fixture
def gateway(server_settings: Settings) -> Gateway:
    """The gateway that `url` is the address of."""
    return Gateway()


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    """Address of a running gateway."""
    with serving(gateway) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client of team `main` that logs and reads."""
    made = Client(url, key_of("main", "ingest", "read"))
    with made.http:
        yield made


@pytest.fixture
def other_team(url: str) -> Iterator[Client]:
    """A client of another team."""
    made = Client(url, key_of("others", "ingest", "read"))
    with made.http:
        yield made
