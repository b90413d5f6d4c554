"""Data directories that the servers' account can reach, also when the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhue_server.embedded.data_directory import remove_server_root


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A new, empty data directory. pytest's own are private, which would send root's data elsewhere."""
    path = Path(tempfile.mkdtemp(prefix="runhue-test-"))
    if os.geteuid() == 0:
        path.chmod(0o711)
    yield path
    remove_server_root(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def private_data_dir() -> Iterator[Path]:
    """A data directory below one with mode 0700, as a clone below /root has it."""
    parent = Path(tempfile.mkdtemp(prefix="runhue-private-"))
    path = parent / "data"
    yield path
    remove_server_root(path)
    shutil.rmtree(parent, ignore_errors=True)
