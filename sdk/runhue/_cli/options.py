"""Options that several commands have."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runhue._public_api import Api

Command = TypeVar("Command", bound=Callable[..., Any])  # click passes what the options are

TIMEOUT = 30.0


def answers_json(command: Command) -> Command:
    """`--json`: the answer as JSON instead of for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(command)


def on_server(command: Command) -> Command:
    """`--host`: another server than the environment's."""
    return click.option(
        "--host", metavar="URL", help="Address of the server; RUNHUE_BASE_URL when not given."
    )(command)


def connect(host: str | None) -> Api:
    """The API of the server at `host`, or of the environment's.

    Raises:
        UsageError: `host` is no address.
    """
    return Api(base_url=host, timeout=TIMEOUT)
