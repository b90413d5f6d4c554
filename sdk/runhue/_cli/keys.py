"""`runhue keys`: the team's API keys, for those who hold one with scope admin."""

import click

from runhue._cli.options import answers_json, connect, on_server
from runhue._cli.output import ago, moment, print_json, print_table
from runhue._public_api.key_calls import ApiKey


@click.group(epilog="Example: runhue keys create ci --scope ingest --project mnist --expires-in-days 90")
def keys() -> None:
    """List, make, rotate and revoke the team's API keys."""


@keys.command("list", epilog="Example: runhue keys list --json")
@on_server
@answers_json
def list_keys(host: str | None, as_json: bool) -> None:
    """List the team's keys, the newest first."""
    with connect(host) as api:
        found = api.keys()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(key.id),
            key.name,
            key.prefix,
            ", ".join(key.scopes),
            key.project or "all",
            "revoked"
            if key.revoked_at
            else moment(key.expires_at.timestamp())
            if key.expires_at
            else "never",
            ago(key.last_used_at),
        )
        for key in found
    ]
    print_table(("id", "name", "starts", "scopes", "project", "expires", "last used"), rows, "no keys")


@keys.command("create", epilog="Example: runhue keys create laptop --scope ingest --scope read")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["ingest", "read", "admin"]),
    multiple=True,
    required=True,
    help="What the key may do; may be given again.",
)
@click.option("--project", metavar="NAME", help="The one project it is good for; all when not given.")
@click.option(
    "--expires-in-days", type=click.FloatRange(0, 3650, min_open=True), help="Never when not given."
)
@on_server
@answers_json
def create(
    name: str,
    scopes: tuple[str, ...],
    project: str | None,
    expires_in_days: float | None,
    host: str | None,
    as_json: bool,
) -> None:
    """Make a key called NAME and print it, once."""
    with connect(host) as api:
        _show(api.create_key(name, scopes, project, expires_in_days), as_json)


@keys.command("rotate", epilog="Example: runhue keys rotate 3 --overlap-hours 2")
@click.argument("key_id", metavar="ID", type=click.IntRange(1))
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, 2160),
    default=24,
    show_default=True,
    help="The old key's rest.",
)
@on_server
@answers_json
def rotate(key_id: int, overlap_hours: float, host: str | None, as_json: bool) -> None:
    """Make a key in the place of key ID and print it, once."""
    with connect(host) as api:
        _show(api.rotate_key(key_id, overlap_hours), as_json)


@keys.command("revoke", epilog="Example: runhue keys revoke 3")
@click.argument("key_id", metavar="ID", type=click.IntRange(1))
@on_server
@answers_json
def revoke(key_id: int, host: str | None, as_json: bool) -> None:
    """Refuse key ID from now on."""
    with connect(host) as api:
        api.revoke_key(key_id)
    if as_json:
        print_json({"revoked": key_id})
    else:
        click.echo(f"key {key_id} is refused within 5 seconds")


def _end(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return moment(key.expires_at.timestamp()) if key.expires_at else "never"


def _show(key: str, as_json: bool) -> None:
    if as_json:
        print_json({"key": key})
    else:
        click.echo(key)
