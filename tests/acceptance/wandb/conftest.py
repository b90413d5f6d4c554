"""One stack for the real wandb clients, and the doors through which tests see what they left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from runhue import Api
from runhue_server.stack import Stack
from tests import wandb_clients
from tests.wandb_clients import VERSIONS, WandbClient


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Every process, for all tests of this folder that kill none of them."""
    with Stack.temporary() as stack:
        yield stack


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each version of the client that must work."""
    return str(request.param)


@dataclass(frozen=True)
class Doors:
    """Our own ways in, to see what a wandb client left: HTTP and the public API, with the client's key."""

    http: httpx.Client
    api: Api
    team: str


@pytest.fixture
def client_of(
    stack: Stack, client_python: Callable[[str], Path], tmp_path: Path
) -> Callable[[str], WandbClient]:
    """`client_of(version)`: a client of that version that posts each second."""

    def make(version: str) -> WandbClient:
        home = tmp_path / f"home-{version}"
        home.mkdir(exist_ok=True)
        client = WandbClient(version, client_python(version), stack.api_url, stack.api_key, home)
        return replace(client, environ={"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_SILENT": "true"})

    return make


@pytest.fixture
def client(client_of: Callable[[str], WandbClient], version: str) -> WandbClient:
    """The client in each of its versions, one after the other."""
    return client_of(version)


@pytest.fixture
def newest(client_of: Callable[[str], WandbClient]) -> WandbClient:
    """The newest client, for what does not differ between versions."""
    return client_of(wandb_clients.NEWEST)


@pytest.fixture
def doors(stack: Stack) -> Iterator[Doors]:
    """Ways in with the stack's first key."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with (
        httpx.Client(base_url=stack.api_url, headers=headers, timeout=60) as http,
        Api(base_url=stack.api_url, api_key=stack.api_key) as api,
    ):
        team = http.get("/api/v1/viewer").raise_for_status().json()["team"]
        yield Doors(http, api, team)


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project that no other test writes to."""
    name = "".join(char if char.isalnum() else "-" for char in request.node.name)
    return name[:100].strip("-").lower()
