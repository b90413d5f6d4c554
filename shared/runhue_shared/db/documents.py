"""A run's config, summary and attributes as one asks for them, and edits that come later than all so far."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from runhue_shared.db import Transaction, client_summaries, nested_keys
from runhue_shared.db.client_summaries import Snapshot, is_client_key, same_value
from runhue_shared.db.leaves import replace_config_leaves, replace_summary_leaves
from runhue_shared.db.logged_summaries import definition_of, logged_summaries
from runhue_shared.db.metrics import MetricIds, MetricSpace
from runhue_shared.db.nested_keys import nested
from runhue_shared.db.run_documents import Edit, EditRefused, RunDocuments, lock_documents, write_documents
from runhue_shared.events import RUNTIME_KEY, flatten
from runhue_shared.series.points import SEQ_BITS
from runhue_shared.settings import settings

__all__ = [
    "EditRefused",
    "client_summaries_of_runs",
    "client_summary_of_run",
    "definition_of",
    "edit_attributes",
    "edit_config",
    "edit_summary",
    "replace_client_summary",
    "summary_of_run",
]


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
    logged = logged_summaries(tx, [run_id])[run_id]
    manual = tx.execute("SELECT summary FROM run WHERE id = %s", (run_id,)).fetchall()
    return {**logged, **json.loads(manual[0][0] if manual else "{}")}


def client_summary_of_run(tx: Transaction, run_id: int) -> dict[str, Any]:
    """The summary as the wandb client keeps its own: nested, and with `_step`, `_wandb` and their like.

    What its clients sent last, the later over the earlier, and over that what was set or removed by hand
    since. Of a run that no client sent one for (our SDK's): logged values under flat keys and manual ones.
    """
    return client_summaries_of_runs(tx, [run_id])[run_id]


def client_summaries_of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """As `client_summary_of_run`, by run, for many runs at once."""
    snapshots = client_summaries.snapshots_of_runs(tx, run_ids)
    manual = client_summaries.manual_of_runs(tx, run_ids)
    bare = [run_id for run_id in run_ids if run_id not in snapshots]
    paths = nested_keys.of_runs(tx, bare) if bare else {}
    logged = logged_summaries(tx, bare) if bare else {}
    return {
        run_id: _overlaid(snapshots[run_id], *manual[run_id])
        if run_id in snapshots
        else _as_client(nested(logged[run_id], paths[run_id]), manual[run_id][0])
        for run_id in run_ids
    }


def _overlaid(
    snapshots: Sequence[Snapshot], manual: Mapping[str, Any], ords: Mapping[str, int]
) -> dict[str, Any]:
    """The snapshots with what was edited later."""
    merged: dict[str, Any] = {}
    sent: dict[str, int] = {}
    for snapshot in snapshots:
        merged.update(snapshot.values)
        sent.update(dict.fromkeys(snapshot.values, snapshot.ord))
    for key, ord_ in ords.items():
        if ord_ <= sent.get(key, -1):
            continue
        if key in manual:
            merged[key] = manual[key]
        else:
            merged.pop(key, None)
    return merged


def _as_client(logged: Mapping[str, Any], manual: Mapping[str, Any]) -> dict[str, Any]:
    runtime = logged.get(RUNTIME_KEY)
    own = {}
    if isinstance(runtime, int | float) and math.isfinite(runtime):
        own["_wandb"] = {"runtime": int(runtime)}
    return {**own, **logged, **manual}


def replace_client_summary(tx: Transaction, run_id: int, values: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Make the summary what a client of the API says it is whole: what differs is set by hand.

    A key that is missing is removed; the keys by which clients keep their books are left alone, and so are
    the snapshots: what a running client says next counts only where it changes something.

    Returns and raises as `edit_summary`.
    """
    lock_documents(tx, [run_id])
    now = client_summary_of_run(tx, run_id)
    changed = {
        key: value
        for key, value in values.items()
        if not is_client_key(key) and (key not in now or not same_value(now[key], value))
    }
    removed = [key for key in now if key not in values and not is_client_key(key)]
    return edit_summary(tx, run_id, changed, removed) if changed or removed else []
