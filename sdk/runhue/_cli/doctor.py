"""`runhue doctor`."""

import os
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points

import click
from rich.text import Text

from runhue._cli.checks import Check, local_checks, server_checks
from runhue._cli.options import answers_json, connect, on_server
from runhue._cli.output import ago, console, print_json, print_table
from runhue._settings import resolve

SERVER_GROUP = "runhue.doctor"
SERVER_VARIABLES = ("RUNHUE_DATABASE_URL", "RUNHUE_REDIS_URL")
MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failure": ("✗", "red")}


@click.command(epilog="Example: runhue doctor --json | jq '.[] | select(.state != \"ok\")'")
@click.option(
    "--server/--no-server",
    default=None,
    help="Also check this machine's Postgres and Redis; as set by RUNHUE_DATABASE_URL when not given.",
)
@click.option(
    "--gateway", is_flag=True, help="List instead what wandb clients asked for in vain; needs an admin key."
)
@on_server
@answers_json
def doctor(server: bool | None, gateway: bool, host: str | None, as_json: bool) -> int:
    """Look for what keeps runs from being logged.

    That is versions, servers, key, clock, disk and what earlier processes left. The exit code is 1 when
    something failed.
    """
    if gateway:
        return _list_unknown(host, as_json)
    wanted = any(os.environ.get(name) for name in SERVER_VARIABLES) if server is None else server
    found = _shown(_checks(host, wanted), as_json)
    if as_json:
        print_json(found)
    return int(any(check.state == "failure" for check in found))


def _list_unknown(host: str | None, as_json: bool) -> int:
    """What the gateway left out of its answers; none of it keeps a client from logging."""
    with connect(host) as api:
        found = api.gateway_unknown()
    if as_json:
        print_json(found)
        return 0
    print_table(
        ("times", "last", "kind", "name", "operation", "client"),
        [(str(one.count), ago(one.last_at), one.kind, one.name, one.operation, one.client) for one in found],
        "wandb clients have asked for nothing that this server does not know",
    )
    return 0


def _checks(host: str | None, with_server: bool) -> Iterator[Check]:
    yield from local_checks(resolve({}))
    with connect(host) as api:
        yield from server_checks(api)
    if with_server:
        yield from _server_machine_checks()


def _server_machine_checks() -> Iterator[Check]:
    """What the installed server says of its own machine."""
    for entry in entry_points(group=SERVER_GROUP):
        try:
            checks: Callable[[], Iterable[Check]] = entry.load()
        except ImportError as error:
            yield Check(
                "server",
                "failure",
                f"not installed: {error}",
                "in a clone, pip install '.[server]'",
            )
            continue
        yield from checks()


def _shown(checks: Iterable[Check], as_json: bool) -> list[Check]:
    """The checks, each printed when it is done."""
    found, terminal = [], console()
    for check in checks:
        found.append(check)
        if not as_json:
            mark, color = MARKS[check.state]
            terminal.print(Text.assemble((mark, color), f" {check.name}: {check.found}"))
            if check.fix:
                terminal.print(Text(f"    {check.fix}"))
    return found
