"""`python -m tests` runs every test in one of two processes, and fails when either fails."""

import subprocess
import sys
from pathlib import Path

from tests.__main__ import WAITING

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> int:
    command = [sys.executable, "-m", "tests", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=250, check=False).returncode


def test_a_failure_is_a_failure() -> None:
    """What pytest refuses reaches whoever called, as a failing test does."""
    assert run("--no-such-option") == 1


def test_the_folders_that_wait_are_there() -> None:
    """A folder that was renamed would be in neither half."""
    assert all((ROOT / folder).is_dir() for folder in WAITING)
