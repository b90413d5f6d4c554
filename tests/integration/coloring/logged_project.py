"""A project in the database, what its runs logged, and the colors it must have by the reference."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import psycopg

from runhue_shared.coloring.assign import NO_CONTINUITY, Coloring, Continuity, color_runs
from runhue_shared.coloring.settings import ColorSettings, parse_settings
from runhue_shared.coloring.values import NO_STATS, RunStats, stats_of_points, stats_of_value
from runhue_shared.db import Transaction, colors, recolor
from runhue_shared.db.color_settings import set_color_settings
from runhue_shared.db.colorings import ColoringPage, read_coloring
from runhue_shared.db.workspaces import create_workspace
from runhue_shared.filters import matches, parse
from tests.builders import make_project, make_run, make_team

STARTED_AT = 1_700_000_000.0


@dataclass(slots=True)
class LoggedRun:
    """What one run said. `points` by casefolded metric name, one value a step."""

    id: int
    points: dict[str, dict[int, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    state: str = "running"
    is_deleted: bool = False


class LoggedProject:
    """Every method that changes a run stores it and leaves the marks that its writer would leave."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.team_id = make_team(tx)
        self.id = make_project(tx, self.team_id)
        self.runs: dict[str, LoggedRun] = {}
        self._metrics: dict[str, int] = {}
        self._names = 0

    def add_run(self, name: str, group: str | None = None) -> LoggedRun:
        run = self.runs[name] = LoggedRun(make_run(self.tx, self.id, name).id, group=group)
        self.tx.execute("UPDATE run SET group_name = %s WHERE id = %s", (group, run.id))
        colors.mark_runs(self.tx, self.id, [run.id])
        return run

    def log(self, name: str, metric: str, points: Mapping[int, Any]) -> None:
        """Points of a metric, one per step; a step that is there already is replaced."""
        run = self.runs.get(name) or self.add_run(name)
        run.points.setdefault(metric.casefold(), {}).update(points)
        self._store_points(run, metric)

    def rewind(self, name: str, metric: str, to_step: int) -> None:
        """Forget the points behind a step."""
        held = self.runs[name].points[metric.casefold()]
        self.runs[name].points[metric.casefold()] = {step: held[step] for step in held if step <= to_step}
        self._store_points(self.runs[name], metric)

    def summarize(self, name: str, metric: str, value: Any) -> None:
        run = self.runs[name]
        run.summary[metric.casefold()] = value
        number = _double(value) if _type(value) == "number" else None
        self.tx.execute(
            "INSERT INTO run_summary (team_id, run_id, metric_id, type, number, json)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, metric_id) DO UPDATE"
            " SET type = excluded.type, number = excluded.number, json = excluded.json",
            (self.team_id, run.id, self._metric(metric), _type(value), number, json.dumps(value)),
        )
        colors.mark_metrics(self.tx, [(run.id, self._metric(metric))])

    def configure(self, name: str, path: str, value: Any) -> None:
        run = self.runs[name]
        run.config[path] = value
        kind = _type(value)
        self.tx.execute(
            "INSERT INTO run_config (team_id, run_id, project_id, path, type, number, string, bool)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, path) DO UPDATE SET"
            " type = excluded.type, number = excluded.number, string = excluded.string, bool = excluded.bool",
            (
                self.team_id,
                run.id,
                self.id,
                path,
                kind,
                _double(value) if kind == "number" else None,
                value if kind == "string" else None,
                value if kind == "bool" else None,
            ),
        )
        colors.mark_configs(self.tx, [run.id])

    def delete(self, name: str) -> None:
        self.runs[name].is_deleted = True
        self._change_run(name, "deleted_at = now()")

    def finish(self, name: str) -> None:
        self.runs[name].state = "finished"
        self._change_run(name, "state = 'finished'")

    def move_to_group(self, name: str, group: str | None) -> None:
        self.runs[name].group = group
        self.tx.execute("UPDATE run SET group_name = %s WHERE id = %s", (group, self.runs[name].id))
        colors.mark_runs(self.tx, self.id, [self.runs[name].id])

    def workspace(self, settings: Mapping[str, Any] | None = None, **parts: Any) -> int:
        """The id of a new workspace; `parts` are those of `create_workspace`."""
        self._names += 1
        parsed = parse_settings(settings or {})
        return create_workspace(self.tx, self.id, f"w{self._names}", settings=parsed, **parts)

    def set_colors(self, workspace_id: int, settings: Mapping[str, Any]) -> tuple[int, int]:
        return set_color_settings(self.tx, workspace_id, parse_settings(settings), None, "tester")

    def flush(self) -> int:
        """Recolor all that is marked; how many versions that made."""
        return recolor.flush_scales(self.tx, self.scale_ids())

    def scale_ids(self) -> list[int]:
        return scale_ids(self.tx)

    def events(self, workspace_id: int) -> list[dict[str, Any]]:
        """Events of a workspace so far, in order."""
        rows = self.tx.execute("SELECT payload FROM outbox WHERE type = 'coloring.updated' ORDER BY id")
        payloads = [json.loads(payload) for (payload,) in rows]
        return [payload for payload in payloads if payload["workspace_id"] == workspace_id]

    def reference(
        self,
        settings: ColorSettings,
        *,
        filter_: Any = None,
        hidden: Sequence[str] = (),
        continuity: Continuity = NO_CONTINUITY,
    ) -> Coloring:
        """The colors from scratch."""
        members = {
            name: run
            for name, run in self.runs.items()
            if not run.is_deleted and matches(parse(filter_), _as_document(name, run))
        }
        stats = {name: _stats(run, settings) for name, run in members.items()}
        groups = {name: run.group for name, run in members.items() if run.group is not None}
        return color_runs(stats, settings, hidden=hidden, groups=groups, continuity=continuity)

    def _change_run(self, name: str, change: str) -> None:
        self.tx.execute(f"UPDATE run SET {change} WHERE id = %s", (self.runs[name].id,))
        colors.mark_runs(self.tx, self.id, [self.runs[name].id])

    def _metric(self, name: str) -> int:
        folded = name.casefold()
        if folded not in self._metrics:
            ((metric_id,),) = self.tx.execute(
                "INSERT INTO metric (team_id, project_id, folded, name) VALUES (%s, %s, %s, %s) RETURNING id",
                (self.team_id, self.id, folded, name),
            )
            self._metrics[folded] = metric_id
        return self._metrics[folded]

    def _store_points(self, run: LoggedRun, metric: str) -> None:
        metric_id = self._metric(metric)
        self.tx.execute("DELETE FROM run_metric WHERE run_id = %s AND metric_id = %s", (run.id, metric_id))
        by_type: dict[str, dict[int, Any]] = {}
        for step, value in sorted(run.points[metric.casefold()].items()):
            by_type.setdefault(_type(value), {})[step] = value
        for kind, points in by_type.items():
            self._store_series(run, metric_id, kind, points)
        colors.mark_metrics(self.tx, [(run.id, metric_id)])

    def _store_series(self, run: LoggedRun, metric_id: int, kind: str, points: dict[int, Any]) -> None:
        steps = list(points)
        last = points[steps[-1]]
        doubles = [_double(value) for value in points.values()] if kind in ("number", "bool") else []
        finite = [value for value in doubles if isfinite(value)]
        self.tx.execute(
            "INSERT INTO run_metric (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord,"
            " last, last_json, fmin, fmax) VALUES (%s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s, %s)",
            (
                self.team_id,
                run.id,
                metric_id,
                kind,
                len(points),
                steps[0],
                steps[-1],
                doubles[-1] if doubles else None,
                None if isinstance(last, float) else json.dumps(last),
                min(finite, default=None),
                max(finite, default=None),
            ),
        )


def scale_ids(tx: Transaction) -> list[int]:
    """Every scale there is."""
    return [scale_id for (scale_id,) in tx.execute("SELECT id FROM scale ORDER BY id")]


def project_in(url: str) -> LoggedProject:
    """A project of its own connection, which commits after every statement."""
    return LoggedProject(psycopg.connect(url, autocommit=True))


def all_runs(tx: Transaction, workspace_id: int, limit: int = 1_000) -> tuple[ColoringPage, dict[str, Any]]:
    """The first page, and every run of its version as (value, bucket, reason, colors)."""
    first = page = read_coloring(tx, workspace_id, limit=limit)
    runs = list(page.runs)
    while page.next is not None:
        page = read_coloring(tx, workspace_id, version=first.head.version, after=page.next, limit=limit)
        runs += page.runs
    return first, {run.run_id: (run.value, run.bucket, run.reason, run.colors) for run in runs}


def check_colors(tx: Transaction, workspace_id: int, expected: Coloring) -> None:
    """The published state is the reference's: legend, runs, counts."""
    page, runs = all_runs(tx, workspace_id)

    assert page.legend == expected.legend
    wanted = {name: (run.value, run.bucket, run.reason, run.colors) for name, run in expected.runs.items()}
    assert sorted(runs) == sorted(wanted)
    different = [(name, runs[name], run) for name, run in wanted.items() if runs[name] != run]
    assert not different, different
    assert (page.population, page.valued) == (expected.population, expected.valued)
    assert page.counts == expected.counts
    assert sum(expected.counts) == page.valued or not expected.legend.buckets


def _stats(run: LoggedRun, settings: ColorSettings) -> RunStats:
    key = settings.key
    if key is None:
        return NO_STATS
    if key.source == "config":
        return stats_of_value(run.config[key.name]) if key.name in run.config else NO_STATS
    if key.source == "default":
        return stats_of_points(_default_points(run, key.name))
    points = run.points.get(key.name.casefold(), {})
    values = [points[step] for step in sorted(points)]
    if all(value is None for value in values) and key.name.casefold() in run.summary:
        summary = run.summary[key.name.casefold()]
        return stats_of_value(summary) if summary is not None or not values else RunStats(has_null=True)
    return stats_of_points(values)


def _default_points(run: LoggedRun, name: str) -> list[Any]:
    metric = "_runtime" if name == "relative_time_process" else "_timestamp"
    points = sorted(run.points.get(metric, {}).items())
    if name == "step":
        return [step for step, _ in points]
    base = STARTED_AT if name == "relative_time_wall" else 0.0
    return [value - base for _, value in points]


def _as_document(name: str, run: LoggedRun) -> dict[str, Any]:
    logged = {key: points[max(points)] for key, points in run.points.items() if points}
    return {
        "id": name,
        "name": name,
        "state": run.state,
        "group": run.group,
        "config": run.config,
        "summary": {**logged, **run.summary},
    }


def _type(value: Any) -> str:
    stats = stats_of_value(value)
    if stats.number is not None:
        return "number"
    if stats.boolean is not None:
        return "bool"
    if stats.string is not None:
        return "string"
    return "null" if stats.has_null else "other"


def _double(value: Any) -> float:
    stats = stats_of_value(value)
    if stats.boolean is not None:
        return float(stats.boolean.latest)
    assert stats.number is not None
    return stats.number.latest
