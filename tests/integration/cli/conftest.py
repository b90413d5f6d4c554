"""The command line as a program, against one stack."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runhue_server.stack import Stack
from tests.integration.public_api.running import Lab, new_project

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(stack, tmp_path)
    yield made
    made.api.close()


@pytest.fixture
def project() -> str:
    return new_project()


class CommandLine:
    """`runhue` in processes of its own. `environ` may be changed."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "runhue", *arguments],
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def command_line(stack: Stack, tmp_path: Path) -> CommandLine:
    """Logged in by the environment, in an empty folder, with no stored keys."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("RUNHUE_", "WANDB_"))
    }
    environ |= {
        "RUNHUE_BASE_URL": stack.api_url,
        "RUNHUE_API_KEY": stack.api_key,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "NETRC": str(tmp_path / "netrc"),
    }
    return CommandLine(environ, tmp_path)
