"""`runhue`: the command line. Commands are loaded when they are called; the server's come as entry points."""

import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import NoReturn

import click

from runhue._errors import RunhueError, UsageError
from runhue._version import __version__

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
COMMANDS = {
    "colors": "runhue._cli.colors:colors",
    "doctor": "runhue._cli.doctor:doctor",
    "import": "runhue._cli.importing:importing",
    "keys": "runhue._cli.keys:keys",
    "login": "runhue._cli.login:login",
    "metrics": "runhue._cli.listings:metrics",
    "projects": "runhue._cli.listings:projects",
    "run": "runhue._cli.listings:run",
    "runs": "runhue._cli.listings:runs",
    "sync": "runhue._cli.sync:sync",
}
SERVER_GROUP = "runhue.commands"
SERVER_COMMANDS = ("demo", "up")
INSTALL = "in a clone, pip install '.[local]'"


class Commands(click.Group):
    """Our commands and those of installed packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted({*COMMANDS, *SERVER_COMMANDS, *server_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        found = server_commands().get(cmd_name)
        if found is None and cmd_name in SERVER_COMMANDS:
            return _missing(cmd_name)
        return found


@cache
def server_commands() -> dict[str, click.Command]:
    """What the entry points give, groups as their commands; without those that cannot be loaded."""
    found: dict[str, click.Command] = {}
    for entry in entry_points(group=SERVER_GROUP):
        try:
            command = entry.load()
        except ImportError:
            continue  # the server's dependencies are an extra
        if isinstance(command, click.Group):
            found.update(command.commands)
        else:
            found[command.name] = command
    return found


def _missing(name: str) -> click.Command:
    """A stand-in that says what to install."""
    hint = f"needs the server: {INSTALL}"

    def refuse(**_: object) -> NoReturn:
        raise click.ClickException(f"`runhue {name}` {hint}")

    rest = click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True}
    return click.Command(name, settings, refuse, [rest], short_help=hint.capitalize(), add_help_option=False)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="All answers also come as --json. RUNHUE_BASE_URL and RUNHUE_API_KEY name server and key.",
)
@click.version_option(__version__, message="runhue %(version)s")
def commands() -> None:
    """Track experiments on your own server, and color runs by any metric or config key."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0, 1 after a failure, 2 after a call that cannot mean anything."""
    try:
        result = commands.main(arguments, prog_name="runhue", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.UsageError as error:
        _fail(_usage_message(error), USAGE)
    except UsageError as error:
        _fail(str(error), USAGE)
    except (click.ClickException, RunhueError) as error:
        _fail(error.format_message() if isinstance(error, click.ClickException) else str(error), FAILURE)
    except BrokenPipeError:
        # The reader, like `head`, has enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILURE)
    sys.exit(result if isinstance(result, int) else 0)


def _usage_message(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "runhue"
    return f"{error.format_message().rstrip('.')} (see: {command} --help)"


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(code)
