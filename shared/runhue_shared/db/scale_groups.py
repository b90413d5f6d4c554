"""Grouped scales: a run's value is the exact mean of its group (docs/color.md "Per group")."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from runhue_shared.coloring.groups import group_value
from runhue_shared.db import Transaction
from runhue_shared.db.run_values import (
    EVERY_RUN,
    MARKED_RUNS,
    Runs,
    array,
    every_run_of,
    found_values,
    passing,
)
from runhue_shared.db.scale_values import ScaleChange, change_statement, store_changes
from runhue_shared.db.scales import Scale

_STORE_OWN = sql.SQL(
    "WITH {found}, was AS (SELECT g.group_name FROM scale_group_run g"
    " JOIN found f ON f.scale_id = g.scale_id AND f.run_id = g.run_id),"
    " put AS (INSERT INTO scale_group_run (scale_id, run_id, number, team_id, types, counted, group_name,"
    "  reason) SELECT scale_id, run_id, number, team_id, types, counted, group_name, reason FROM found"
    "  WHERE member ON CONFLICT (scale_id, run_id) DO UPDATE SET number = excluded.number,"
    "  types = excluded.types, counted = excluded.counted, group_name = excluded.group_name,"
    "  reason = excluded.reason),"
    " dropped AS (DELETE FROM scale_group_run g USING found f WHERE NOT f.member"
    "  AND g.scale_id = f.scale_id AND g.run_id = f.run_id)"
    " SELECT group_name FROM found WHERE member AND group_name IS NOT NULL"
    " UNION SELECT group_name FROM was WHERE group_name IS NOT NULL"
)

# D(v), the shortest decimal that round-trips: what Postgres prints for a double.
_MEANS = (
    "SELECT g.group_name, sum(g.number::text::numeric), count(*) FROM scale_group_run g"
    " WHERE g.scale_id = %(scale_id)s AND g.counted AND g.number IS NOT NULL"
    " AND md5(g.group_name) IN (SELECT md5(n) FROM unnest(%(groups)s::text[]) AS n)"
    " GROUP BY g.group_name"
)

_FOUND = sql.SQL(
    "here AS (SELECT g.* FROM scale_group_run g WHERE g.scale_id = %(scale_id)s AND {of_interest}),"
    " gone AS (SELECT v.scale_id, v.run_id FROM scale_value v WHERE v.scale_id = %(scale_id)s"
    "  AND {marked} AND NOT EXISTS (SELECT 1 FROM scale_group_run g"
    "  WHERE g.scale_id = v.scale_id AND g.run_id = v.run_id)),"
    " found AS (SELECT h.scale_id, h.run_id, s.team_id, s.version, r.public_id, h.group_name, true AS member,"
    '  h.counted, h.types, coalesce(m.mean, h.number) AS number, NULL::text COLLATE "C" AS string,'
    "  CASE WHEN m.mean IS NULL THEN h.reason END AS reason"
    "  FROM here h JOIN scale s ON s.id = h.scale_id JOIN run r ON r.id = h.run_id"
    "  LEFT JOIN unnest(%(groups)s::text[], %(means)s::float8[]) AS m (group_name, mean)"
    "  ON m.group_name = h.group_name"
    "  UNION ALL SELECT o.scale_id, o.run_id, s.team_id, s.version, r.public_id, NULL, false, false,"
    "  0::smallint, NULL, NULL, NULL FROM gone o JOIN scale s ON s.id = o.scale_id"
    "  LEFT JOIN run r ON r.id = o.run_id)"
)


def look_at_marked_groups(tx: Transaction, scale: Scale, run_ids: Sequence[int]) -> dict[int, ScaleChange]:
    """As `look_at_marked`, for one grouped scale. The cost follows the size of the runs' groups."""
    marked = {"scale_ids": array([scale.id] * len(run_ids)), "run_ids": array(run_ids)}
    groups = _store_own(tx, scale, MARKED_RUNS, marked)
    of_interest = sql.SQL(
        "(g.run_id = ANY(%(run_ids)s::bigint[]) OR md5(g.group_name) IN"
        " (SELECT md5(n) FROM unnest(%(groups)s::text[]) AS n))"
    )
    is_marked = sql.SQL("v.run_id = ANY(%(run_ids)s::bigint[])")
    statement = change_statement(_FOUND.format(of_interest=of_interest, marked=is_marked), listed=True)
    return store_changes(tx, statement, marked | _means(tx, scale, groups), [scale], listed=True)


def look_at_all_groups(tx: Transaction, scale: Scale, *, listed: bool) -> dict[int, ScaleChange]:
    """As `look_at_all`, for one grouped scale."""
    tx.execute("DELETE FROM scale_group_run WHERE scale_id = %s", (scale.id,))
    groups = _store_own(tx, scale, EVERY_RUN, every_run_of(tx, scale))
    found = _FOUND.format(of_interest=sql.SQL("true"), marked=sql.SQL("true"))
    statement = change_statement(found, listed=listed)
    return store_changes(tx, statement, _means(tx, scale, groups), [scale], listed=listed)


def _store_own(tx: Transaction, scale: Scale, runs: Runs, ids: Mapping[str, object]) -> list[str]:
    """Store each run's own number; the groups that a run is in, or was."""
    passes, params = passing(scale)
    statement = _STORE_OWN.format(found=found_values([scale.source], runs, passes))
    return [name for (name,) in tx.execute(statement, {**params, **ids})]


def _means(tx: Transaction, scale: Scale, groups: Sequence[str]) -> dict[str, Any]:
    """Parameters `groups` and `means` for those of the groups that have a value."""
    rows = tx.execute(_MEANS, {"scale_id": scale.id, "groups": list(groups)}).fetchall()
    means = {name: group_value(total, count) for name, total, count in rows}
    return {"scale_id": scale.id, "groups": [*groups], "means": [means.get(name) for name in groups]}
