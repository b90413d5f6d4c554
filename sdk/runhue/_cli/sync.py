"""`runhue sync`."""

import sys
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from runhue._cli.options import answers_json, on_server
from runhue._cli.output import console, print_json
from runhue._settings import resolve
from runhue._sync import PARALLEL, SyncProgress, find_spools
from runhue._sync import sync as sync_spools


class ProgressBars:
    """A bar a run; called from the threads that send."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[Path, TaskID] = {}

    def __call__(self, state: SyncProgress) -> None:
        task = self._tasks.get(state.folder)
        if task is None:
            task = self._tasks.setdefault(state.folder, self._progress.add_task(state.run, total=state.total))
        self._progress.update(task, completed=state.sent)


@click.command(epilog="Example: runhue sync .runhue --parallel 8")
@click.argument("path", type=click.Path(exists=True, path_type=Path), required=False)
@click.option(
    "--parallel", type=click.IntRange(1), default=PARALLEL, show_default=True, help="Runs at a time."
)
@on_server
@answers_json
def sync(path: Path | None, parallel: int, host: str | None, as_json: bool) -> int:
    """Send what offline and killed runs left.

    It is looked for in PATH, or in this folder when not given. Sending again changes nothing. Runs that
    are still being logged are left to their processes. The exit code is 1 when something could not be sent.
    """
    settings = resolve({"base_url": host})
    place = path or settings.dir.absolute()
    found = len(find_spools(place))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("records"))
    with Progress(*columns, console=console(), disable=as_json or not sys.stdout.isatty()) as progress:
        results = sync_spools(place, parallel, ProgressBars(progress), settings)
    if as_json:
        print_json([_as_dict(result) for result in results])
    else:
        for result in results:
            _say(result)
        if not found:
            click.echo(f"nothing to send in {place}")
    return int(any(not result.done for result in results))


def _say(result: SyncProgress) -> None:
    if result.done:
        note = f" (with a warning: {result.error})" if result.error else ""
        click.echo(f"{result.run}: {result.sent} records sent{note}")
    else:
        click.echo(f"error: {result.run}: {result.error}; kept in {result.folder}", err=True)


def _as_dict(result: SyncProgress) -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "run": result.run,
        "sent": result.sent,
        "total": result.total,
        "done": result.done,
        "error": result.error,
    }
