"""`runhue login`."""

import sys

import click

from runhue._cli.options import TIMEOUT, answers_json
from runhue._cli.output import print_json
from runhue._credentials import credentials_path, write_key
from runhue._errors import AuthError
from runhue._public_api import Api
from runhue._settings import DEFAULT_URL, resolve


@click.command(
    epilog="Example: runhue login --host https://runhue.example.org --key-stdin < runhue-data/api-key"
)
@click.option("--key", help="The key; visible to other users of this machine, so better asked for or piped.")
@click.option("--key-stdin", is_flag=True, help="Read the key from standard input.")
@click.option(
    "--host", metavar="URL", help=f"Address of the server; RUNHUE_BASE_URL or {DEFAULT_URL} when not given."
)
@answers_json
def login(key: str | None, key_stdin: bool, host: str | None, as_json: bool) -> None:
    """Check an API key and store it for this user."""
    if key is not None and key_stdin:
        raise click.UsageError("--key and --key-stdin exclude each other")
    url = resolve({"base_url": host}).base_url.rstrip("/")
    entered = (sys.stdin.readline() if key_stdin else key or _asked(url)).strip()
    if not entered:
        raise click.UsageError("the key is empty")
    with Api(base_url=url, api_key=entered, timeout=TIMEOUT) as api:
        try:
            viewer = api.viewer()
        except AuthError as error:
            where = "`runhue up` prints where the first key is kept"
            raise click.ClickException(f"{url} does not take this key: {error.message} ({where})") from error
    write_key(url, entered)
    if as_json:
        print_json({"host": url, "viewer": viewer, "stored_in": str(credentials_path())})
        return
    click.echo(
        f"logged in to {url}: team {viewer.team}, key {viewer.key_name}, may {', '.join(viewer.scopes)}"
    )
    if url != resolve({}).base_url.rstrip("/"):
        click.echo(f"use it with: export RUNHUE_BASE_URL={url}")


def _asked(url: str) -> str:
    answer: str = click.prompt(f"API key for {url}", hide_input=True, err=True)
    return answer
