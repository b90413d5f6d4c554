"""Metadata and system metrics of the process."""

import os
import subprocess
import time
from pathlib import Path

from runhue._metadata import git_state, surroundings, without_credentials
from runhue._system_metrics import SystemSampler, gpu_sample
from tests.unit.sdk.spooled import log_batch_of, offline_run


def git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, env={**os.environ, **identity}
    )


def test_git_state_names_commit_branch_and_changes(tmp_path: Path) -> None:
    """Commit, branch, remote without its password, and whether files were changed."""
    git(tmp_path, "init", "-b", "trunk")
    git(tmp_path, "remote", "add", "origin", "https://user:token@example.org/repo.git")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    clean = git_state(tmp_path)
    (tmp_path / "file").write_text("two")
    dirty = git_state(tmp_path)

    assert clean is not None
    assert dirty is not None
    assert len(clean["commit"]) == 40
    assert (clean["branch"], clean["remote"]) == ("trunk", "https://example.org/repo.git")
    assert (clean["dirty"], dirty["dirty"]) == (False, True)


def test_outside_git_there_is_no_state(tmp_path: Path) -> None:
    """A folder without a repository has no git metadata."""
    assert git_state(tmp_path) is None


def test_credentials_leave_remotes() -> None:
    """User names and passwords are cut out of URLs; scp-like remotes stay."""
    assert without_credentials("https://a:b@host/x") == "https://host/x"
    assert without_credentials("git@host:x.git") == "git@host:x.git"


def test_surroundings_name_this_process() -> None:
    """Host, Python and command are told."""
    found = surroundings()

    assert found["pid"] == os.getpid()
    assert {"host", "os", "python", "command", "cpu_count", "memory_bytes"} <= found.keys()


def test_a_sample_holds_finite_numbers() -> None:
    """CPU, memory and process values are there, as numbers."""
    values = SystemSampler().sample()

    assert {"cpu.percent", "memory.percent", "process.memory_bytes", "process.cpu_percent"} <= values.keys()
    assert all(isinstance(value, int | float) for value in values.values())


def test_gpu_lines_are_read() -> None:
    """nvidia-smi's csv becomes values per GPU; what a card does not tell is left out."""
    assert gpu_sample("87, 1024, 65, 250.5\n0, 1, [N/A], 30\n") == {
        "gpu.0.percent": 87.0,
        "gpu.0.memory_bytes": 1024.0**3,
        "gpu.0.celsius": 65.0,
        "gpu.0.watts": 250.5,
        "gpu.1.percent": 0.0,
        "gpu.1.memory_bytes": 1024.0**2,
        "gpu.1.watts": 30.0,
    }


def test_samples_are_rows_of_the_system_stream(tmp_path: Path) -> None:
    """System metrics are recorded by their time in milliseconds, apart from the run's rows."""
    with offline_run(tmp_path, system_metrics_interval=0.05) as run:
        deadline = time.monotonic() + 20
        while run._recorder.spool.next_seq < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    batch = log_batch_of(run.dir)
    assert batch.rows is None
    assert batch.system is not None
    assert memoryview(batch.system.step).cast("q")[0] / 1000 > time.time() - 60
