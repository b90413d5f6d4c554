"""Which tables a run logged: values of its history and summary that name a table's file."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from runhue_server.api.table_problems import TableNotFound
from runhue_shared.db import Transaction, documents, history
from runhue_shared.db.history import MAX_STEP, RunMetric

TABLE = "table-file"
INCREMENT = "incremental-table-file"
TABLE_TYPES = (TABLE, INCREMENT)
OTHER = "other"
"""The type of a list of tables, among others."""

MAX_STEPS = 1_000

TableValue = Mapping[str, Any]
"""A logged value: `_type`, `path`, and what the client added."""


class LoggedTable(NamedTuple):
    """A table as it was logged under a key; `step` is None for one that was put into the summary."""

    key: str
    step: int | None
    value: TableValue


class TableKey(NamedTuple):
    """A key that holds tables. `values`: how many in history; `steps` the last `MAX_STEPS` of theirs."""

    key: str
    type: str
    values: int
    first_step: int | None
    last_step: int | None
    steps: list[int]
    in_summary: bool


def table_keys(tx: Transaction, run_id: int) -> list[TableKey]:
    """The keys under which a run logged tables, or lists of them, by name."""
    logged: dict[str, list[RunMetric]] = {}
    for metric in history.metrics_of_run(tx, run_id):
        if metric.type in TABLE_TYPES or (metric.type == OTHER and _tables(metric.last_value)):
            logged.setdefault(metric.name, []).append(metric)
    summary = {name: found for name, value in _summary(tx, run_id) if (found := _tables(value))}
    steps = _steps(tx, run_id, logged)
    return [
        _table_key(name, logged.get(name, []), steps.get(name, []), summary.get(name, []))
        for name in sorted({*logged, *summary})
    ]


def _table_key(
    name: str, metrics: list[RunMetric], steps: list[int], in_summary: list[TableValue]
) -> TableKey:
    return TableKey(
        key=name,
        type=str(in_summary[0]["_type"]) if in_summary else _type_of(metrics),
        values=sum(metric.n for metric in metrics),
        first_step=min((metric.first_step for metric in metrics), default=None),
        last_step=max((metric.last_step for metric in metrics), default=None),
        steps=steps[-MAX_STEPS:],
        in_summary=bool(in_summary),
    )


def _type_of(metrics: list[RunMetric]) -> str:
    return next((metric.type for metric in metrics if metric.type in TABLE_TYPES), TABLE)


def _steps(tx: Transaction, run_id: int, names: Iterable[str]) -> dict[str, list[int]]:
    wanted = list(names)
    found: dict[str, list[int]] = {}
    for series in history.read_series(tx, run_id, wanted, -MAX_STEP) if wanted else []:
        if series.type in (*TABLE_TYPES, OTHER):
            found.setdefault(series.key, []).extend(series.steps.tolist())
    return {name: sorted(steps) for name, steps in found.items()}


def logged_table(tx: Transaction, run_id: int, key: str, step: int | None, index: int) -> LoggedTable:
    """The table at a step; without one the summary's, and else the last of history.

    Raises:
        TableNotFound: there is none, or no `index` of so many in a list.
    """
    found = _in_history(tx, run_id, key, step)
    in_summary = _in_summary(tx, run_id, key) if step is None else None
    # The summary's is mostly the last of history, and then has a step.
    if in_summary is not None and (found is None or found.value != in_summary.value):
        found = in_summary
    tables = _tables(found.value) if found is not None else []
    if found is None or not tables:
        where = "" if step is None else f" at step {step}"
        raise TableNotFound(
            f"no table {key[:200]!r}{where} in this run", field="key", fix="list them with GET .../tables"
        )
    if index >= len(tables):
        raise TableNotFound(
            f"{key[:200]!r} holds {len(tables)} tables there, and none with index {index}",
            field="index",
            limit=len(tables) - 1,
        )
    return LoggedTable(found.key, found.step, tables[index])


def increments(tx: Transaction, run_id: int, table: LoggedTable) -> dict[str, str]:
    """Of the increments before a table: the path of the run's file by the address in its artifact."""
    last = MAX_STEP if table.step is None else table.step
    found = history.read_series(tx, run_id, [table.key], -MAX_STEP, last)
    values = [value for series in found if series.type == INCREMENT for value in series.values()]
    return {str(value.get("artifact_path")): str(value.get("path")) for value in values}


def _in_summary(tx: Transaction, run_id: int, key: str) -> LoggedTable | None:
    for name, value in _summary(tx, run_id):
        if name.casefold() == key.casefold() and _tables(value):
            return LoggedTable(name, None, value)
    return None


def _in_history(tx: Transaction, run_id: int, key: str, step: int | None) -> LoggedTable | None:
    first, last = (-MAX_STEP, MAX_STEP) if step is None else (step, step)
    found = [
        LoggedTable(series.key, int(series.steps[-1]), series.values()[-1])
        for series in history.read_series(tx, run_id, [key], first, last)
        if len(series.steps) and series.type in (*TABLE_TYPES, OTHER)
    ]
    return max(found, key=lambda one: one.step or 0, default=None)


def _summary(tx: Transaction, run_id: int) -> Iterator[tuple[str, Any]]:
    """The summary's values by dotted key."""
    yield from _leaves("", documents.summary_of_run(tx, run_id))


def _leaves(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from _leaves(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _tables(value: Any) -> list[TableValue]:  # a logged value
    """The tables that a value is."""
    parts = value if isinstance(value, list) else [value]
    return [part for part in parts if isinstance(part, dict) and part.get("_type") in TABLE_TYPES]
