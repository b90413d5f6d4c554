"""The server's commands. `runhue` loads them from the entry-point group `runhue.commands`."""

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click

from runhue_server.embedded import roles
from runhue_server.embedded.console import Console, LogFollower
from runhue_server.embedded.errors import StackError
from runhue_server.embedded.readiness import http_status
from runhue_server.stack import FIXTURES, SERVICES, Stack

DEFAULT_DATA_DIR = "runhue-data"
API_PORT = 8080
INGEST_PORT = 8081
GATEWAY_PORT = 8082
DEFAULT_PORTS = {"api": API_PORT, "ingest": INGEST_PORT, "gateway": GATEWAY_PORT, FIXTURES: 0}
READY = 200
HEARTBEAT_LIMIT_SECONDS = 30
FOLLOW_SECONDS = 0.3

PORT = click.IntRange(0, 65535)


@click.group(name="server")
def server_commands() -> None:
    """Run the Runhue server."""


@server_commands.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DATA_DIR,
    envvar="RUNHUE_DATA_DIR",
    show_default=True,
    help="Databases, media and the first key; made when missing.",
)
@click.option(
    "--host", default="127.0.0.1", envvar="RUNHUE_HOST", show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=PORT,
    default=API_PORT,
    envvar="RUNHUE_API_PORT",
    show_envvar=True,
    show_default=True,
    help="API; 0: free one.",
)
@click.option(
    "--ingest-port",
    type=PORT,
    default=INGEST_PORT,
    envvar="RUNHUE_INGEST_PORT",
    show_envvar=True,
    show_default=True,
    help="Ingest; 0: free one.",
)
@click.option(
    "--gateway-port",
    type=PORT,
    default=GATEWAY_PORT,
    envvar="RUNHUE_GATEWAY_PORT",
    show_envvar=True,
    show_default=True,
    help="Gateway for wandb clients, which the API forwards to; 0: free one.",
)
@click.option("--fixtures-port", type=PORT, default=None, hidden=True, help="Accounts for acceptance suites.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON.")
@click.option("--verbose", is_flag=True, help="Print what the processes log.")
def up(
    data_dir: Path,
    host: str,
    port: int,
    ingest_port: int,
    gateway_port: int,
    fixtures_port: int | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Start everything here and stay until Ctrl-C.

    Postgres and Valkey are started from wheels or PATH unless RUNHUE_DATABASE_URL or DATABASE_URL, and
    RUNHUE_REDIS_URL or REDIS_URL, name servers to use. Started by root, the embedded servers run as
    RUNHUE_EMBEDDED_USER or nobody.
    """
    _become_small()
    stack = Stack(
        data_dir,
        host=host,
        api_port=port,
        ingest_port=ingest_port,
        gateway_port=gateway_port,
        fixtures_port=fixtures_port or 0,
        services=SERVICES if fixtures_port is None else (*SERVICES, FIXTURES),
        database_url=_first_set("RUNHUE_DATABASE_URL", "DATABASE_URL"),
        redis_url=_first_set("RUNHUE_REDIS_URL", "REDIS_URL"),
        console=Console(),
    )
    stopping = _stop_on_signals(stack)
    try:
        with stack:
            click.echo(json.dumps(addresses(stack)) if as_json else welcome(stack))
            _stay(stack, stopping, verbose=verbose)
            click.echo("stopping; Ctrl-C again kills at once", err=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except StackError as error:
        raise click.ClickException(str(error)) from error


def _become_small() -> None:
    """Start over without the SDK's modules, which the supervisor would hold for its whole life."""
    if Path(sys.argv[0]).name == "runhue":
        os.execv(sys.executable, [sys.executable, "-m", "runhue_server", *sys.argv[1:]])  # noqa: S606


def _first_set(*variables: str) -> str:
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")


def _stop_on_signals(stack: Stack) -> threading.Event:
    """The event that the first Ctrl-C or SIGTERM sets; the second forces the stop.

    While the stack still starts, the first one raises KeyboardInterrupt instead.
    """
    stopping = threading.Event()
    seen: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        seen.append(number)
        if len(seen) > 1:
            stack.force_stop()
        elif not stack.started:
            raise KeyboardInterrupt
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    return stopping


def _stay(stack: Stack, stopping: threading.Event, *, verbose: bool) -> None:
    follower = LogFollower(stack.log_dir, Console()) if verbose else None
    while not stopping.wait(FOLLOW_SECONDS if follower else 2.0):
        stack.check()
        if follower:
            follower.copy_new_lines()


def addresses(stack: Stack) -> dict[str, str | int]:
    """What a program needs to use the stack; the key itself stays in its file."""
    return {
        "api_url": stack.api_url,
        "docs_url": f"{stack.api_url}/docs",
        "ingest_url": stack.ingest_url,
        "api_key_file": str(stack.api_key_file),
        "data_dir": str(stack.data_dir),
        "pid": os.getpid(),
    }


def welcome(stack: Stack) -> str:
    """The text `runhue up` prints when everything is ready."""
    key_file = shlex.quote(_near(stack.api_key_file))
    return f"""
Runhue is up.
  API        {stack.api_url}
  API docs   {stack.api_url}/docs
  Ingest     {stack.ingest_url}
  Data       {stack.data_dir}
  Key        {stack.api_key_file}

In another terminal:
{_activation()}  export RUNHUE_BASE_URL={stack.api_url}
  export RUNHUE_API_KEY=$(cat {key_file})
or once for this user:
  runhue login --host {stack.api_url} --key-stdin < {key_file}
Scripts that say `import wandb` need no change:
  export WANDB_BASE_URL={stack.api_url} WANDB_API_KEY=$(cat {key_file})

Ctrl-C stops it; the data stays.
"""


def _activation() -> str:
    """The line that brings `runhue` onto PATH, where a virtual environment has it."""
    script = Path(sys.prefix) / "bin" / "activate"
    return f"  . {shlex.quote(_near(script))}\n" if script.is_file() else ""


def _near(path: Path) -> str:
    """As it is written from here, where another terminal is likely to be opened."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@server_commands.command()
@click.argument("name", type=click.Choice(sorted(roles.APPS)))
@click.option(
    "--host", default="127.0.0.1", envvar="RUNHUE_HOST", show_default=True, help="Address to listen on."
)
@click.option("--port", type=PORT, default=None, help="Port; RUNHUE_API_PORT and the like when not given.")
@click.option(
    "--fd", type=click.IntRange(3), default=None, help="Number of an open listening socket to use instead."
)
def serve(name: str, host: str, port: int | None, fd: int | None) -> None:
    """Run one HTTP service until SIGTERM."""
    chosen = _port_of(name) if port is None else port
    _run(lambda: roles.serve(name, host, chosen, fd))


@server_commands.command()
@click.argument("queue", type=click.Choice(sorted(roles.QUEUES)))
def worker(queue: str) -> None:
    """Run the worker of one queue until SIGTERM."""
    _run(lambda: roles.run_worker(queue))


@server_commands.command()
def sweeper() -> None:
    """Wake workers whose wake-up was lost."""
    _run(roles.run_sweeper)


@server_commands.command()
def migrate() -> None:
    """Bring the database up to this release.

    Also makes the first key, which is kept in the data directory.
    """
    _run(_migrate)


def _migrate() -> None:
    for name in roles.migrate():
        click.echo(f"applied {name}")


@server_commands.command("resume-partition")
@click.argument("part", type=click.IntRange(0))
def resume_partition(part: int) -> None:
    """Fold a stopped partition of the inbox again.

    First mend what stopped it; `runhue doctor` names it. RUNHUE_DATABASE_URL names the database.

    \b
    Example: runhue resume-partition 11
    """
    _run(lambda: _resume_partition(part))


def _resume_partition(part: int) -> None:
    was_stopped = roles.resume_partition(part)
    click.echo(f"partition {part} {'goes on' if was_stopped else 'was not stopped'}")


@server_commands.command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would go; nothing does.")
def gc(dry_run: bool) -> None:
    """Remove stored bytes that nothing names any more.

    The sweeper does so by itself, bit by bit; this goes through all of them at once. What was touched within
    RUNHUE_BLOB_GRACE stays. RUNHUE_DATABASE_URL and RUNHUE_BLOB_URL or RUNHUE_DATA_DIR name the server's.
    """
    _run(lambda: _collect_garbage(dry_run=dry_run))


def _collect_garbage(*, dry_run: bool) -> None:
    for what, (blobs, size) in roles.collect_garbage(dry_run=dry_run):
        click.echo(f"{'would remove' if dry_run else 'removed'} {blobs} {what}, {size} bytes")


@server_commands.command()
@click.argument("name", type=click.Choice([*sorted(roles.APPS), "worker"]))
@click.option("--port", type=PORT, default=None, help="Port of the service on this machine.")
def health(name: str, port: int | None) -> None:
    """Exit with 0 when a service here is healthy.

    For container health checks. An HTTP service must answer /readyz; a worker must have touched
    RUNHUE_HEARTBEAT_FILE within 30 s.
    """
    problem = _heartbeat_problem() if name == "worker" else _http_problem(port or _port_of(name))
    if problem:
        raise click.ClickException(problem)


def _heartbeat_problem() -> str:
    path = os.environ.get("RUNHUE_HEARTBEAT_FILE", "")
    if not path:
        return "RUNHUE_HEARTBEAT_FILE is not set: name the file that the worker touches"
    try:
        age = time.time() - Path(path).stat().st_mtime
    except OSError as error:
        return f"no heartbeat yet: {error}"
    return (
        f"last heartbeat {age:.0f} s ago, limit {HEARTBEAT_LIMIT_SECONDS} s"
        if age > HEARTBEAT_LIMIT_SECONDS
        else ""
    )


def _http_problem(port: int) -> str:
    status, body = http_status("127.0.0.1", port, "/readyz")
    return "" if status == READY else f"/readyz on port {port} answers {status}: {body}"


def _port_of(name: str) -> int:
    return int(os.environ.get(f"RUNHUE_{name.upper()}_PORT") or DEFAULT_PORTS[name])


def _run(role: Callable[[], None]) -> None:
    try:
        role()
    except StackError as error:
        raise click.ClickException(str(error)) from error
