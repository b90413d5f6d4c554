"""One stack for the real wandb clients, and the doors through which tests see what they left."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from runhue import Api
from runhue_server.stack import Stack
from tests import wandb_clients
from tests.wandb_clients import VERSIONS, Finished, WandbClient

TEST_SECONDS = 600
"""A test runs several scripts, each of which starts a client; on a busy machine that takes its time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder have more time than others."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


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
        return client_in(home, version, client_python(version), stack)

    return make


def client_in(home: Path, version: str, python: Path, stack: Stack) -> WandbClient:
    """A client of the stack's first key that posts each second."""
    environ = {"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_SILENT": "true"}
    return WandbClient(version, python, stack.api_url, stack.api_key, home, environ)


class AtOnce:
    """Scripts that every version of the client runs at the same time, where each waits mostly for itself."""

    def __init__(self, client_of: Callable[[str], WandbClient]) -> None:
        self._client_of = client_of
        self._pool = ThreadPoolExecutor(len(VERSIONS))
        self._runs: dict[tuple[str, str], dict[str, Future[Finished]]] = {}

    def __call__(self, version: str, script: str, project: str) -> Finished:
        """How a version's run of the script ended; its project has the version behind its name.

        The first to ask for a script starts it for every version.
        """
        runs = self._runs.get((script, project))
        if runs is None:
            runs = {one: self._pool.submit(self._run, one, script, project) for one in VERSIONS}
            self._runs[script, project] = runs
        return runs[version].result()

    def close(self) -> None:
        """Wait for those that nobody asked for."""
        self._pool.shutdown()

    def _run(self, version: str, script: str, project: str) -> Finished:
        return self._client_of(version).run(script, f"{project}-{version}")


@pytest.fixture(scope="module")
def at_once(
    stack: Stack, client_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AtOnce]:
    """`at_once(version, script, project)`."""

    def client_of(version: str) -> WandbClient:
        return client_in(tmp_path_factory.mktemp(f"home-{version}"), version, client_python(version), stack)

    running = AtOnce(client_of)
    yield running
    running.close()


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
