"""A run's history as the wandb client reads it: rows nested as they were logged, in pages and samples."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runhue_shared.db import Transaction, nested_keys
from runhue_shared.db.history import (
    MAX_STEP,
    RunMetric,
    metrics_of_runs,
    read_rows,
    read_rows_at,
    steps_of_rows,
)
from runhue_shared.db.nested_keys import nested
from runhue_shared.events import TIMESTAMP_KEY
from runhue_shared.series.columns import STEP_KEY, folded
from runhue_shared.series.values import NUMBER

SMALLEST_PAGE = 1_000
"""So many rows at least are looked at for those that hold all keys."""

_NO_VALUE_YET = -1e18


def rows_for_client(
    tx: Transaction,
    run_id: int,
    min_step: int = 0,
    max_step: int | None = None,
    limit: int | None = None,
    keys: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Rows with `min_step` <= step < `max_step`, ascending, at most `limit`.

    Without `keys` whole rows, nested; with `keys` only rows that hold all of them, flat under the keys as
    they were asked. NaN and infinities are floats; ints are exact.

    Raises:
        ChunkCorrupt: stored bytes do not match their checksum; names the chunk.
    """
    last = MAX_STEP if max_step is None else max_step - 1
    paths = nested_keys.of_run(tx, run_id)
    if keys is None:
        return [nested(row, paths) for row in read_rows(tx, run_id, None, min_step, last, limit)]
    wanted = _Keys(keys, paths)
    rows: list[dict[str, Any]] = []
    for row in _pages(tx, run_id, wanted.names, (min_step, last), limit):
        found = wanted.of_row(row)
        if found is not None:
            rows.append(found)
            if len(rows) == limit:
                break
    return rows


def _pages(
    tx: Transaction, run_id: int, names: Sequence[str], steps: tuple[int, int], limit: int | None
) -> Iterator[dict[str, Any]]:
    """Rows that hold one of the names, page by page."""
    start, last = steps
    page = None if limit is None else max(limit, SMALLEST_PAGE)
    while start <= last:
        rows = read_rows(tx, run_id, names, start, last, page)
        yield from rows
        if page is None or len(rows) < page:
            return
        start = rows[-1][STEP_KEY] + 1


def sampled_rows(
    tx: Transaction,
    run_id: int,
    samples: int,
    keys: Sequence[str] | None = None,
    min_step: int = 0,
    max_step: int | None = None,
) -> list[dict[str, Any]]:
    """As `rows_for_client`, but at most `samples` rows, evenly spread: the first, the last, and between.

    The same rows give the same samples.
    """
    last = MAX_STEP if max_step is None else max_step - 1
    paths = nested_keys.of_run(tx, run_id)
    if keys is None:
        steps = _spread(steps_of_rows(tx, run_id, None, min_step, last), samples)
        return [nested(row, paths) for row in read_rows_at(tx, run_id, steps)]
    wanted = _Keys(keys, paths)
    steps = _spread(steps_of_rows(tx, run_id, wanted.names, min_step, last), samples)
    rows = read_rows_at(tx, run_id, steps, wanted.names)
    return [found for row in rows if (found := wanted.of_row(row)) is not None]


def events_for_client(tx: Transaction, run_id: int, samples: int) -> list[dict[str, Any]]:
    """At most `samples` rows of the system stream, evenly spread, each marked as the client's own."""
    steps = _spread(steps_of_rows(tx, run_id, None, stream="system"), samples)
    rows = read_rows_at(tx, run_id, steps, stream="system")
    for row in rows:
        row.setdefault(TIMESTAMP_KEY, row[STEP_KEY] / 1000)
        del row[STEP_KEY]
        row["_wandb"] = True
    return rows


def _spread(steps: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
    """At most `samples` of the steps, the first and the last among them."""
    if len(steps) <= samples:
        return steps
    if samples < 2:
        return steps[len(steps) - max(samples, 0) :]
    at = np.arange(samples, dtype=np.int64) * (len(steps) - 1) // (samples - 1)
    return steps[at]


class _Keys:
    """Keys that a client asks for, `deep` standing for all that was logged below it."""

    def __init__(self, keys: Sequence[str], paths: Mapping[str, Sequence[str]]) -> None:
        self._paths = paths
        self._below = {
            key: [name for name, path in paths.items() if path[0] == key and len(path) > 1]
            for key in keys
            if folded(key) not in paths
        }
        self._keys = list(dict.fromkeys(keys))
        found = [name for key in self._keys for name in self._below.get(key) or [folded(key)]]
        self.names = list(dict.fromkeys(found)) or [STEP_KEY]

    def of_row(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row under the keys as they were asked; None when one is missing."""
        held = {folded(name): value for name, value in row.items()}
        found: dict[str, Any] = {}
        for key in self._keys:
            below = self._below.get(key)
            if below and all(name in held for name in below):
                found |= nested({name: held[name] for name in below}, self._paths)
            elif folded(key) in held:
                found[key] = held[folded(key)]
            else:
                return None
        return found


def history_keys(tx: Transaction, run_id: int) -> dict[str, Any]:
    """What was logged, as the client's `historyKeys`: counts by type of each key, and the last step.

    `previousValue`: the latest number, -1e18 where there is none. Only steps are known to be `monotonic`.
    """
    return history_keys_of_runs(tx, [run_id])[run_id]


def history_keys_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """As `history_keys`, by run, for many runs at once."""
    return {run_id: _keys(metrics) for run_id, metrics in metrics_of_runs(tx, run_ids).items()}


def _keys(metrics: Sequence[RunMetric]) -> dict[str, Any]:
    keys: dict[str, dict[str, Any]] = {}
    last_step = -1
    for metric in metrics:
        last_step = max(last_step, metric.last_step)
        entry = keys.setdefault(
            metric.name,
            {"typeCounts": [], "monotonic": metric.name == STEP_KEY, "previousValue": _NO_VALUE_YET},
        )
        entry["typeCounts"].append({"type": metric.type, "count": metric.n})
        if metric.type == NUMBER and metric.last is not None and math.isfinite(metric.last):
            entry["previousValue"] = metric.last
    return {"keys": keys, "lastStep": last_step, "sets": []}
