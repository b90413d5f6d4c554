"""The zygote: its forks are ordinary children for the supervisor, and the stack lives without it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runhue_server.embedded.console import Console
from runhue_server.embedded.errors import StackError
from runhue_server.embedded.forking import ForkingLauncher
from runhue_server.embedded.supervise import ChildSpec, Supervisor

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux only"),
]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A started supervisor without children; stopped at the end."""
    made = Supervisor(tmp_path, tmp_path, os.environ, Console(quiet=True))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def launcher(supervisor: Supervisor) -> Iterator[ForkingLauncher]:
    """A launcher whose zygote is supervised."""
    made = ForkingLauncher([], {}, layer=0)
    supervisor.add(made.spec())
    yield made
    supervisor.stop()
    made.close()


def command(launcher: ForkingLauncher, name: str, *arguments: str) -> ChildSpec:
    return ChildSpec(
        name,
        (sys.executable, "-m", "runhue_server", *arguments),
        layer=1,
        once=True,
        attempts=1,
        launcher=launcher,
        prepare=launcher.obstacle,
    )


def test_fork_runs_its_command_and_writes_its_own_log(
    supervisor: Supervisor, launcher: ForkingLauncher
) -> None:
    """The supervisor hears of its end from the zygote."""
    supervisor.add(command(launcher, "usage", "migrate", "--help"))

    supervisor.wait(timeout=30)

    assert "Usage: runhue migrate" in (supervisor.log_directory / "usage.log").read_text()
    assert "Usage" not in (supervisor.log_directory / "zygote.log").read_text()


def test_exit_status_of_a_fork_is_known(supervisor: Supervisor, launcher: ForkingLauncher) -> None:
    """A refusal is told with its status and its last words."""
    supervisor.add(command(launcher, "refused", "worker", "no-such-queue"))

    with pytest.raises(StackError, match=r"refused failed: exited with status 2[\s\S]*no-such-queue"):
        supervisor.wait(timeout=30)


def test_fork_has_the_environment_of_its_spec(supervisor: Supervisor, launcher: ForkingLauncher) -> None:
    """What a spec adds reaches the fork, which never had an exec."""
    spec = command(launcher, "health", "health", "worker")
    beat = supervisor.log_directory / "beat"
    beat.touch()

    supervisor.add(replace(spec, env={"RUNHUE_HEARTBEAT_FILE": str(beat)}))

    supervisor.wait(timeout=30)


def test_services_start_plainly_when_the_zygote_keeps_failing(supervisor: Supervisor) -> None:
    """Forking saves memory; it is no condition."""
    launcher = ForkingLauncher([], {"PYTHONHOME": "/nonexistent"}, layer=0)
    supervisor.add(launcher.spec())
    supervisor.add(command(launcher, "usage", "migrate", "--help"))

    supervisor.wait(["usage"], timeout=30)
    supervisor.stop()
    launcher.close()

    assert "Usage: runhue migrate" in (supervisor.log_directory / "usage.log").read_text()


def test_preloading_leaves_one_thread() -> None:
    """A fork of a process with threads may hang on a lock that one of them held."""
    program = (
        "from runhue_server.embedded.zygote import preload\nimport os\npreload()\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "1", done.stderr
    assert "not preloaded" not in done.stderr
