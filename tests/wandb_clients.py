"""The real `wandb` clients from PyPI, each in an environment of its own, made when first asked for."""

import fcntl
import functools
import os
import subprocess
import tempfile
import venv
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

OLDEST, OLD, RECENT, NEWEST = VERSIONS = ("0.19.11", "0.21.4", "0.28.2", "0.31.0")
ENVIRONMENTS = Path(__file__).parents[1] / ".clients"
BESIDE = ("numpy", "pillow", "soundfile", "setuptools<81")
"""What its users have installed too; it writes sounds with soundfile, the oldest imports pkg_resources."""

INSTALL_SECONDS = 600
SCRIPT_SECONDS = 240


def missing() -> list[str]:
    """The versions that are not installed yet."""
    return [version for version in VERSIONS if not (ENVIRONMENTS / version / "bin" / "python").exists()]


def install(versions: Sequence[str]) -> None:
    """Install these versions, all at once.

    Raises:
        subprocess.SubprocessError: one could not be installed; pip has said why.
    """
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        list(pool.map(client_python, versions))


@functools.cache
def client_python(version: str) -> Path:
    """The interpreter that has this version of the client; the first time it is installed, in about a minute.

    Several test processes may ask at once.
    """
    folder = ENVIRONMENTS / version
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = folder / "bin" / "python"
        if not _has(python, version):
            _install(folder, version)
    return python


def _has(python: Path, version: str) -> bool:
    if not python.exists():
        return False
    program = "import wandb, numpy, PIL, soundfile; print(wandb.__version__)"
    found = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False, cwd="/")
    return found.stdout.strip() == version


def _install(folder: Path, version: str) -> None:
    """Make the environment, or bring what it lacks: somebody may be using it."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, f"wandb=={version}", *BESIDE], check=True, timeout=INSTALL_SECONDS, cwd="/")


@dataclass(frozen=True)
class Finished:
    """A script that ended. `shown` is what it wrote to stdout and stderr."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def shown(self) -> str:
        return f"exit code {self.exit_code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@dataclass(frozen=True)
class WandbClient:
    """A person with a script, the client and nothing changed but two variables.

    `home` holds the person's files and the folder that scripts run in.
    """

    version: str
    python: Path
    base_url: str
    api_key: str
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, check: bool = True, **environ: str) -> Finished:
        """Run Python source to its end; with `check` it must exit with 0."""
        process = self.start(script, *arguments, **environ)
        try:
            stdout, stderr = process.communicate(timeout=SCRIPT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
        finished = Finished(process.returncode, stdout, stderr)
        if check and finished.exit_code:
            raise AssertionError(f"the script failed with wandb {self.version}: {finished.shown[-6000:]}")
        return finished

    def start(self, script: str, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        """Start Python source as a process of its own."""
        return subprocess.Popen(
            [self.python, "-c", script, *arguments],
            cwd=self.home,
            env=self._environ(environ),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def command(self, *arguments: str, check: bool = True, **environ: str) -> Finished:
        """Run the client's own command line, e.g. `command("sync", folder)`."""
        return self.run(COMMAND_LINE, *arguments, check=check, **environ)

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": tempfile.gettempdir(),
            "WANDB_BASE_URL": self.base_url,
            "WANDB_API_KEY": self.api_key,
            **self.environ,
            **more,
        }


COMMAND_LINE = """
import sys
from wandb.cli.cli import cli
sys.argv[0] = "wandb"
cli()
"""


if __name__ == "__main__":
    install(VERSIONS)
