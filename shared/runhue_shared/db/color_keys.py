"""The keys by which the runs of a project can be colored."""

from typing import NamedTuple

from runhue_shared.coloring.settings import DEFAULT_METRICS, KeySource
from runhue_shared.coloring.values import KEY_TYPES
from runhue_shared.db import Transaction
from runhue_shared.db.scales import RUNTIME_METRIC, TIMESTAMP_METRIC

MOST_RUNS = 10_000
"""Runs per key are counted up to here."""


class ColorKeyEntry(NamedTuple):
    """One entry of the Key dropdown; `runs` that have the key with this type, counted up to `MOST_RUNS`."""

    source: KeySource
    name: str
    type: str
    runs: int

    @property
    def is_selectable(self) -> bool:
        """Whether runs can be colored by it; lists, objects, media and nulls have no place on a scale."""
        return self.type in KEY_TYPES


def color_keys(tx: Transaction, project_id: int, search: str = "", limit: int = 100) -> list[ColorKeyEntry]:
    """Default metrics, then metrics, then config keys, each by name; the names hold `search` in any case.

    `limit` bounds the names of metrics and of config keys; a name has an entry for each type it has.
    """
    defaults = _default_keys(tx, project_id)
    return [
        *(entry for entry in defaults if search.casefold() in entry.name),
        *_metric_keys(tx, project_id, search, limit),
        *_config_keys(tx, project_id, search, limit),
    ]


def _default_keys(tx: Transaction, project_id: int) -> list[ColorKeyEntry]:
    rows = tx.execute(
        "SELECT m.folded, (SELECT count(*) FROM (SELECT 1 FROM run_metric v JOIN run r ON r.id = v.run_id"
        " WHERE v.metric_id = m.id AND v.type = 'number' AND r.deleted_at IS NULL LIMIT %s) c)"
        " FROM metric m WHERE m.project_id = %s AND m.stream = 'history' AND m.folded = ANY(%s)",
        (MOST_RUNS, project_id, [TIMESTAMP_METRIC, RUNTIME_METRIC]),
    )
    runs: dict[str, int] = dict(rows.fetchall())
    return [
        ColorKeyEntry("default", name, "number", runs.get(_metric_of(name), 0)) for name in DEFAULT_METRICS
    ]


def _metric_of(default_metric: str) -> str:
    return RUNTIME_METRIC if default_metric == "relative_time_process" else TIMESTAMP_METRIC


def _metric_keys(tx: Transaction, project_id: int, search: str, limit: int) -> list[ColorKeyEntry]:
    """A run that has the metric in its summary only counts with the type it has there."""
    rows = tx.execute(
        "SELECT m.name, t.type, (SELECT count(*) FROM (SELECT 1 FROM ("
        "  SELECT v.run_id FROM run_metric v WHERE v.metric_id = m.id AND v.type = t.type"
        "  UNION ALL SELECT u.run_id FROM run_summary u WHERE u.metric_id = m.id AND u.type = t.type"
        "   AND NOT EXISTS (SELECT 1 FROM run_metric p WHERE p.run_id = u.run_id"
        "   AND p.metric_id = u.metric_id AND p.type <> 'null')) h"
        "  JOIN run r ON r.id = h.run_id WHERE r.deleted_at IS NULL LIMIT %(most)s) c) AS runs"
        " FROM (SELECT id, name, folded FROM metric WHERE project_id = %(project)s AND stream = 'history'"
        "  AND NOT folded = ANY(%(own)s) AND strpos(folded, %(search)s) > 0"
        "  ORDER BY folded LIMIT %(limit)s) m"
        " CROSS JOIN LATERAL (WITH RECURSIVE types AS ("
        "  (SELECT type FROM run_metric WHERE metric_id = m.id ORDER BY type LIMIT 1) UNION ALL"
        "  SELECT (SELECT type FROM run_metric WHERE metric_id = m.id AND type > types.type"
        "  ORDER BY type LIMIT 1) FROM types WHERE types.type IS NOT NULL)"
        "  SELECT type FROM types WHERE type IS NOT NULL"
        "  UNION SELECT DISTINCT type FROM run_summary WHERE metric_id = m.id) t"
        " ORDER BY m.folded, t.type",
        {
            "project": project_id,
            "search": search.casefold(),
            "limit": limit,
            "most": MOST_RUNS,
            "own": [TIMESTAMP_METRIC, RUNTIME_METRIC],
        },
    )
    return [ColorKeyEntry("metric", name, type_, runs) for name, type_, runs in rows if runs]


def _config_keys(tx: Transaction, project_id: int, search: str, limit: int) -> list[ColorKeyEntry]:
    rows = tx.execute(
        "WITH RECURSIVE keys AS ("
        " (SELECT path, type FROM run_config WHERE project_id = %(project)s ORDER BY path, type LIMIT 1)"
        " UNION ALL SELECT n.path, n.type FROM keys k CROSS JOIN LATERAL"
        " (SELECT path, type FROM run_config WHERE project_id = %(project)s"
        "  AND (path, type) > (k.path, k.type) ORDER BY path, type LIMIT 1) n),"
        " wanted AS (SELECT path, type, dense_rank() OVER (ORDER BY path) AS place FROM keys"
        "  WHERE strpos(lower(path), lower(%(search)s)) > 0)"
        " SELECT w.path, w.type, (SELECT count(*) FROM (SELECT 1 FROM run_config c"
        "  JOIN run r ON r.id = c.run_id WHERE c.project_id = %(project)s AND c.path = w.path"
        "  AND c.type = w.type AND r.deleted_at IS NULL LIMIT %(most)s) c)"
        " FROM wanted w WHERE place <= %(limit)s ORDER BY w.path, w.type",
        {"project": project_id, "search": search, "limit": limit, "most": MOST_RUNS},
    )
    return [ColorKeyEntry("config", path, type_, runs) for path, type_, runs in rows if runs]
