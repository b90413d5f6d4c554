"""Values of a scale's runs: compared with what is stored, and kept by version (docs/color.md G2).

One statement finds, compares and stores, so that a flush costs as much as the runs that changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from psycopg import sql

from runhue_shared.coloring.settings import KeyType
from runhue_shared.coloring.values import Reason, RunValue
from runhue_shared.db import Transaction
from runhue_shared.db.filtering import FILTER_TIMEOUT
from runhue_shared.db.run_values import EVERY_RUN, MARKED_RUNS, array, every_run_of, found_values, passing
from runhue_shared.db.scales import Scale

_PLANS_FOR_FEW = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_material', 'off', true), set_config('jit', 'off', true)"
)

_CHANGED = sql.SQL(
    "changed AS MATERIALIZED (SELECT * FROM (SELECT f.*, v.run_id IS NOT NULL AS held, v.v_from,"
    " v.number AS old_number, v.string AS old_string, v.reason AS old_reason, v.types AS old_types,"
    " coalesce(v.counted, false) AS old_counted,"
    " CASE WHEN f.member AND v.run_id IS NOT NULL THEN (f.number, f.string, f.reason, f.counted)"
    "  IS DISTINCT FROM (v.number, v.string, v.reason, v.counted)"
    "  ELSE f.member OR v.run_id IS NOT NULL END AS moved"
    " FROM found f LEFT JOIN scale_value v ON v.scale_id = f.scale_id AND v.run_id = f.run_id) c"
    " WHERE c.moved OR c.member AND c.types <> c.old_types)"
)
_APPLY = sql.SQL(
    "kept AS (INSERT INTO scale_value_old (scale_id, v_to, run_id, v_from, number, team_id, counted, string,"
    "  reason) SELECT scale_id, version + 1, run_id, v_from, old_number, team_id, old_counted, old_string,"
    "  old_reason FROM changed WHERE moved AND held AND v_from <= version),"
    " put AS (INSERT INTO scale_value (scale_id, run_id, v_from, number, team_id, types, counted, string,"
    "  reason) SELECT scale_id, run_id, CASE WHEN moved THEN version + 1 ELSE v_from END, number, team_id,"
    "  types, counted, string, reason FROM changed WHERE member"
    "  ON CONFLICT (scale_id, run_id) DO UPDATE SET v_from = excluded.v_from, number = excluded.number,"
    "  types = excluded.types, counted = excluded.counted, string = excluded.string,"
    "  reason = excluded.reason),"
    " dropped AS (DELETE FROM scale_value v USING changed c WHERE NOT c.member"
    "  AND v.scale_id = c.scale_id AND v.run_id = c.run_id),"
    " counted_strings AS (INSERT INTO scale_category (scale_id, value, runs, team_id)"
    "  SELECT scale_id, value, sum(n), min(team_id) FROM"
    "  (SELECT scale_id, string AS value, 1 AS n, team_id FROM changed"
    "   WHERE moved AND member AND counted AND string IS NOT NULL"
    "   UNION ALL SELECT scale_id, old_string, -1, team_id FROM changed"
    "   WHERE moved AND held AND old_counted AND old_string IS NOT NULL) d"
    "  GROUP BY scale_id, value HAVING sum(n) <> 0"
    "  ON CONFLICT (scale_id, value) DO UPDATE SET runs = scale_category.runs + excluded.runs),"
    " effects AS (SELECT c.*, (member AND counted)::int - old_counted::int AS population,"
    "  (member AND counted AND (number IS NOT NULL OR string IS NOT NULL))::int"
    "  - (old_counted AND (old_number IS NOT NULL OR old_string IS NOT NULL))::int AS valued,"
    "  (CASE WHEN member AND counted THEN types ELSE 0 END)::int AS now_types,"
    "  (CASE WHEN old_counted THEN old_types ELSE 0 END)::int AS then_types FROM changed c)"
)
_TOTALS = sql.SQL(
    " SELECT scale_id, count(*) FILTER (WHERE moved), coalesce(sum(population), 0)::bigint,"
    " coalesce(sum(valued), 0)::bigint,"
    " coalesce(sum((now_types & 1) - (then_types & 1)), 0)::bigint,"
    " coalesce(sum((now_types >> 1 & 1) - (then_types >> 1 & 1)), 0)::bigint,"
    " coalesce(sum((now_types >> 2 & 1) - (then_types >> 2 & 1)), 0)::bigint"
    " FROM effects GROUP BY scale_id"
)
_ROWS = sql.SQL(
    " SELECT scale_id, moved::int, population, valued, (now_types & 1) - (then_types & 1),"
    " (now_types >> 1 & 1) - (then_types >> 1 & 1), (now_types >> 2 & 1) - (then_types >> 2 & 1),"
    " public_id, member, number, string, reason FROM effects"
)


class RunChange(NamedTuple):
    """A run whose value, reason or membership changed; `run_id` is public. Not a member: it left."""

    run_id: str
    is_member: bool
    value: RunValue | None
    reason: Reason | None


@dataclass(slots=True)
class ScaleChange:
    """What a look at runs changed in one scale; counts are differences. `runs` is None when not listed."""

    moved: int = 0
    population: int = 0
    valued: int = 0
    number_runs: int = 0
    string_runs: int = 0
    bool_runs: int = 0
    runs: list[RunChange] | None = field(default_factory=list)

    def add(self, counts: Sequence[int]) -> None:
        """Add the six differences of one row."""
        moved, population, valued, number_runs, string_runs, bool_runs = counts
        self.moved += moved
        self.population += population
        self.valued += valued
        self.number_runs += number_runs
        self.string_runs += string_runs
        self.bool_runs += bool_runs

    def follow(self, later: "ScaleChange") -> None:
        """Take in what a later look in the same flush changed; its counts are counted already."""
        self.moved += later.moved
        if self.runs is None or later.runs is None:
            self.runs = None
        else:
            self.runs = list({run.run_id: run for run in (*self.runs, *later.runs)}.values())


def plan_for_few_runs(tx: Transaction) -> None:
    """Go by indexes, run by run: a flush costs as much as the marked runs, whatever the statistics say."""
    tx.execute(_PLANS_FOR_FEW, prepare=True)


def bound_statements(tx: Transaction) -> None:
    """Give up on a filter whose regular expression takes too long."""
    tx.execute("SELECT set_config('statement_timeout', %s, true)", (FILTER_TIMEOUT,), prepare=True)


def look_at_marked(
    tx: Transaction, scales: Sequence[Scale], marked: Sequence[tuple[int, int]]
) -> dict[int, ScaleChange]:
    """Store what changed of marked (scale id, run id) of locked scales; by scale id, absent when nothing did.

    A filtered scale comes alone.
    """
    ids = {
        "scale_ids": array(scale_id for scale_id, _ in marked),
        "run_ids": array(run_id for _, run_id in marked),
    }
    if not scales[0].is_filtered:
        statement = _unfiltered(tuple(sorted({scale.source for scale in scales})))
        return store_changes(tx, statement, ids, scales, listed=True)
    (scale,) = scales
    passes, params = passing(scale)
    statement = change_statement(found_values([scale.source], MARKED_RUNS, passes), listed=True)
    return store_changes(tx, statement, params | ids, scales, listed=True)


@lru_cache(maxsize=32)
def _unfiltered(sources: tuple[str, ...]) -> bytes:
    return change_statement(found_values(sources, MARKED_RUNS), listed=True)


def look_at_all(tx: Transaction, scale: Scale, *, listed: bool) -> dict[int, ScaleChange]:
    """Store what changed of any run of a locked scale; as `look_at_marked`, naming runs only if `listed`."""
    passes, params = passing(scale)
    statement = change_statement(found_values([scale.source], EVERY_RUN, passes), listed=listed)
    return store_changes(tx, statement, params | every_run_of(tx, scale), [scale], listed=listed)


def change_statement(found: sql.Composable, *, listed: bool) -> bytes:
    """The statement that stores how the rows of the last CTE of `found` differ from what is stored."""
    tail = _ROWS if listed else _TOTALS
    return sql.SQL("WITH {}, {}, {}{}").format(found, _CHANGED, _APPLY, tail).as_bytes(None)


def store_changes(
    tx: Transaction,
    statement: bytes,
    params: Mapping[str, Any],  # what the statement's filter compares with
    scales: Sequence[Scale],
    *,
    listed: bool,
) -> dict[int, ScaleChange]:
    """Run a `change_statement`."""
    rows = tx.execute(statement, params, prepare=listed and not scales[0].is_filtered).fetchall()
    return _changes(rows, {scale.id: scale.resolved_type for scale in scales}, listed=listed)


def _changes(
    rows: Iterable[tuple[Any, ...]],  # columns of several types
    types: dict[int, KeyType | None],
    *,
    listed: bool,
) -> dict[int, ScaleChange]:
    changes: dict[int, ScaleChange] = {}
    for scale_id, *counts in rows:
        change = changes.get(scale_id)
        if change is None:
            change = changes[scale_id] = ScaleChange(runs=[] if listed else None)
        change.add(counts[:6])
        if change.runs is not None and counts[0]:
            public_id, is_member, number, string, reason = counts[6:]
            value = string if number is None else number_value(number, types[scale_id])
            change.runs.append(RunChange(public_id, is_member, value, reason))
    return changes


def number_value(number: float, key_type: KeyType | None) -> RunValue:
    """What a stored number stands for."""
    return bool(number) if key_type == "bool" else number


def forget_empty_categories(tx: Transaction, scale_ids: Sequence[int]) -> None:
    """Drop strings that no run has any more."""
    if scale_ids:
        statement = "DELETE FROM scale_category WHERE scale_id = ANY(%s) AND runs <= 0"
        tx.execute(statement, (list(scale_ids),), prepare=True)
