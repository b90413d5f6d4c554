"""Metric names as numbers, and what is kept of each series of a run besides its points."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runhue_shared.db import Transaction
from runhue_shared.db.arrays import bigints, doubles, integers, texts
from runhue_shared.series.columns import folded
from runhue_shared.series.stats import SeriesStats

NO_STEP = -1
"""Stands for the last step of a series that has no point."""


class MetricSpace(NamedTuple):
    """Where metric names are unique. `made` tells two databases' projects apart."""

    team_id: int
    project_id: int
    made: str
    stream: str


class MetricIds:
    """Ids of metric names, remembered by the process.

    Ids that a transaction made or saw are remembered only by `keep()`, to be called after its commit, so that
    no id of a transaction that was rolled back stays.
    """

    CAPACITY = 500_000

    def __init__(self) -> None:
        self._known: dict[tuple[MetricSpace, str], int] = {}
        self._seen: dict[tuple[MetricSpace, str], int] = {}
        self._lock = threading.Lock()

    def ids_of(
        self, tx: Transaction, wanted: Mapping[MetricSpace, Iterable[str]]
    ) -> dict[MetricSpace, dict[str, int]]:
        """Ids by name as spelled, for names without NUL; unknown names get one, the first spelling shown."""
        found: dict[MetricSpace, dict[str, int]] = {}
        missing: list[tuple[MetricSpace, str]] = []
        for space, names in wanted.items():
            ids = found.setdefault(space, {})
            for name in names:
                number = self._known.get((space, name)) or self._seen.get((space, name))
                if number is None:
                    missing.append((space, name))
                else:
                    ids[name] = number
        for space, name, number in _find_or_make(tx, missing):
            found[space][name] = self._seen[space, name] = number
        return found

    def keep(self) -> None:
        """The transaction committed: remember what it saw."""
        with self._lock:
            if len(self._known) + len(self._seen) > self.CAPACITY:
                self._known = {}
            self._known.update(self._seen)
            self._seen = {}

    def forget(self) -> None:
        """The transaction, or a part of it, was rolled back."""
        self._seen = {}


def _find_or_make(
    tx: Transaction, missing: Sequence[tuple[MetricSpace, str]]
) -> Iterable[tuple[MetricSpace, str, int]]:
    if not missing:
        return []
    first: dict[tuple[MetricSpace, str], str] = {}
    for space, name in missing:
        first.setdefault((space, folded(name)), name)
    ids = _find(tx, first)
    # Sorted, so that two transactions that make the same names wait for each other and do not deadlock.
    _make(tx, [(*key, first[key]) for key in sorted(first) if key not in ids])
    ids |= _find(tx, [key for key in first if key not in ids])
    return [(space, name, ids[space, folded(name)]) for space, name in missing]


def _find(tx: Transaction, keys: Iterable[tuple[MetricSpace, str]]) -> dict[tuple[MetricSpace, str], int]:
    keys = list(keys)
    if not keys:
        return {}
    rows = tx.execute(
        "SELECT k.at, m.id FROM unnest(%s::int[], %s::text[], %s::text[]) WITH ORDINALITY"
        " AS k (project_id, stream, folded, at)"
        " JOIN metric m ON m.project_id = k.project_id AND m.stream = k.stream AND m.folded = k.folded",
        ([key[0].project_id for key in keys], [key[0].stream for key in keys], [key[1] for key in keys]),
    )
    return {keys[at - 1]: number for at, number in rows}


def _make(tx: Transaction, rows: Sequence[tuple[MetricSpace, str, str]]) -> None:
    if not rows:
        return
    tx.execute(
        "INSERT INTO metric (team_id, project_id, stream, folded, name)"
        " SELECT * FROM unnest(%s::int[], %s::int[], %s::text[], %s::text[], %s::text[])"
        " ON CONFLICT (project_id, stream, folded) DO NOTHING",
        (
            [space.team_id for space, _, _ in rows],
            [space.project_id for space, _, _ in rows],
            [space.stream for space, _, _ in rows],
            [key for _, key, _ in rows],
            [name for _, _, name in rows],
        ),
    )


class MetricName(NamedTuple):
    """A metric's name as it was first spelled, and the form by which it is compared."""

    id: int
    stream: str
    folded: str
    name: str


def metric_names(tx: Transaction, metric_ids: Sequence[int]) -> list[MetricName]:
    """Names of metrics, by id."""
    rows = tx.execute(
        "SELECT id, stream, folded, name FROM metric WHERE id = ANY(%s) ORDER BY id", (list(metric_ids),)
    )
    return [MetricName(*row) for row in rows]


def metrics_in_run(tx: Transaction, run_id: int) -> list[MetricName]:
    """Names of the metrics that a run has, by id."""
    rows = tx.execute(
        "SELECT id, stream, folded, name FROM metric"
        " WHERE id IN (SELECT metric_id FROM run_metric WHERE run_id = %s) ORDER BY id",
        (run_id,),
    )
    return [MetricName(*row) for row in rows]


def last_steps(
    tx: Transaction, run_ids: NDArray[np.int64], metric_ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each (run, metric) given as two columns, the last step of all its types, or `NO_STEP`."""
    row = (
        tx.cursor(binary=True)
        .execute(
            "SELECT array_agg(last ORDER BY at) FROM (SELECT k.at,"
            " coalesce((SELECT max(m.last_step) FROM run_metric m"
            "  WHERE m.run_id = k.run_id AND m.metric_id = k.metric_id), %s) AS last"
            " FROM unnest(%b::bigint[], %b::int[]) WITH ORDINALITY AS k (run_id, metric_id, at)) AS found",
            (NO_STEP, bigints(run_ids), integers(metric_ids)),
        )
        .fetchall()
    )
    return np.array(row[0][0] or [], np.int64)


def count_metrics(tx: Transaction, run_ids: Sequence[int]) -> dict[int, int]:
    """How many metrics each run has, of any type and stream."""
    rows = tx.execute(
        "SELECT run_id, count(DISTINCT metric_id) FROM run_metric WHERE run_id = ANY(%s) GROUP BY run_id",
        (list(run_ids),),
    )
    return dict.fromkeys(run_ids, 0) | dict(rows.fetchall())


class StatsColumns(NamedTuple):
    """Statistics of many series, column by column, as lists of equal length; None where there is none."""

    team_id: list[int]
    run_id: list[int]
    metric_id: list[int]
    type: list[str]
    n: list[int]
    first_step: list[int]
    last_step: list[int]
    last_ord: list[int]
    last: list[float | None]
    last_json: list[str | None]
    fmin: list[float | None]
    fmin_step: list[int | None]
    fmax: list[float | None]
    fmax_step: list[int | None]
    nan_count: list[int]
    inf_count: list[int]


def stats_columns(rows: Sequence[tuple[int, int, int, SeriesStats]]) -> StatsColumns:
    """Columns of (team id, run id, metric id, stats)."""
    flat = [(*ids, *stats[:-1], *stats.extremes) for *ids, stats in rows]
    columns: list[list[Any]] = [list(column) for column in zip(*flat, strict=True)]
    return StatsColumns(*(columns or [[] for _ in StatsColumns._fields]))


_INSERT = (
    "INSERT INTO run_metric AS m (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord,"
    " last, last_json, fmin, fmin_step, fmax, fmax_step, nan_count, inf_count)"
    " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::int[], %s::text[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::float8[], %s::text[], %s::float8[], %s::bigint[], %s::float8[],"
    " %s::bigint[], %s::bigint[], %s::bigint[])"
)


_MERGE = (
    " ON CONFLICT (run_id, metric_id, type) DO UPDATE SET n = m.n + excluded.n,"
    " last_step = excluded.last_step, last_ord = excluded.last_ord,"
    " last = excluded.last, last_json = excluded.last_json,"
    " fmin = least(m.fmin, excluded.fmin), fmax = greatest(m.fmax, excluded.fmax),"
    " fmin_step = CASE WHEN excluded.fmin IS NULL OR m.fmin <= excluded.fmin"
    "  THEN m.fmin_step ELSE excluded.fmin_step END,"
    " fmax_step = CASE WHEN excluded.fmax IS NULL OR m.fmax >= excluded.fmax"
    "  THEN m.fmax_step ELSE excluded.fmax_step END,"
    " nan_count = m.nan_count + excluded.nan_count, inf_count = m.inf_count + excluded.inf_count"
)


class NumberColumns(NamedTuple):
    """Statistics of many number series, column by column, shape (n,); `low_step` -1 where none is finite."""

    team_id: NDArray[np.int64]
    run_id: NDArray[np.int64]
    metric_id: NDArray[np.int64]
    n: NDArray[np.int64]
    first_step: NDArray[np.int64]
    last_step: NDArray[np.int64]
    last_ord: NDArray[np.int64]
    last: NDArray[np.float64]
    last_json: Sequence[str | None]
    low: NDArray[np.float64]
    low_step: NDArray[np.int64]
    high: NDArray[np.float64]
    high_step: NDArray[np.int64]
    nan_count: NDArray[np.int64]
    inf_count: NDArray[np.int64]


_INSERT_NUMBERS = (
    "INSERT INTO run_metric AS m (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord,"
    " last, last_json, fmin, fmin_step, fmax, fmax_step, nan_count, inf_count)"
    " SELECT team_id, run_id, metric_id, 'number', n, first_step, last_step, last_ord, last, last_json,"
    " CASE WHEN low_step >= 0 THEN low END, nullif(low_step, -1),"
    " CASE WHEN low_step >= 0 THEN high END, nullif(high_step, -1), nan_count, inf_count"
    " FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],"
    " %b::bigint[], %b::float8[], %b::text[], %b::float8[], %b::bigint[], %b::float8[], %b::bigint[],"
    " %b::bigint[], %b::bigint[]) AS v (team_id, run_id, metric_id, n, first_step, last_step, last_ord,"
    " last, last_json, low, low_step, high, high_step, nan_count, inf_count)"
)


def add_later_numbers(tx: Transaction, columns: NumberColumns) -> None:
    """As `add_later_points`, for numbers alone and many of them."""
    if not len(columns.run_id):
        return
    tx.execute(
        _INSERT_NUMBERS + _MERGE,
        (
            *(bigints(column) for column in columns[:7]),
            doubles(columns.last),
            texts(columns.last_json),
            doubles(columns.low),
            bigints(columns.low_step),
            doubles(columns.high),
            *(bigints(column) for column in columns[12:]),
        ),
    )


def add_later_points(tx: Transaction, columns: StatsColumns) -> None:
    """Merge statistics of points whose steps are all beyond those that the (run, metric) has."""
    if not columns.run_id:
        return
    tx.execute(_INSERT + _MERGE, tuple(columns))


def replace_stats(tx: Transaction, run_id: int, metric_ids: Sequence[int], columns: StatsColumns) -> None:
    """Put statistics over all points in the place of what the run has for these metrics."""
    tx.execute("DELETE FROM run_metric WHERE run_id = %s AND metric_id = ANY(%s)", (run_id, list(metric_ids)))
    if columns.run_id:
        tx.execute(_INSERT, tuple(columns))
