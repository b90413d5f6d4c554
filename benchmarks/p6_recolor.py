"""P6: a recolor flush with 1, 100 and 1,000 changed runs in scales of 1 thousand to 1 million runs."""

import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from benchmarks.harness import Figures, Report, alternate
from benchmarks.recolor_by_hand import flush_by_hand, make_tables, mark_by_hand
from benchmarks.shares import shares
from runhue import __version__
from runhue_server.coloring.schedule import count, flush, recheck_new_scales
from runhue_server.stack import Stack
from runhue_shared import db
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db.colors import mark_metrics
from runhue_shared.db.workspaces import create_workspace
from runhue_shared.settings import settings

SIZES = {"1k": 1_000, "100k": 100_000, "1M": 1_000_000}
FLUSHES = {1: 20, 100: 10, 1_000: 6}
LIVE = 1_000
SETTINGS = {"key": {"source": "metric", "name": "loss"}, "y": "latest", "buckets": 6}
BY_HAND = (
    "By hand: lock the scale, take the marks, read, compare and store values with their history, read both"
    " ends, store version and event; one transaction over the same driver and pool, fsync on."
)
STEPS = {
    "take_marks": "taking marks",
    "look_at_marked": "finding, comparing and storing values",
    "read_ends": "least and greatest value",
    "build_legend": "legend",
    "hold_colorings": "locking colorings",
    "publish_versions": "version and event",
    "save_scales": "scale row",
    "commit": "commit",
    "lock_free_scales": "locking the scale",
    "getconn": "a checked connection",
}


class Project:
    """A project of `runs` runs with one metric, colored by it, and a copy for the SQL by hand."""

    def __init__(self, name: str, runs: int) -> None:
        self.runs = runs
        self._random = random.Random(runs)
        with db.transaction() as tx:
            self.metric_id, self.first_run = _insert_runs(tx, name, runs)
            (self._project_id,) = tx.execute("SELECT id FROM project WHERE name = %s", (name,)).fetchall()[0]
        began = time.perf_counter()
        with db.transaction() as tx:
            workspace_id = create_workspace(tx, self._project_id, "p6", settings=parse_settings(SETTINGS))
            ((self.scale_id,),) = tx.execute(
                "SELECT scale_id FROM workspace_coloring WHERE workspace_id = %s", (workspace_id,)
            ).fetchall()
        self.fill_seconds = time.perf_counter() - began
        recheck_new_scales(set())
        with db.transaction() as tx:
            make_tables(tx, self.scale_id)
        self.count_times: list[float] = []

    def change(self, count: int, *, by_hand: bool) -> None:
        """Give `count` runs another latest value, and mark them."""
        first = self.first_run
        chosen = [first + place for place in self._random.sample(range(self.runs), count)]
        with db.transaction() as tx:
            tx.execute(
                "UPDATE run_metric m SET last = t.value, n = n + 1 FROM"
                " unnest(%s::bigint[], %s::float8[]) AS t (run_id, value)"
                " WHERE m.run_id = t.run_id AND m.metric_id = %s AND m.type = 'number'",
                (chosen, [self._random.random() for _ in chosen], self.metric_id),
            )
            if by_hand:
                mark_by_hand(tx, self.scale_id, chosen)
            else:
                mark_metrics(tx, [(run_id, self.metric_id) for run_id in chosen])

    def flush(self) -> None:
        """The product's own, as the coloring worker calls it."""
        if flush([self.scale_id]):
            raise AssertionError(f"the scale of {self.runs:,} runs could not be flushed")

    def count(self) -> None:
        """Count buckets, as the worker does once the events are out."""
        began = time.perf_counter()
        count([self.scale_id])
        self.count_times.append(time.perf_counter() - began)

    def check(self, count: int) -> None:
        """Fail unless there is one event, and it lists `count` changed runs."""
        with db.transaction() as tx:
            taken = tx.execute(
                "WITH ours AS (DELETE FROM outbox RETURNING payload), theirs AS (DELETE FROM hand_outbox"
                " RETURNING payload) SELECT jsonb_array_length(payload::jsonb -> 'changed') FROM"
                " (SELECT payload FROM ours UNION ALL SELECT payload FROM theirs) e"
            ).fetchall()
        if taken != [(count,)]:
            raise AssertionError(f"events of one flush of {count} changed runs list {taken}")

    def flush_by_hand(self) -> None:
        """The same effect by the fewest statements."""
        with db.transaction() as tx:
            flush_by_hand(tx, self.scale_id, self.metric_id)


def _insert_runs(tx: db.Transaction, name: str, runs: int) -> tuple[int, int]:
    """Ids of the metric and of the first run; run ids follow each other."""
    ((project_id,),) = tx.execute(
        "INSERT INTO project (team_id, name) SELECT min(id), %s FROM team RETURNING id", (name,)
    ).fetchall()
    ((metric_id,),) = tx.execute(
        "INSERT INTO metric (team_id, project_id, folded, name) SELECT team_id, id, 'loss', 'loss'"
        " FROM project WHERE id = %s RETURNING id",
        (project_id,),
    ).fetchall()
    tx.execute(
        "INSERT INTO run (team_id, project_id, public_id, part, name, state, started_at)"
        " SELECT p.team_id, p.id, 'run-' || i, i %% 4, 'run ' || i,"
        " CASE WHEN i <= %s THEN 'running' ELSE 'finished' END, 0"
        " FROM project p, generate_series(1, %s) AS i WHERE p.id = %s ORDER BY i",
        (LIVE, runs, project_id),
    )
    tx.execute(
        "INSERT INTO run_metric (team_id, run_id, metric_id, type, n, first_step, last_step, last_ord, last,"
        " fmin, fmin_step, fmax, fmax_step) SELECT team_id, id, %s, 'number', 1, 0, 0, 0, random(), 0, 0, 1, 0"
        " FROM run WHERE project_id = %s ORDER BY id",
        (metric_id, project_id),
    )
    ((first,),) = tx.execute("SELECT min(id) FROM run WHERE project_id = %s", (project_id,)).fetchall()
    return metric_id, first


class Flushes:
    """A subject: flushes of every size and count; median milliseconds of each."""

    def __init__(self, projects: dict[str, Project], *, by_hand: bool) -> None:
        self._projects = projects
        self._by_hand = by_hand

    def __call__(self) -> Figures:
        return {
            f"{count} of {name}": statistics.median(self._times(project, count)) * 1e3
            for (name, project), count in itertools.product(self._projects.items(), FLUSHES)
        }

    def _times(self, project: Project, count: int) -> list[float]:
        act = project.flush_by_hand if self._by_hand else project.flush
        times = []
        for _ in range(FLUSHES[count]):
            project.change(count, by_hand=self._by_hand)
            began = time.perf_counter()
            act()
            times.append(time.perf_counter() - began)
            project.check(count)
            if not self._by_hand:
                project.count()
        return times


@contextmanager
def database() -> Iterator[None]:
    """An embedded Postgres of its own behind `db.transaction()`."""
    with Stack.temporary(services=()) as stack:
        before = os.environ.get("RUNHUE_DATABASE_URL")
        os.environ["RUNHUE_DATABASE_URL"] = stack.database_url
        settings.cache_clear()
        try:
            yield
        finally:
            db.close_pool()
            os.environ.pop("RUNHUE_DATABASE_URL")
            if before is not None:
                os.environ["RUNHUE_DATABASE_URL"] = before
            settings.cache_clear()


def tidy() -> None:
    """What the relay and autovacuum do in time, done before the clock runs."""
    with psycopg.connect(settings().database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM outbox")
        connection.execute("VACUUM (ANALYZE)")


def measure(rounds: int) -> Report:
    """The product's flush and the SQL by hand, in turn."""
    with database():
        projects = {name: Project(f"p6-{name}", runs) for name, runs in SIZES.items()}
        tidy()
        results = alternate(
            {
                "runhue": Flushes(projects, by_hand=False),
                "SQL by hand (bound)": Flushes(projects, by_hand=True),
            },
            rounds,
        )
        where = where_time_goes(projects["1M"])
    cases = list(results["runhue"][0])
    report = Report(
        id="p6",
        title="Recolor flush",
        command="make bench NAME=p6 (each cell the median of "
        + ", ".join(f"{flushes} flushes of {count:,}" for count, flushes in FLUSHES.items())
        + " changed runs a round)",
        ours="runhue",
        bound="SQL by hand (bound)",
        better=dict.fromkeys(cases, "lower"),
        units=dict.fromkeys(cases, "ms"),
        rounds=results,
        versions={"runhue": __version__},
        where=where,
        notes=[
            BY_HAND,
            "Behind the event, buckets of scales from 100,000 values on are counted, all at most every 10 s;"
            " median and slowest: "
            + ", ".join(f"{name} {_median_and_slowest(project)}" for name, project in projects.items()),
            "A scale that is new looks at every run once: "
            + ", ".join(f"{name} {project.fill_seconds:.2f} s" for name, project in projects.items()),
        ],
    )
    report.goals = [_bound_goal(results, cases), _flat_goal(results)]
    return report


def _median_and_slowest(project: Project) -> str:
    times = project.count_times
    return f"{statistics.median(times) * 1e3:.1f} and {max(times) * 1e3:.0f} ms"


def where_time_goes(project: Project) -> str:
    """Shares of flushes of few and of many runs, by a profile of the flushing thread."""
    return " ".join(
        f"{count:,} of 1M: {_shares_of_flushes(project, count)}." for count in (min(FLUSHES), max(FLUSHES))
    )


def _shares_of_flushes(project: Project, count: int) -> str:
    def prepared() -> Iterator[Callable[[], None]]:
        for _ in range(FLUSHES[count]):
            project.change(count, by_hand=False)
            yield project.flush
            project.check(count)

    return shares(prepared(), STEPS)


def _medians(results: dict[str, list[Figures]], subject: str) -> dict[str, float]:
    return {
        case: statistics.median(figures[case] for figures in results[subject]) for case in results[subject][0]
    }


def _bound_goal(results: dict[str, list[Figures]], cases: Sequence[str]) -> str:
    ours, bound = (_medians(results, subject) for subject in ("runhue", "SQL by hand (bound)"))
    return "within 1.5x of the bound: " + ", ".join(
        f"{case} {ours[case] / bound[case]:.2f}x" for case in cases
    )


def _flat_goal(results: dict[str, list[Figures]]) -> str:
    ours = _medians(results, "runhue")
    curves = (
        f"{count:,} changed: " + " -> ".join(f"{ours[f'{count} of {name}']:.2f}" for name in SIZES)
        for count in FLUSHES
    )
    return f"flat from {' to '.join((min(SIZES, key=SIZES.__getitem__), '1M'))}, in ms: {'; '.join(curves)}"
