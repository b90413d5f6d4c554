"""One stack for all tables of bad input; it must not lose a process to any of them."""

from collections.abc import Iterator

import pytest

from runhue_server.stack import Stack
from tests.acceptance.bad_input import Doors


@pytest.fixture(scope="session")
def shared_doors() -> Iterator[Doors]:
    with Stack.temporary() as stack:
        doors = Doors(stack)
        yield doors
        doors.close()


@pytest.fixture
def doors(shared_doors: Doors) -> Iterator[Doors]:
    """The doors; afterwards every process is still the same, and every service ready."""
    before = shared_doors.stack.processes
    yield shared_doors
    assert shared_doors.stack.processes == before
    for client in (shared_doors.api, shared_doors.wire.http):
        assert client.get("/readyz").status_code == 200
