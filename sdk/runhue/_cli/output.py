"""How answers are printed: JSON for programs, tables for people."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 200
UNBOUNDED = 10_000
LONGEST_JSON = 40
EXACT_INTEGERS = 2**53
MINUTE, HOUR, DAY = 60, 3600, 86400


def print_json(value: Any) -> None:  # anything msgspec can turn into JSON
    """One JSON document; NaN and the infinities are the words of the API."""
    plain = _json_numbers(msgspec.to_builtins(value, enc_hook=str))
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def console() -> Console:
    """Where tables go: the terminal in its width, a pipe in lines that are not cut."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str, may_drop: int = 0) -> None:
    """A table, or the sentence `empty` when it has no rows.

    Up to `may_drop` columns at the end are left out where the terminal has no room for them.
    """
    held, terminal = list(rows), console()
    if not held:
        click.echo(empty)
        return
    least = len(columns) - may_drop
    unbounded = terminal.options.update(width=UNBOUNDED)
    tables = (_table(columns, held, count) for count in range(len(columns), least - 1, -1))
    for table in tables:
        if terminal.measure(table, options=unbounded).maximum <= terminal.width:
            break
    terminal.print(table)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> Table:
    """The first `count` columns."""
    table = Table(*columns[:count], box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row[:count]))
    return table


def number(value: Any) -> str:  # a logged value of any type
    """A value in few characters: integers whole, other numbers with six digits."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    if isinstance(value, dict | list):
        return structured(value)
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value.is_integer() and abs(value) < EXACT_INTEGERS else f"{value:.6g}"


def structured(value: dict[str, Any] | list[Any]) -> str:
    """A media value as its type and size, anything else as the beginning of its JSON."""
    if isinstance(value, dict) and "_type" in value:
        sizes = [str(value[name]) for name in ("width", "height", "nrows", "ncols") if name in value]
        return " ".join([str(value["_type"]), *(["x".join(sizes)] if sizes else [])])
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_JSON else f"{text[: LONGEST_JSON - 1]}\N{HORIZONTAL ELLIPSIS}"


def counted(count: int, noun: str) -> str:
    """A count and what is counted."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def moment(seconds: float) -> str:
    """Unix seconds as UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(moment: datetime | None) -> str:
    """How long ago, in its greatest unit."""
    if moment is None:
        return ""
    return f"{duration((datetime.now(UTC) - moment).total_seconds())} ago"


def duration(seconds: float | None) -> str:
    """A duration in its greatest unit."""
    if seconds is None:
        return ""
    units = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= size), (1, "s"))
    return f"{max(seconds, 0) / size:.0f} {unit}"


def _json_numbers(value: Any) -> Any:  # JSON-like
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _json_numbers(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json_numbers(part) for part in value]
    return value
