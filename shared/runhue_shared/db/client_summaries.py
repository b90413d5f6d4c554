"""Summaries as clients that keep their own (wandb's) sent them, and what tells apart who set a value."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.series.values import NON_FINITE_STRINGS

CLIENT_KEYS = ("_step", "_runtime", "_timestamp")
"""Keys by which the client keeps its own books; with those that begin `_wandb` no values of the user."""


class Snapshot(NamedTuple):
    """The last whole summary of one client; `ord` is its place in the run's order."""

    run_id: int
    client: str
    ord: int
    values: dict[str, Any]  # nested JSON


def is_client_key(key: str) -> bool:
    """Whether a top-level key is the client's own."""
    return key in CLIENT_KEYS or key.startswith("_wandb")


def same_value(one: Any, other: Any) -> bool:  # any JSON values
    """Whether two values are one to a client that loses whether 1 was 1.0; NaN is NaN."""
    one, other = _number(one), _number(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (_is_nan(one) and _is_nan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and bool(one == other)


def _number(value: Any) -> Any:  # any JSON value; "NaN" is one of the numbers (docs/color.md S6)
    return NON_FINITE_STRINGS.get(value, value) if isinstance(value, str) else value


def _is_nan(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)


def snapshots_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, list[Snapshot]]:
    """Each run's snapshots in their order; a run without any is absent."""
    found: dict[int, list[Snapshot]] = {}
    rows = tx.execute(
        "SELECT run_id, client, ord, summary FROM client_summary WHERE run_id = ANY(%s)"
        " ORDER BY run_id, ord, client",
        (list(run_ids),),
    )
    for run_id, client, ord_, text in rows:
        found.setdefault(run_id, []).append(Snapshot(run_id, client, ord_, json.loads(text)))
    return found


def put_snapshots(tx: Transaction, rows: Sequence[tuple[int, int, str, int, str]]) -> None:
    """Keep (run id, team id, client, ord, JSON text), of each client the one with the greatest ord."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO client_summary AS c (run_id, team_id, client, ord, summary)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (run_id, client)"
            " DO UPDATE SET ord = excluded.ord, summary = excluded.summary WHERE c.ord < excluded.ord",
            rows,
        )


def drop_snapshots(tx: Transaction, before: Mapping[int, int]) -> None:
    """Forget the snapshots of runs, given with an ord, that were sent before it."""
    with tx.cursor() as cursor:
        cursor.executemany("DELETE FROM client_summary WHERE run_id = %s AND ord < %s", list(before.items()))


def manual_of_runs(
    tx: Transaction, run_ids: Sequence[int]
) -> dict[int, tuple[dict[str, Any], dict[str, int]]]:
    """(manual summary, the ord by which each of its keys was last set or removed) by run."""
    rows = tx.execute("SELECT id, summary, summary_ord FROM run WHERE id = ANY(%s)", (list(run_ids),))
    return {run_id: (json.loads(summary), json.loads(ords)) for run_id, summary, ords in rows}


def clients_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[int, str]]:
    """Per run its writers that are clients: number -> client. SDK writers and edits by the API are none."""
    found: dict[int, dict[int, str]] = {run_id: {} for run_id in run_ids}
    rows = tx.execute(
        "SELECT run_id, no, client FROM run_writer WHERE run_id = ANY(%s) AND client IS NOT NULL",
        (list(run_ids),),
    )
    for run_id, no, client in rows:
        found[run_id][no] = client
    return found
