"""Metrics whose dotted name was made by flattening, with the keys it came from: `deep.x` of `deep`, `x`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runhue_shared.db import Transaction
from runhue_shared.series.columns import folded
from runhue_shared.settings import settings


def add(tx: Transaction, team_id: int, run_id: int, paths: Mapping[str, Sequence[str]]) -> None:
    """Note the path of each dotted name that can be a metric's; the first one of a name stays."""
    longest = settings().max_key_length
    names = sorted(name for name in paths if "\0" not in name and len(name) <= longest)
    if not names:
        return
    tx.execute(
        "INSERT INTO nested_key (run_id, team_id, name, path)"
        " SELECT %s, %s, k.name, k.path FROM unnest(%s::text[], %s::text[]) AS k (name, path)"
        " ON CONFLICT (run_id, name) DO NOTHING",
        (run_id, team_id, names, [json.dumps(list(paths[name])) for name in names]),
    )


def of_run(tx: Transaction, run_id: int) -> dict[str, list[str]]:
    """The path of each dotted name of the run, by casefolded name."""
    return of_runs(tx, [run_id])[run_id]


def of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    """As `of_run`, by run; a run without any has an empty dict."""
    found: dict[int, dict[str, list[str]]] = {run_id: {} for run_id in run_ids}
    rows = tx.execute("SELECT run_id, name, path FROM nested_key WHERE run_id = ANY(%s)", (list(run_ids),))
    for run_id, name, path in rows:
        found[run_id][folded(name)] = json.loads(path)
    return found


def nested(values: Mapping[str, Any], paths: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Values with those of dotted names that have a path put back where they came from.

    `paths` as `of_run` gives them. Where a path leads through a value that is there, the value keeps its
    dotted name.
    """
    if not paths:
        return dict(values)
    placed: dict[str, Any] = {name: value for name, value in values.items() if folded(name) not in paths}
    for name, value in values.items():
        path = paths.get(folded(name))
        if path is not None and not _place(placed, path, value):
            placed[name] = value
    return placed


def _place(into: dict[str, Any], path: Sequence[str], value: Any) -> bool:  # any logged value
    """Put the value at the path unless something is in the way; returns whether it is there."""
    *above, last = path
    for key in above:
        below = into.setdefault(key, {})
        if not isinstance(below, dict) or "_type" in below:
            return False
        into = below
    if last in into:
        return False
    into[last] = value
    return True
