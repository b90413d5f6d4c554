"""Typed leaves of config and manual summary, beside the documents, for colors, filters and sorting."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runhue_shared.db import Transaction
from runhue_shared.db.dead_letters import storable
from runhue_shared.db.run_documents import RunDocuments
from runhue_shared.events import as_double, flatten
from runhue_shared.series.values import (
    BOOL,
    NON_FINITE_STRINGS,
    NUMBER,
    OTHER,
    PLAIN_TYPES,
    STRING,
    json_text,
    stat_number,
    value_type,
)

MAX_LEAF_TEXT = 1_000_000


def number_of(type_: str, value: Any) -> float | None:  # any JSON value
    """A number or bool as a double, 0.0 for -0.0; None for any other type."""
    if type_ not in (NUMBER, BOOL):
        return None
    return stat_number(NON_FINITE_STRINGS[value] if isinstance(value, str) else as_double(value))


def replace_config_leaves(tx: Transaction, runs: Sequence[RunDocuments]) -> None:
    """Make `run_config` what the configs say."""
    tx.execute("DELETE FROM run_config WHERE run_id = ANY(%s)", ([run.run_id for run in runs],))
    rows = [
        (run.team_id, run.run_id, run.project_id, path, *typed)
        for run in runs
        for path, typed in _config_leaves(run.config.values).items()
    ]
    if not rows:
        return
    tx.execute(
        "INSERT INTO run_config (team_id, run_id, project_id, path, type, number, string, bool)"
        " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::float8[],"
        " %s::text[], %s::bool[])",
        tuple(map(list, zip(*rows, strict=True))),
    )


def _config_leaves(
    config: Mapping[str, Any],
) -> dict[str, tuple[str, float | None, str | None, bool | None]]:
    leaves = {}
    for path, value in flatten(config).items():
        type_ = value_type(value)
        leaves[storable(path, MAX_LEAF_TEXT)] = (
            type_ if type_ in PLAIN_TYPES else OTHER,
            number_of(type_, value) if type_ == NUMBER else None,
            storable(value, MAX_LEAF_TEXT) if type_ == STRING else None,
            value if type_ == BOOL else None,
        )
    return leaves


def replace_summary_leaves(
    tx: Transaction, runs: Iterable[tuple[RunDocuments, Mapping[int, Any]]]
) -> list[tuple[int, int]]:
    """Make `run_summary` hold these values by metric id; returns (run, metric) that had or have one."""
    runs = list(runs)
    gone = tx.execute(
        "DELETE FROM run_summary WHERE run_id = ANY(%s) RETURNING run_id, metric_id",
        ([run.run_id for run, _ in runs],),
    ).fetchall()
    rows = [
        (run.team_id, run.run_id, metric_id, type_, number_of(type_, value), json_text(value))
        for run, values in runs
        for metric_id, value in values.items()
        for type_ in (value_type(value),)
    ]
    if rows:
        tx.execute(
            "INSERT INTO run_summary (team_id, run_id, metric_id, type, number, json)"
            " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::int[], %s::text[], %s::float8[], %s::text[])",
            tuple(map(list, zip(*rows, strict=True))),
        )
    return sorted({(run_id, metric_id) for run_id, metric_id in gone} | {(row[1], row[2]) for row in rows})
