"""A run's config, summary and attributes as one asks for them, and edits that come later than all so far."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runhue_shared.db import Transaction
from runhue_shared.db.history import RunMetric, metrics_of_run, read_series
from runhue_shared.db.leaves import replace_config_leaves, replace_summary_leaves
from runhue_shared.db.metrics import MetricIds, MetricSpace
from runhue_shared.db.run_documents import Edit, EditRefused, RunDocuments, lock_documents, write_documents
from runhue_shared.events import flatten
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.series.values import NUMBER
from runhue_shared.settings import settings

__all__ = ["EditRefused", "edit_attributes", "edit_config", "edit_summary", "summary_of_run"]


def edit_config(tx: Transaction, run_id: int, values: Mapping[str, Any], removed: Sequence[str] = ()) -> None:
    """Set and remove top-level config keys, later than every edit so far.

    Mark the run's colors dirty in the same transaction (`colors.mark_configs`).

    Raises:
        EditRefused: the config would be larger or nested deeper than allowed; nothing was changed.
    """
    run, ord_ = _open(tx, run_id)
    _raise_first(run.config.apply([Edit(ord_, values, removed)], settings()))
    write_documents(tx, [run])
    replace_config_leaves(tx, [run])


def edit_summary(
    tx: Transaction, run_id: int, values: Mapping[str, Any], removed: Sequence[str] = ()
) -> list[tuple[int, int]]:
    """Set and remove manual summary values, later than every edit so far.

    Returns the (run, metric) whose value may have changed, for `colors.mark_metrics`.

    Raises:
        EditRefused: a value is nested deeper or the summary larger than allowed, or a key is no metric's
            name; nothing was changed.
    """
    run, ord_ = _open(tx, run_id)
    _raise_first(run.summary.apply([Edit(ord_, values, removed)], settings()))
    leaves = flatten(run.summary.values)
    write_documents(tx, [run])
    space = MetricSpace(run.team_id, run.project_id, "", "history")
    ids = MetricIds().ids_of(tx, {space: list(leaves)})[space]
    return replace_summary_leaves(tx, [(run, {ids[key]: value for key, value in leaves.items()})])


def edit_attributes(tx: Transaction, run_id: int, changes: Mapping[str, Any]) -> None:
    """Change any of name, notes, tags, group, job_type, metadata, later than every edit so far.

    None clears an attribute; metadata merges by key.

    Raises:
        EditRefused: the metadata would be larger or nested deeper than allowed; nothing was changed.
    """
    run, ord_ = _open(tx, run_id)
    _raise_first(run.set_attributes(ord_, changes, settings()))
    write_documents(tx, [run])


def _open(tx: Transaction, run_id: int) -> tuple[RunDocuments, int]:
    """The run's documents, locked, and a place in the run's order after everything so far."""
    run = lock_documents(tx, [run_id])[run_id]
    row = tx.execute(
        "UPDATE run SET writer_count = writer_count + 1 WHERE id = %s RETURNING writer_count", (run_id,)
    )
    return run, int(row.fetchall()[0][0]) << SEQ_BITS


def _raise_first(refused: Sequence[EditRefused]) -> None:
    if refused:
        raise refused[0]


def summary_of_run(tx: Transaction, run_id: int) -> dict[str, Any]:
    """Logged latest values, what `define_metric` adds (`acc.max`), and manual values over both."""
    definitions = _definitions(tx, run_id)
    summary: dict[str, Any] = {}
    for metric in _latest(metrics_of_run(tx, run_id)):
        wanted = definition_of(metric.name, definitions).get("summary", [])
        if "none" not in wanted:
            summary[metric.name] = metric.last_value
            for statistic in wanted:
                value = _statistic(tx, run_id, metric, statistic, definitions)
                if value is not None:
                    summary[f"{metric.name}.{statistic}"] = value
    manual = tx.execute("SELECT summary FROM run WHERE id = %s", (run_id,)).fetchall()
    return {**summary, **json.loads(manual[0][0] if manual else "{}")}


def _latest(metrics: Sequence[RunMetric]) -> list[RunMetric]:
    """Of a metric's types the one that the last point has."""
    latest: dict[int, RunMetric] = {}
    for metric in metrics:
        held = latest.get(metric.metric_id)
        if held is None or (metric.last_step, metric.last_ord) > (held.last_step, held.last_ord):
            latest[metric.metric_id] = metric
    return list(latest.values())


def _definitions(tx: Transaction, run_id: int) -> dict[str, dict[str, Any]]:
    rows = tx.execute("SELECT name, definition FROM metric_definition WHERE run_id = %s", (run_id,))
    return {name.casefold(): json.loads(text) for name, text in rows}


def definition_of(name: str, definitions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The definition that covers a metric: its own, else the longest `prefix*`; {} for none."""
    name = name.casefold()
    if name in definitions:
        return definitions[name]
    prefixes = [key for key in definitions if key.endswith("*") and name.startswith(key[:-1])]
    return definitions[max(prefixes, key=len)] if prefixes else {}


def _statistic(
    tx: Transaction,
    run_id: int,
    metric: RunMetric,
    statistic: str,
    definitions: Mapping[str, Mapping[str, Any]],
) -> Any:  # any logged value; None for what there is not
    if statistic == "best":
        goal = definition_of(metric.name, definitions).get("goal")
        statistic = "max" if goal == "maximize" else "min"
    if statistic in ("last", "copy"):
        return metric.last_value
    if statistic in ("min", "max"):
        return metric.fmin if statistic == "min" else metric.fmax
    first = statistic == "first"
    last_step = metric.first_step if first else metric.last_step
    for series in read_series(tx, run_id, [metric.name], metric.first_step, last_step):
        if series.type == metric.type:
            return series.values()[0] if first else _mean(series.type, series.values())
    return None


def _mean(type_: str, values: Sequence[Any]) -> float | None:  # any logged values
    return sum(values) / len(values) if type_ == NUMBER and values else None
