"""`runhue projects`, `runs`, `run` and `metrics`."""

import itertools
import json
from typing import Any

import click

from runhue._cli.options import answers_json, connect, on_server
from runhue._cli.output import ago, counted, duration, moment, number, print_json, print_table
from runhue._public_api import Run

SHOWN_BY_DEFAULT = 4
OF_EVERY_ROW = {"_runtime", "_step", "_timestamp"}


@click.command(epilog="Example: runhue projects --json | jq -r '.[].name'")
@on_server
@answers_json
def projects(host: str | None, as_json: bool) -> None:
    """List the projects of the key's team."""
    with connect(host) as api:
        found = api.projects()
    if as_json:
        print_json(found)
        return
    rows = [
        (f"{one.team}/{one.name}", str(one.runs), str(one.running), ago(one.last_activity)) for one in found
    ]
    print_table(("project", "runs", "running", "last activity"), rows, "no projects yet: log a run first")


@click.command(
    epilog='Example: runhue runs main/mnist --filter \'{"config.lr": {"$lt": 0.1}}\' --order -summary.acc'
)
@click.argument("project")
@click.option("--filter", "filter_", metavar="JSON", help="Runs that pass this filter, as in docs/api.md.")
@click.option("--search", metavar="REGEX", help="Runs whose name or id matches.")
@click.option("--order", default="-created_at", show_default=True, help="E.g. name, -duration, -summary.acc.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Runs to show.")
@click.option(
    "--columns", metavar="KEYS", help="E.g. config.lr,summary.acc; the first summary keys when not given."
)
@on_server
@answers_json
def runs(
    project: str,
    filter_: str | None,
    search: str | None,
    order: str,
    limit: int,
    columns: str | None,
    host: str | None,
    as_json: bool,
) -> None:
    """List runs of PROJECT.

    A project is written team/project, or just project when it is of the key's team.
    """
    with connect(host) as api:
        listed = api.runs(project, _filter(filter_), order, min(limit, 1000), search)
        found = list(itertools.islice(listed, limit))
        total = len(listed)
    if as_json:
        print_json({"runs": [one.record for one in found], "total": total})
        return
    keys = columns.split(",") if columns else _first_summary_keys(found)
    rows = [(*_attributes(one), *(number(_column(one, key)) for key in keys)) for one in found]
    heads = ("name", "id", "state", "created", "took", "step")
    may_drop = 0 if columns else len(keys)
    print_table((*heads, *keys), rows, f"no runs in {project} pass", may_drop)
    if total > len(found):
        click.echo(f"{len(found)} of {total} runs; more with --limit")


@click.command(epilog="Example: runhue run main/mnist/x7k2m9qd --json")
@click.argument("run", metavar="PROJECT/ID")
@on_server
@answers_json
def run(run: str, host: str | None, as_json: bool) -> None:
    """Show one run, and whether all of it arrived."""
    with connect(host) as api:
        found = api.run(run)
        logged, health = found.metrics(), found.health()
    if as_json:
        print_json({**_as_dict(found.record), "metrics": logged, "health": health})
        return
    click.echo(
        f"{found.name} ({found.team}/{found.project}/{found.id}), {found.state}, {duration(found.duration)}"
    )
    click.echo(found.url)
    print_table(
        ("config", "value"), [(key, number(found.config[key])) for key in sorted(found.config)], "no config"
    )
    print_table(
        ("summary", "value"),
        [(key, _shown(key, found.summary[key])) for key in sorted(found.summary)],
        "no summary",
    )
    rows = [
        (one.name, one.type, str(one.n), *(_shown(one.name, value) for value in (one.last, one.min, one.max)))
        for one in logged
        if one.name not in OF_EVERY_ROW
    ]
    print_table(("metric", "type", "points", "last", "min", "max"), rows, "no metrics")
    refused, dead = sum(one.count for one in health.rejections), len(health.dead_letters)
    click.echo(f"{health.pending_batches} batches pending, {refused} values refused, {dead} dead letters")


@click.command(epilog="Example: runhue metrics main/mnist --search acc")
@click.argument("project")
@click.option("--search", help="Metrics whose name has this part.")
@on_server
@answers_json
def metrics(project: str, search: str | None, host: str | None, as_json: bool) -> None:
    """List the metrics of PROJECT, with their types."""
    with connect(host) as api:
        found = api.metrics(project, search)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.name, ", ".join(f"{kind.type} in {counted(kind.runs, 'run')}" for kind in one.types))
        for one in found
    ]
    print_table(("metric", "types"), rows, "no metrics yet")


def _filter(text: str | None) -> dict[str, Any] | None:  # the filter language
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="--filter") from error
    if not isinstance(parsed, dict):
        raise click.BadParameter('must be an object like {"state": "running"}', param_hint="--filter")
    return parsed


def _attributes(run: Run) -> tuple[str, ...]:
    step = "" if run.last_step is None or run.last_step < 0 else str(run.last_step)
    return (run.name, run.id, run.state, ago(run.created_at), duration(run.duration), step)


def _shown(key: str, value: Any) -> str:  # any logged value
    return moment(value) if key == "_timestamp" and isinstance(value, float) else number(value)


def _first_summary_keys(runs: list[Run]) -> list[str]:
    keys = {
        key
        for run in runs
        for key, value in run.summary.items()
        if not key.startswith("_") and not isinstance(value, dict | list)
    }
    return [f"summary.{key}" for key in sorted(keys)[:SHOWN_BY_DEFAULT]]


def _column(run: Run, column: str) -> Any:  # any logged value
    section, _, key = column.partition(".")
    return (run.config if section == "config" else run.summary).get(key)


def _as_dict(record: Any) -> dict[str, Any]:  # a struct
    return {name: getattr(record, name) for name in record.__struct_fields__}
