"""The real app on uvicorn, two teams with keys, and rows to read, put where ingest and folding put them."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from runhue_server.api.app import create_app
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.settings import Settings
from tests.integration.api.stored import Stored, Team, bearer

START_SECONDS = 20.0


@pytest.fixture
def teams(server_settings: Settings) -> tuple[Team, Team]:
    """Two teams that must not see each other."""
    pepper = keys.pepper(server_settings)
    with db.transaction() as tx:
        made = []
        for name in ("ours", "theirs"):
            team = keys.team_id(tx, name)
            made.append(
                Team(
                    team,
                    name,
                    keys.create(tx, team, "admin", ["admin"], pepper),
                    keys.create(tx, team, "reader", ["read"], pepper),
                    keys.create(tx, team, "writer", ["ingest", "read"], pepper),
                )
            )
    return made[0], made[1]


@pytest.fixture
def api_url(server_settings: Settings) -> Iterator[str]:
    """Address of the real app, served by a thread."""
    config = uvicorn.Config(
        create_app(), host="127.0.0.1", port=0, log_config=None, ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the app did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(START_SECONDS)


@pytest.fixture
def api(api_url: str, teams: tuple[Team, Team]) -> Iterator[httpx.Client]:
    """A client with our admin key."""
    with httpx.Client(base_url=api_url, headers=bearer(teams[0].admin), timeout=30) as client:
        yield client


@pytest.fixture
def them(api_url: str, teams: tuple[Team, Team]) -> Iterator[httpx.Client]:
    """A client with the other team's admin key."""
    with httpx.Client(base_url=api_url, headers=bearer(teams[1].admin), timeout=30) as client:
        yield client


@pytest.fixture
def project(api: httpx.Client, teams: tuple[Team, Team]) -> Stored:
    """A fresh project of ours."""
    assert api.post("/api/v1/projects", json={"name": "mnist"}).status_code == 201
    with db.transaction() as tx:
        (number,) = tx.execute("SELECT id FROM project WHERE name = 'mnist'").fetchone() or (0,)
    return Stored(teams[0], number, "mnist")
