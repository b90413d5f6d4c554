"""`runhue colors get | set | watch`."""

import sys
from typing import Any, get_args

import click
import msgspec
from rich.live import Live

from runhue._cli.color_tables import coloring_view, plain_line
from runhue._cli.options import answers_json, connect, on_server
from runhue._cli.output import console, print_json
from runhue._public_api import Api, Coloring
from runhue_shared.coloring.legend import legend_as_json
from runhue_shared.coloring.palettes import Theme
from runhue_shared.coloring.settings import (
    MAX_BUCKETS,
    MIN_BUCKETS,
    ColorSettings,
    InvalidSettings,
    KeySource,
    KeyType,
    PaletteName,
    PopulationKind,
    ScaleKind,
    Stability,
    YValue,
    settings_as_json,
)

THEME = click.option(
    "--theme",
    type=click.Choice(get_args(Theme)),
    default="dark",
    show_default=True,
    help="Colors for a dark or a light terminal.",
)
WORKSPACE = click.option(
    "--workspace", metavar="NAME", help="A named workspace; the default one when not given."
)
LIMIT = click.option("--limit", type=click.IntRange(0), default=40, show_default=True, help="Runs to show.")


@click.group()
def colors() -> None:
    """Read, set and watch how runs are colored."""


@colors.command(epilog="Example: runhue colors get main/mnist --theme light")
@click.argument("project")
@WORKSPACE
@THEME
@LIMIT
@on_server
@answers_json
def get(
    project: str, workspace: str | None, theme: Theme, limit: int, host: str | None, as_json: bool
) -> None:
    """Print the legend with counts, and every run's color.

    All of it is of one version.
    """
    with connect(host) as api:
        coloring = api.workspace(project, workspace).coloring()
    if as_json:
        print_json(coloring_as_json(coloring))
    else:
        console().print(coloring_view(coloring, theme, limit))


@colors.command(
    "set",
    epilog="Example: runhue colors set main/mnist --key acc --y max --buckets 6",
)
@click.argument("project")
@WORKSPACE
@click.option("--key", metavar="NAME", help="Metric or config key to color by.")
@click.option(
    "--source", type=click.Choice(get_args(KeySource)), help="What --key is; as runs have it when not given."
)
@click.option(
    "--type",
    "key_type",
    type=click.Choice(get_args(KeyType)),
    help="Type of --key; the commonest when not given.",
)
@click.option("--off", is_flag=True, help="Give every run its own color again.")
@click.option("--y", type=click.Choice(get_args(YValue)), help="Which of a run's values counts.")
@click.option("--buckets", type=click.IntRange(MIN_BUCKETS, MAX_BUCKETS), help="How many colors.")
@click.option("--palette", type=click.Choice(get_args(PaletteName)), help="Colors to use.")
@click.option("--scale", type=click.Choice(get_args(ScaleKind)), help="How buckets divide the range.")
@click.option("--boundaries", metavar="NUMBERS", help="Comma-separated, for --scale custom.")
@click.option("--min", "low", type=float, help="Replaces the range's lower end.")
@click.option("--max", "high", type=float, help="Replaces the range's upper end.")
@click.option("--midpoint", type=float, help="Diverging colors around this value.")
@click.option("--reverse/--no-reverse", default=None, help="Flip the colors.")
@click.option("--per-group/--no-per-group", default=None, help="One color a group, by its mean.")
@click.option(
    "--population", type=click.Choice(get_args(PopulationKind)), help="Which runs define the range."
)
@click.option("--stability", type=click.Choice(get_args(Stability)), help="How the range follows live runs.")
@click.option("--reset", is_flag=True, help="Start from the default settings, not from those in force.")
@click.option("--force", is_flag=True, help="Set them even if somebody else changed them meanwhile.")
@on_server
@answers_json
def set_(
    project: str,
    workspace: str | None,
    reset: bool,
    force: bool,
    host: str | None,
    as_json: bool,
    **given: Any,  # the other options, each of its own type
) -> None:
    """Change color settings; what is not given stays."""
    with connect(host) as api:
        chosen = api.workspace(project, workspace)
        held = chosen.color_settings
        base = ColorSettings() if reset else held
        if given["key"] is not None and given["source"] is None:
            given["source"] = _source_of(api, project, given["key"], quiet=as_json)
        changes = _changes(given, base)
        if not changes and not reset:
            raise click.UsageError("nothing to set: give --key, --y, --buckets or another option")
        try:
            changed = chosen.set_color_settings(base, force=force, **changes)
        except InvalidSettings as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        settings = settings_as_json(changed.settings)
        print_json({"settings": settings, "settings_rev": changed.revision, "version": changed.version})
    else:
        click.echo(f"color settings are revision {changed.revision}, in force from version {changed.version}")


def _source_of(api: Api, project: str, name: str, *, quiet: bool) -> KeySource:
    """Whether runs have a metric or a config key of that name; a metric, and a warning, without either."""
    entries = api.color_keys(project, name)
    if any(entry.source == "metric" and entry.name.casefold() == name.casefold() for entry in entries):
        return "metric"
    if any(entry.source == "config" and entry.name == name for entry in entries):
        return "config"
    if not quiet:
        click.echo(f"no run of {project} has a metric or config key {name!r} yet", err=True)
    return "metric"


@colors.command(epilog="Example: runhue colors watch main/mnist")
@click.argument("project")
@WORKSPACE
@THEME
@LIMIT
@click.option("--versions", type=click.IntRange(1), help="Stop after so many versions.")
@on_server
@answers_json
def watch(
    project: str,
    workspace: str | None,
    theme: Theme,
    limit: int,
    versions: int | None,
    host: str | None,
    as_json: bool,
) -> None:
    """Redraw the colors at every new version.

    It ends with Ctrl-C; --json prints one document a line.
    """
    with connect(host) as api, api.workspace(project, workspace).watch() as updates:
        live = Live(console=console(), auto_refresh=False) if sys.stdout.isatty() and not as_json else None
        try:
            if live is not None:
                live.start()
            for count, coloring in enumerate(updates, start=1):
                _show(coloring, live, theme, limit, as_json)
                if count == versions:
                    return
        except KeyboardInterrupt:
            return
        finally:
            if live is not None:
                live.stop()


def coloring_as_json(coloring: Coloring) -> dict[str, Any]:  # JSON
    """A coloring as `--json` prints it."""
    return {
        "workspace_id": coloring.workspace_id,
        "version": coloring.version,
        "cause": coloring.cause,
        "settings": settings_as_json(coloring.settings),
        "settings_rev": coloring.settings_rev,
        "legend": legend_as_json(coloring.legend),
        "counts": list(coloring.counts),
        "runs": [msgspec.to_builtins(run) for run in coloring.runs.values()],
    }


def _show(coloring: Coloring, live: Live | None, theme: Theme, limit: int, as_json: bool) -> None:
    if live is not None:
        live.update(coloring_view(coloring, theme, limit), refresh=True)
    elif as_json:
        click.echo(msgspec.json.encode(coloring_as_json(coloring)))
    else:
        click.echo(plain_line(coloring))


def _changes(given: dict[str, Any], held: ColorSettings) -> dict[str, Any]:  # fields of ColorSettings
    """The fields that the options change."""
    same_name = (
        "y",
        "buckets",
        "palette",
        "scale",
        "midpoint",
        "reverse",
        "per_group",
        "population",
        "stability",
    )
    changes = {name: given[name] for name in same_name if given[name] is not None}
    if given["boundaries"] is not None:
        changes["boundaries"] = _numbers(given["boundaries"])
    elif changes.get("scale", "custom") != "custom":
        changes["boundaries"] = None
    if given["low"] is not None or given["high"] is not None:
        changes["range"] = {"min": given["low"], "max": given["high"]}
    return {**changes, **_key_change(given, held)}


def _key_change(given: dict[str, Any], held: ColorSettings) -> dict[str, Any]:  # the field key
    if given["off"]:
        return {"key": None}
    if given["key"] is None:
        if given["source"] is None and given["key_type"] is None:
            return {}
        if held.key is None:
            raise click.UsageError("--source and --type need --key")
        name, source = held.key.name, given["source"] or held.key.source
    else:
        name, source = given["key"], given["source"] or "metric"
    return {"key": {"source": source, "name": name, "type": given["key_type"]}}


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--boundaries") from error
