"""Histograms over steps, as a matrix on one grid of values."""

from collections.abc import Sequence

from msgspec import Struct

from runhue._public_api.coloring_calls import project_url
from runhue._public_api.exchange import Call, fetch, get
from runhue._public_api.run_calls import listed

COLUMNS, ROWS = 200, 64


class HistogramColumn(Struct, frozen=True):
    """The histograms of a bucket of steps, added up: `n` of them, from `step` to `last_step`."""

    step: int
    last_step: int
    n: int


class RunHistograms(Struct, frozen=True):
    """The histograms of a run. `counts` has a row for each cell of the grid, the lowest values first.

    `bucket` is how many steps a column has; `skipped` values were no histogram.
    """

    run_id: str
    bucket: int
    n: int
    columns: tuple[HistogramColumn, ...]
    counts: tuple[tuple[float, ...], ...]
    skipped: int = 0


class Histograms(Struct, frozen=True):
    """Histograms of runs on one grid: cell i holds values between `edges[i]` and `edges[i + 1]`."""

    key: str
    edges: tuple[float, ...]
    runs: tuple[RunHistograms, ...]


class HistogramQuery(Struct, frozen=True):
    """Which histograms, and how fine: from a step to a step, at most `columns` of them, on `rows` cells."""

    key: str
    from_step: int | None = None
    to_step: int | None = None
    columns: int = COLUMNS
    rows: int = ROWS


def histograms_call(team: str, project: str, runs: Sequence[str], query: HistogramQuery) -> Call[Histograms]:
    """Histograms of one key, of several runs.

    Raises:
        ServerRefused: `run_not_found`, or a number that the server does not take.
    """
    request = get(
        f"{project_url(team, project)}/histograms",
        key=query.key,
        runs=listed(runs),
        from_step=query.from_step,
        to_step=query.to_step,
        columns=query.columns,
        rows=query.rows,
    )
    return (yield from fetch(Histograms, request))
