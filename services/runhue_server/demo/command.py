"""`runhue demo`."""

import os
import signal
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from runhue._public_api import Api, Workspace
from runhue_server.cli import API_PORT, GATEWAY_PORT, INGEST_PORT
from runhue_server.demo.expected import SETTINGS, SHOWN_DIFFERENCES, differences
from runhue_server.demo.processes import GALLERY_PROJECT, Training, TrainingFailed
from runhue_server.demo.screen import Watcher, follow, watching
from runhue_server.demo.trials import RUNS
from runhue_server.embedded.errors import StackError
from runhue_server.stack import Stack

PAUSE, FAST_PAUSE = 0.05, 0.0


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default="runhue-demo",
    show_default=True,
    help="Databases and key of the demo; made when missing.",
)
@click.option("--exit", "leave", is_flag=True, help="Stop at the end instead of staying until Ctrl-C.")
@click.option("--fast", is_flag=True, help="Log without pauses.")
@click.option(
    "--wandb-python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Interpreter that has wandb; this one, if it has, when not given.",
)
def demo(data_dir: Path, leave: bool, fast: bool, wandb_python: Path | None) -> None:
    """Log 60 real runs and watch their colors.

    Starts everything; the runs are logged by several processes and shown while they log. Where wandb is
    installed, six of them are logged by its unmodified client.
    """
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console.print(f"starting Postgres, Valkey and the services on {data_dir}", soft_wrap=True)
    try:
        with Stack(
            data_dir,
            api_port=free_port(API_PORT),
            ingest_port=free_port(INGEST_PORT),
            gateway_port=free_port(GATEWAY_PORT),
        ) as stack:
            verified = show_runs(stack, console, FAST_PAUSE if fast else PAUSE, wandb_python)
            if not leave:
                stay(stack, console)
    except (StackError, TrainingFailed) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.Abort from None
    if not verified:
        raise click.ClickException("the published colors are not those computed from scratch")


def show_runs(stack: Stack, console: Console, pause: float, wandb_python: Path | None = None) -> bool:
    """Log the runs, show them, check them; whether everything is as computed from scratch."""
    with (
        Api(stack.api_url, stack.api_key) as api,
        tempfile.TemporaryDirectory(prefix="runhue-demo-") as folder,
    ):
        project = api.create_project(time.strftime("demo-%Y%m%d-%H%M%S"))
        workspace = api.workspace(f"{project.team}/{project.name}")
        workspace.set_color_settings(SETTINGS)
        began = time.monotonic()
        with (
            watching(workspace) as watcher,
            Training(
                project.name, pause, Path(folder), stack.api_url, stack.api_key, wandb_python
            ) as training,
        ):
            follow(watcher, training, console)
        took = time.monotonic() - began
        verified = report(watcher, training, console, took)
        console.print(addresses(stack, workspace, training.gallery_run), soft_wrap=True)
    return verified


def report(watcher: Watcher, training: Training, console: Console, took: float) -> bool:
    """Say what was verified, or what is wrong."""
    wrong = list(watcher.mixed)
    wrong += differences(watcher.latest) if watcher.latest is not None else ["no colors were published"]
    for problem in wrong[:SHOWN_DIFFERENCES]:
        console.print(f"WRONG: {problem}", soft_wrap=True)
    if wrong:
        console.print(f"{len(wrong)} differences from the computation from scratch")
        return False
    console.print(f"one run was killed with kill -9 and recovered: {training.recovered}", soft_wrap=True)
    if training.by_wandb:
        console.print(f"{training.by_wandb} runs were logged by the unmodified wandb client")
    verdict = f"{RUNS} runs, colors verified against a from-scratch computation"
    seen = f"{watcher.versions} versions seen in {took:.0f} s, none of them mixed"
    console.print(f"{verdict}; {seen}", soft_wrap=True)
    return True


def addresses(stack: Stack, workspace: Workspace, gallery_run: str | None) -> str:
    """Where to look next."""
    project = f"{workspace.team}/{workspace.project}"
    gallery = f"{stack.api_url}/api/v1/projects/{workspace.team}/{GALLERY_PROJECT}/runs/{gallery_run}"
    of_everything = f"\n  Gallery    {gallery} (one of everything)" if gallery_run is not None else ""
    return f"""
  API        {stack.api_url}
  API docs   {stack.api_url}/docs
  Colors     {stack.api_url}/api/v1/workspaces/{workspace.id}/coloring{of_everything}
  Key        {stack.api_key_file}

  export RUNHUE_BASE_URL={stack.api_url} RUNHUE_API_KEY=$(cat {stack.api_key_file})
  runhue colors watch {project}

Scripts that say `import wandb` need no change:
  export WANDB_BASE_URL={stack.api_url} WANDB_API_KEY=$(cat {stack.api_key_file})
"""


def stay(stack: Stack, console: Console) -> None:
    """Keep running until Ctrl-C, or until a process cannot be kept alive."""
    console.print("Ctrl-C stops it; the data stays.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.check()
            time.sleep(1.0)


def free_port(wanted: int) -> int:
    """`wanted`, or 0 for any free one when it is taken."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted
