"""One stack for all tests of the reading side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runhue._public_api import Api
from runhue_server.stack import Stack
from tests.integration.public_api.running import Lab, new_project


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(stack, tmp_path)
    yield made
    made.api.close()


@pytest.fixture
def api(lab: Lab) -> Api:
    return lab.api


@pytest.fixture
def project() -> str:
    return new_project()
