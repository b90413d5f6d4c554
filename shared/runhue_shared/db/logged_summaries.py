"""The part of runs' summaries that was logged: latest values, and what `define_metric` adds (`acc.max`)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.db.history import RunMetric, latest_of_runs, read_series
from runhue_shared.series.columns import folded
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import NUMBER

Definitions = Mapping[str, Mapping[str, Any]]
"""Definitions by casefolded name, as `events.MetricDefinition` without `seq` and `name`."""

UNREAD: Final = object()
"""Stands for a statistic that only the whole series tells."""


class LoggedLeaf(NamedTuple):
    """A logged value of the summary, the step of its metric's latest point, and the writer of that point."""

    value: Any  # any logged value, or UNREAD
    last_step: int
    writer_no: int


def logged_leaves(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, LoggedLeaf]]:
    """Per run the logged leaves of its summary by casefolded name, without reading a series."""
    definitions = definitions_of_runs(tx, run_ids)
    found: dict[int, dict[str, LoggedLeaf]] = {}
    for run_id, metrics in latest_of_runs(tx, run_ids).items():
        leaves = found[run_id] = {}
        for metric in metrics:
            writer_no = metric.last_ord >> SEQ_BITS
            for name, value in _values(metric, definitions[run_id]):
                leaves[folded(name)] = LoggedLeaf(value, metric.last_step, writer_no)
    return found


def logged_summaries(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Per run the logged part of its summary by name; series are read only for a mean or a first value."""
    definitions = definitions_of_runs(tx, run_ids)
    return {
        run_id: {
            name: value
            for metric in metrics
            for name, value in _read(tx, run_id, metric, definitions[run_id])
            if value is not None or name == metric.name
        }
        for run_id, metrics in latest_of_runs(tx, run_ids).items()
    }


def definitions_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, Definitions]:
    """What each run defined."""
    found: dict[int, dict[str, Mapping[str, Any]]] = {run_id: {} for run_id in run_ids}
    rows = tx.execute(
        "SELECT run_id, name, definition FROM metric_definition WHERE run_id = ANY(%s)", (list(run_ids),)
    )
    for run_id, name, text in rows:
        found[run_id][name.casefold()] = json.loads(text)
    return dict(found)


def definition_of(name: str, definitions: Definitions) -> Mapping[str, Any]:
    """The definition that covers a metric: its own, else the longest `prefix*`; {} for none."""
    name = name.casefold()
    if name in definitions:
        return definitions[name]
    prefixes = [key for key in definitions if key.endswith("*") and name.startswith(key[:-1])]
    return definitions[max(prefixes, key=len)] if prefixes else {}


def _values(metric: RunMetric, definitions: Definitions) -> Iterator[tuple[str, Any]]:
    """(name, value) that a metric gives; a statistic of which there is none is None, or UNREAD."""
    definition = definition_of(metric.name, definitions) if definitions else {}
    wanted = definition.get("summary", [])
    if "none" in wanted:
        return
    yield metric.name, metric.last_value
    for statistic in wanted:
        yield f"{metric.name}.{statistic}", _statistic(metric, statistic, definition.get("goal"))


def _statistic(metric: RunMetric, statistic: str, goal: str | None) -> Any:  # any logged value or UNREAD
    if statistic == "best":
        statistic = "max" if goal == "maximize" else "min"
    if statistic in ("last", "copy"):
        return metric.last_value
    if statistic in ("min", "max"):
        return metric.fmin if statistic == "min" else metric.fmax
    return UNREAD


def _read(
    tx: Transaction, run_id: int, metric: RunMetric, definitions: Definitions
) -> Iterator[tuple[str, Any]]:
    for name, value in _values(metric, definitions):
        first = name.endswith(".first")
        yield name, value if value is not UNREAD else _of_series(tx, run_id, metric, first)


def _of_series(tx: Transaction, run_id: int, metric: RunMetric, first: bool) -> Any:  # any logged value
    last_step = metric.first_step if first else metric.last_step
    for series in read_series(tx, run_id, [metric.name], metric.first_step, last_step):
        if series.type == metric.type:
            return series.values()[0] if first else _mean(series.type, series.values())
    return None


def _mean(type_: str, values: Sequence[Any]) -> float | None:  # any logged values
    return sum(values) / len(values) if type_ == NUMBER and values else None
