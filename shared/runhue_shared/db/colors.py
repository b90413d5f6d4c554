"""Which scales have work: marks left by whoever changed a run, and what may be forgotten.

Call a mark function after the change, in the same transaction: a mark is seen exactly when
the change is. Marks only say what to look at again, so a mark too many costs time only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from runhue_shared.db import Transaction
from runhue_shared.db.arrays import bigints, integers
from runhue_shared.settings import settings

KEEP = "10 minutes"
"""How long a replaced version stays readable, and what only it used stays stored (docs/color.md G2)."""

READ_LATELY = "10 minutes"
CLOCK_JUMP_SECONDS = 60.0
"""No mark lies further ahead than this; one that does was made before the clock was set back."""


@dataclass(frozen=True, slots=True)
class WaitingScale:
    """A scale with marks. Ages are seconds on the database's clock; a mark may lie ahead (negative age)."""

    scale_id: int
    mark_age: float
    flush_age: float
    read_lately: bool
    workspace_ids: list[int]

    def due_in(self, interval: float) -> float:
        """Seconds until the scale may be flushed when flushes are `interval` seconds apart; 0 is now."""
        until_mark = -self.mark_age if self.mark_age > -CLOCK_JUMP_SECONDS else 0.0
        until_free = interval - self.flush_age if self.flush_age >= 0 else 0.0
        return max(until_mark, until_free, 0.0)


def mark_metrics(tx: Transaction, pairs: Sequence[tuple[int, int]]) -> bool:
    """Say that these (run id, metric id) may have other points, or another summary value set by hand.

    Returns whether a scale goes by one of them; wake the coloring worker after the commit then.
    """
    if not pairs:
        return False
    runs, metrics = zip(*pairs, strict=True)
    done = tx.execute(
        "WITH touched AS MATERIALIZED ("
        " SELECT m.id, s.scale_id, s.team_id FROM unnest(%s::int[]) AS t (id)"
        " JOIN metric m ON m.id = t.id AND m.stream = 'history'"
        " JOIN scale_metric s ON s.project_id = m.project_id AND s.folded = m.folded)"
        " INSERT INTO scale_dirty (scale_id, run_id, team_id)"
        " SELECT DISTINCT t.scale_id, p.run_id, t.team_id FROM touched t"
        " JOIN unnest(%b::bigint[], %b::int[]) AS p (run_id, metric_id) ON p.metric_id = t.id",
        (sorted(set(metrics)), bigints(runs), integers(metrics)),
    )
    return done.rowcount > 0


def mark_configs(tx: Transaction, run_ids: Sequence[int]) -> bool:
    """Say that the config of these runs may have changed; returns as `mark_metrics`."""
    done = tx.execute(
        "INSERT INTO scale_dirty (scale_id, run_id, team_id)"
        " SELECT s.id, r.id, s.team_id FROM run r"
        " JOIN scale s ON s.project_id = r.project_id AND s.reads_config WHERE r.id = ANY(%s)",
        (list(set(run_ids)),),
    )
    return done.rowcount > 0


def mark_runs(tx: Transaction, project_id: int, run_ids: Sequence[int]) -> bool:
    """Say that these runs are new or deleted, or that an attribute (name, tags, group, state) changed.

    Returns as `mark_metrics`.
    """
    done = tx.execute(
        "INSERT INTO scale_dirty (scale_id, run_id, team_id)"
        " SELECT s.id, r.id, s.team_id FROM scale s, unnest(%s::bigint[]) AS r (id) WHERE s.project_id = %s",
        (list(set(run_ids)), project_id),
    )
    return done.rowcount > 0


def waiting_scales(tx: Transaction) -> list[WaitingScale]:
    """Every scale with marks, by id."""
    rows = tx.execute(
        "WITH RECURSIVE dirty AS ("
        " (SELECT scale_id, marked_at FROM scale_dirty ORDER BY scale_id, marked_at LIMIT 1)"
        " UNION ALL SELECT n.scale_id, n.marked_at FROM dirty d CROSS JOIN LATERAL"
        " (SELECT scale_id, marked_at FROM scale_dirty WHERE scale_id > d.scale_id"
        " ORDER BY scale_id, marked_at LIMIT 1) n)"
        " SELECT s.id, extract(epoch FROM clock_timestamp() - d.marked_at)::float8,"
        " extract(epoch FROM clock_timestamp() - s.flushed_at)::float8,"
        " coalesce(w.read_at > now() - %s::interval, false), coalesce(w.ids, '{}')"
        " FROM dirty d JOIN scale s ON s.id = d.scale_id CROSS JOIN LATERAL"
        " (SELECT array_agg(c.workspace_id) AS ids, max(a.read_at) AS read_at FROM workspace_coloring c"
        " LEFT JOIN workspace_read a USING (workspace_id) WHERE c.scale_id = s.id) w",
        (READ_LATELY,),
    )
    return [WaitingScale(*row) for row in rows]


def take_marks(tx: Transaction, scale_ids: Sequence[int]) -> dict[int, set[int]]:
    """Delete the marks of locked scales; the marked runs by scale, none where only legends are marked."""
    marks: dict[int, set[int]] = {}
    rows = tx.execute(
        "DELETE FROM scale_dirty WHERE scale_id = ANY(%s) AND (marked_at <= clock_timestamp()"
        " OR marked_at > clock_timestamp() + make_interval(secs => %s)) RETURNING scale_id, run_id",
        (list(scale_ids), CLOCK_JUMP_SECONDS),
        prepare=True,
    )
    for scale_id, run_id in rows.fetchall():
        runs = marks.setdefault(scale_id, set())
        if run_id is not None:
            runs.add(run_id)
    return marks


def mark_legends(tx: Transaction, scale_id: int, team_id: int, seconds: float) -> None:
    """Have the legends of a scale looked at again in `seconds`, at most `CLOCK_JUMP_SECONDS` ahead."""
    tx.execute(
        "INSERT INTO scale_dirty (scale_id, team_id, marked_at)"
        " VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))",
        (scale_id, team_id, seconds),
    )


def dirty_scales_due(tx: Transaction) -> bool:
    """Whether the coloring worker has work that it was perhaps not woken for."""
    if rechecks_due(tx) or _has_new_scales(tx):
        return True
    return any(scale.due_in(interval_of(scale, watched=False)) == 0 for scale in waiting_scales(tx))


def _has_new_scales(tx: Transaction) -> bool:
    rows = tx.execute("SELECT EXISTS (SELECT 1 FROM scale WHERE NOT rechecked AND recheck_after IS NULL)")
    return bool(rows.fetchall()[0][0])


def interval_of(scale: WaitingScale, *, watched: bool) -> float:
    """Seconds between flushes of the scale; `watched` when someone looks at one of its workspaces now."""
    if watched:
        return settings().recolor_watched
    return settings().recolor_default if scale.read_lately else settings().recolor_unwatched


def rechecks_due(tx: Transaction) -> list[int]:
    """New scales whose runs must all be looked at once more.

    A transaction that was under way when a scale was made may have changed a run without seeing the scale,
    and so left no mark. All of them have ended when none below the barrier is left.
    """
    rows = tx.execute(
        "SELECT id FROM scale WHERE NOT rechecked"
        " AND recheck_after <= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id"
    )
    return [scale_id for (scale_id,) in rows]


def note_recheck_barriers(tx: Transaction) -> None:
    """Remember of new scales which transactions may not have seen them."""
    tx.execute(
        "UPDATE scale SET recheck_after = pg_snapshot_xmax(pg_current_snapshot())"
        " WHERE id IN (SELECT id FROM scale WHERE NOT rechecked AND recheck_after IS NULL"
        " FOR NO KEY UPDATE SKIP LOCKED)"
    )


def forget_old(tx: Transaction) -> None:
    """Delete versions replaced longer than `KEEP` ago, and the values, scales and legends only they used."""
    tx.execute(
        "DELETE FROM workspace_coloring_version v USING workspace_coloring_version n"
        " WHERE n.workspace_id = v.workspace_id AND n.version = v.version + 1"
        " AND n.created_at < now() - %s::interval",
        (KEEP,),
    )
    tx.execute(
        "DELETE FROM scale_value_old o USING (SELECT s.id, coalesce((SELECT min(v.scale_version)"
        " FROM workspace_coloring_version v WHERE v.scale_id = s.id), s.version) AS oldest FROM scale s) k"
        " WHERE o.scale_id = k.id AND o.v_to <= k.oldest"
    )
    _forget_scales(tx)
    tx.execute(
        "DELETE FROM legend l WHERE l.used_at < now() - %s::interval AND NOT EXISTS"
        " (SELECT 1 FROM workspace_coloring_version v"
        " WHERE v.team_id = l.team_id AND v.legend_id = l.legend_id)",
        (KEEP,),
    )
    tx.execute("DELETE FROM scale_dirty d WHERE NOT EXISTS (SELECT 1 FROM scale s WHERE s.id = d.scale_id)")


def _forget_scales(tx: Transaction) -> None:
    locked = tx.execute(
        "SELECT s.id FROM scale s WHERE s.used_at < now() - %s::interval"
        " AND NOT EXISTS (SELECT 1 FROM workspace_coloring c WHERE c.scale_id = s.id)"
        " AND NOT EXISTS (SELECT 1 FROM workspace_coloring_version v WHERE v.scale_id = s.id)"
        " FOR UPDATE SKIP LOCKED",
        (KEEP,),
    ).fetchall()
    # Asked again under the lock: a workspace may have taken the scale up just before.
    tx.execute(
        "DELETE FROM scale s WHERE s.id = ANY(%s)"
        " AND NOT EXISTS (SELECT 1 FROM workspace_coloring c WHERE c.scale_id = s.id)",
        ([scale_id for (scale_id,) in locked],),
    )
