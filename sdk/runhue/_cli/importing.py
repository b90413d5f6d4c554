"""`runhue import`."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import click
from msgspec import Struct

from runhue._cli.options import answers_json, connect, on_server
from runhue._cli.output import counted, print_json
from runhue._credentials import read_key
from runhue._errors import RunhueError, ServerRefused
from runhue._public_api import Api
from runhue._settings import resolve

PARALLEL = 4
RUN_FILE = "*.wandb"
OFFLINE = "offline-"
"""The folder of a run that was logged offline begins so."""

SYNCED = ".synced"
"""The client puts this behind the name of a file that it has sent."""

COMMAND = "import sys; from wandb.cli.cli import cli; sys.argv[0] = 'wandb'; cli()"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
RUN_ADDRESS = re.compile(r"https?://\S+?/([^/\s]+)/([^/\s]+)/runs/([^/\s]+)")
LAST_LINES = 3
GONE = 404


class Imported(Struct, frozen=True):
    """What became of one run file. `error`: what the client said last, None when it was sent."""

    file: str
    run: str
    done: bool
    error: str | None = None


@click.group(name="import")
def importing() -> None:
    """Bring in runs that were logged elsewhere."""


@importing.command("wandb-offline", epilog="Example: runhue import wandb-offline ./wandb --project images")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--project", help="Project for all runs; the one that each was logged to when not given.")
@click.option("--team", help="Team for all runs; the key's own when not given.")
@click.option("--again", is_flag=True, help="Also send runs that were sent before, here or elsewhere.")
@click.option("--online", is_flag=True, help="Also send what runs logged online left on disk.")
@click.option(
    "--parallel", type=click.IntRange(1), default=PARALLEL, show_default=True, help="Runs at a time."
)
@click.option(
    "--python",
    "interpreter",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Interpreter that has wandb; the one of `wandb` on PATH, or this one, when not given.",
)
@on_server
@answers_json
def wandb_offline(
    folder: Path,
    project: str | None,
    team: str | None,
    again: bool,
    online: bool,
    parallel: int,
    interpreter: Path | None,
    host: str | None,
    as_json: bool,
) -> int:
    """Send what the wandb client logged offline, found as .wandb files in DIR and below.

    Runs that were logged online are left out: their server has them. --online sends them too.

    The client's own sync reads the files and talks to this server, so wandb must be installed. Runs that
    were sent before are left out unless you say --again; sending twice changes nothing. The exit code is 1
    when a run could not be sent.
    """
    settings = resolve({"base_url": host})
    connect(host).viewer()  # a wrong key or address is said once, not by each run
    environ = _environ(settings.base_url, settings.api_key or read_key(settings.base_url) or "")
    command = [*_program(interpreter), "sync", *_options(project, team, again, online)]
    files = [
        file
        for file in run_files(folder)
        if (again or not _is_synced(file)) and (online or file.parent.name.startswith(OFFLINE))
    ]
    by_run: dict[str, list[Path]] = {}
    for file in files:
        by_run.setdefault(file.stem, []).append(file)
    client = _Client(command, environ, connect(host))
    with ThreadPoolExecutor(parallel) as pool:
        sent = pool.map(lambda same: [client.send(file) for file in same], by_run.values())
        results = list(chain.from_iterable(sent))
    _report(results, folder, as_json)
    return int(any(not result.done for result in results))


def run_files(folder: Path) -> list[Path]:
    """The .wandb files in `folder` and below, the oldest run first: a resumed run has several."""
    return sorted(folder.rglob(RUN_FILE), key=lambda file: (file.parent.name.removeprefix("offline-"), file))


def _is_synced(file: Path) -> bool:
    return file.with_name(file.name + SYNCED).exists()


def _program(interpreter: Path | None) -> list[str]:
    """How to call the client's command line.

    Raises:
        RunhueError: it is installed nowhere that we can see.
    """
    if interpreter is not None:
        return [str(interpreter), "-c", COMMAND]
    found = shutil.which("wandb")
    if found:
        return [found]
    if importlib.util.find_spec("wandb") is not None:
        return [sys.executable, "-c", COMMAND]
    raise RunhueError(
        "wandb is not installed here, and only it reads .wandb files: pip install wandb, or name an"
        " interpreter that has it with --python"
    )


def _environ(base_url: str, api_key: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return kept | {"WANDB_BASE_URL": base_url, "WANDB_API_KEY": api_key}


def _options(project: str | None, team: str | None, again: bool, online: bool) -> list[str]:
    options = ["--project", project] if project else []
    options += ["--entity", team] if team else []
    options += ["--include-online"] if online else []
    return [*options, "--include-synced"] if again else options


@dataclass(frozen=True)
class _Client:
    """The client's sync as a program, and our own eyes to see what came of it."""

    command: Sequence[str]
    environ: dict[str, str]
    api: Api

    def send(self, file: Path) -> Imported:
        """Send one file; done when the client says so and the run is here."""
        marker = file.with_name(file.name + SYNCED)
        marker.unlink(missing_ok=True)  # only what is sent now counts
        ended = subprocess.run(
            [*self.command, str(file.parent)],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        output = ANSI.sub("", ended.stdout + ended.stderr)
        error = None
        # The client's exit code is 0 also after some failures.
        if ended.returncode or not marker.exists():
            error = _said_last(output)
        elif not self._is_here(output):
            marker.unlink(missing_ok=True)
            error = f"the client says that it sent the run, but it is not on the server: {_said_last(output)}"
        return Imported(str(file), file.stem.removeprefix("run-"), error is None, error)

    def _is_here(self, output: str) -> bool:
        """Whether there is the run whose address the client printed."""
        found = RUN_ADDRESS.search(output)
        if found is None:
            return False
        try:
            self.api.run("/".join(map(unquote, found.groups())))
        except ServerRefused as refusal:
            if refusal.status != GONE:
                raise
            return False
        return True


def _said_last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "; ".join(lines[-LAST_LINES:]) or "the client said nothing"


def _report(results: Iterable[Imported], folder: Path, as_json: bool) -> None:
    results = list(results)
    if as_json:
        print_json(results)
        return
    for result in results:
        if not result.done:
            click.echo(f"error: {result.file}: {result.error}", err=True)
    sent = sum(result.done for result in results)
    click.echo(f"{counted(sent, 'run')} sent" if results else f"no run to send in {folder}")
