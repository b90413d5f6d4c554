"""The examples do what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import CommandLine
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

EXAMPLES = Path(__file__).parents[3] / "examples"
FIRST_VERSION_LINES = 1 + 6 + 2


def test_the_introduction_is_logged_and_its_colors_are_read(lab: Lab, command_line: CommandLine) -> None:
    """Training twice gives two runs of 8 steps; the reader prints legend and runs of one version."""
    for _ in range(2):
        training = subprocess.run(
            [sys.executable, EXAMPLES / "basic_intro.py"],
            cwd=command_line.folder,
            env=command_line.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert training.returncode == 0, training.stderr
    runs = list(lab.api.runs("basic-intro"))
    until(lambda: all(lab.is_folded("basic-intro", run.id) for run in runs))
    command_line("colors", "set", "basic-intro", "--key", "acc", "--y", "max", "--buckets", "6")
    until(lambda: lab.api.workspace("basic-intro").coloring().valued == 2)

    with subprocess.Popen(
        [sys.executable, "-u", EXAMPLES / "read_colors.py"],
        cwd=command_line.folder,
        env=command_line.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as reading:
        assert reading.stdout is not None
        said = [reading.stdout.readline() for _ in range(FIRST_VERSION_LINES)]
        reading.terminate()

    assert [run.last_step for run in runs] == [7, 7]
    assert said[0].startswith("version ")
    assert sum(int(line.split()[-2]) for line in said[1:7]) == 2
    assert {run.name for run in runs} == {line.split()[0] for line in said[7:]}
