"""A workspace's colors in a terminal: the legend with counts, and the runs with a dot of their color."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runhue._cli.output import counted, number
from runhue._public_api import Coloring, RunColor
from runhue._public_api.coloring import by_value
from runhue_shared.coloring.palettes import ColorPair, Theme

DOT = "●"
HOLLOW = "○"
BAR = "█"
BAR_WIDTH = 24


def legend_table(coloring: Coloring, theme: Theme) -> Table:
    """One line a bucket: its color, number and range, and how many runs are in it."""
    table = Table(title=legend_title(coloring), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "bucket", "range", "runs", ""):
        table.add_column(column, justify="right" if column in ("bucket", "runs") else "left")
    counts = coloring.counts
    longest = max((*counts, len(coloring.runs) - coloring.valued, 1))
    for bucket, count in zip(coloring.legend.buckets, counts, strict=True):
        color = _of_theme(bucket.colors, theme)
        table.add_row(
            Text(DOT, color), str(bucket.index), bucket.label, str(count), _bar(count, longest, color)
        )
    rest = len(coloring.runs) - coloring.valued
    if rest and coloring.legend.key is not None:
        color = _of_theme(coloring.legend.no_value, theme)
        table.add_row(Text(HOLLOW, color), "", "no value", str(rest), _bar(rest, longest, color))
    return table


def runs_table(runs: Sequence[RunColor], theme: Theme) -> Table:
    """One line a run: dot, bucket, value or why it has none, name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "bucket", "value", "run"):
        table.add_column(column, justify="right" if column == "bucket" else "left")
    for run in runs:
        dot = HOLLOW if run.bucket is None and run.reason is not None else DOT
        shown = run.reason or number(run.value)
        table.add_row(
            Text(dot, _of_theme(run.colors, theme)), number(run.bucket), Text(shown), Text(run.name)
        )
    return table


def coloring_view(coloring: Coloring, theme: Theme, limit: int) -> RenderableType:
    """Legend and the first `limit` runs, highest value first."""
    runs = by_value(coloring)
    parts: list[RenderableType] = [legend_table(coloring, theme), runs_table(runs[:limit], theme)]
    if len(runs) > limit:
        parts.append(Text(f"{limit} of {len(runs)} runs"))
    return Group(*parts)


def legend_title(coloring: Coloring) -> str:
    """What the colors mean, and of which version they are."""
    legend = coloring.legend
    if legend.key is None:
        return f"every run has its own color, version {coloring.version}"
    scale = "" if legend.scale == "linear" else f", {legend.scale} scale"
    return f"{legend.key.name} ({legend.y}) in {legend.n} buckets{scale}, version {coloring.version}"


def plain_line(coloring: Coloring) -> str:
    """The legend in one line, for logs."""
    rest = len(coloring.runs) - coloring.valued
    counts = zip(coloring.legend.buckets, coloring.counts, strict=True)
    parts = [f"{bucket.label}: {count}" for bucket, count in counts] + [f"no value: {rest}"]
    return f"{legend_title(coloring)}: {counted(len(coloring.runs), 'run')}; {', '.join(parts)}"


def _of_theme(colors: ColorPair, theme: Theme) -> str:
    return colors.dark if theme == "dark" else colors.light


def _bar(count: int, longest: int, color: str) -> Text:
    return Text(BAR * max(round(BAR_WIDTH * count / longest), min(count, 1)), color)
