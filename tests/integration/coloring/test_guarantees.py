"""G1 to G4, G6 under concurrent writers and killed workers; every test commits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from runhue_shared.coloring.legend import legend_bucket
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import Transaction, colors, recolor
from runhue_shared.db.color_settings import set_color_settings
from runhue_shared.db.colorings import ColoringPage, VersionGone, coloring_head, read_coloring
from tests.integration.coloring.logged_project import (
    LoggedProject,
    check_colors,
    project_in,
    scale_ids,
)

ACC = {"key": {"source": "metric", "name": "acc"}, "buckets": 4}
READS = 150


@pytest.fixture
def project(clean_database: str) -> Iterator[LoggedProject]:
    made = project_in(clean_database)
    for index in range(30):
        made.add_run(f"r{index}")
        made.log(f"r{index}", "acc", {0: index})
    yield made
    made.tx.close()


@contextmanager
def flushing(url: str) -> Iterator[Callable[[], int]]:
    """A thread that moves the extremes and flushes, each time in one transaction; gives how often it did."""
    done = threading.Event()
    flushed = 0

    def work() -> None:
        nonlocal flushed
        with psycopg.connect(url) as tx:
            while not done.is_set():
                flushed += 1
                tx.execute(
                    "UPDATE run_metric SET last = last * -1.5 + %s"
                    " WHERE run_id IN (SELECT id FROM run ORDER BY id LIMIT 5)",
                    (flushed,),
                )
                rows = tx.execute("SELECT run_id, metric_id FROM run_metric").fetchall()
                colors.mark_metrics(tx, [(run_id, metric_id) for run_id, metric_id in rows])
                tx.commit()
                recolor.flush_scales(tx, scale_ids(tx))
                tx.commit()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield lambda: flushed
    finally:
        done.set()
        writer.join()


def is_whole(pages: list[ColoringPage]) -> bool:
    """Legend and values belong together: the extremes are the values' and each bucket holds its value."""
    legend = pages[0].legend
    runs = [run for page in pages for run in page.runs]
    values = [run.value for run in runs if isinstance(run.value, float)]
    fits = all(run.value is None or run.bucket == legend_bucket(legend, run.value) for run in runs)
    return fits and (min(values), max(values)) == (legend.min, legend.max)


def test_legend_and_values_are_of_one_version(clean_database: str, project: LoggedProject) -> None:
    """A reader never sees the legend of one version with the values of another (G1)."""
    workspace = project.workspace(ACC)
    seen: set[int] = set()

    with flushing(clean_database) as flushes, psycopg.connect(clean_database, autocommit=True) as tx:
        while len(seen) < READS or flushes() < READS:
            page = read_coloring(tx, workspace)
            assert is_whole([page])
            assert page.counts is not None
            assert sum(page.counts) == page.valued
            seen.add(page.head.version)


def test_pages_of_a_walk_are_of_one_version(clean_database: str, project: LoggedProject) -> None:
    """A reader that pages a version sees it whole, although values are replaced meanwhile (G2)."""
    workspace = project.workspace(ACC)
    walks = 0

    with flushing(clean_database) as flushes, psycopg.connect(clean_database, autocommit=True) as tx:
        while walks < 40 or flushes() < 60:
            page = read_coloring(tx, workspace, limit=7)
            pages = [page]
            while pages[-1].next is not None:
                pages.append(read_coloring(tx, workspace, page.head.version, pages[-1].next, limit=7))
            assert is_whole(pages)
            assert sum(len(page.runs) for page in pages) == 30
            walks += 1


def test_version_that_is_gone_names_the_current_one(project: LoggedProject) -> None:
    """After the retention an old version is refused, and values only it used are deleted (G2)."""
    workspace = project.workspace(ACC)
    project.log("r3", "acc", {1: 500.0})
    project.flush()
    read_coloring(project.tx, workspace, version=1)
    colors.forget_old(project.tx)
    assert read_coloring(project.tx, workspace, version=1).legend.max == 29.0

    project.tx.execute(
        "UPDATE workspace_coloring_version SET created_at = created_at - interval '11 minutes'"
    )
    colors.forget_old(project.tx)
    colors.forget_old(project.tx)

    with pytest.raises(VersionGone) as gone:
        read_coloring(project.tx, workspace, version=1)
    assert gone.value.current_version == 2
    assert project.tx.execute("SELECT count(*) FROM scale_value_old").fetchall() == [(0,)]
    with pytest.raises(VersionGone):
        read_coloring(project.tx, workspace, version=3)


def test_versions_rise_by_one_and_each_has_an_event(clean_database: str, project: LoggedProject) -> None:
    """Flushes and settings changes at once leave versions without gaps, told in order (G3)."""
    workspace = project.workspace(ACC)
    with flushing(clean_database) as flushes, psycopg.connect(clean_database) as tx:
        turn = 0
        while turn < 30 or flushes() < 30:
            settings = {**ACC, "buckets": 2 + turn % 7, "y": ("latest", "max")[turn // 3 % 2]}
            set_color_settings(tx, workspace, parse_settings(settings), None, "tester")
            tx.commit()
            turn += 1

    events = project.events(workspace)
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    assert [event["prev_version"] for event in events] == list(range(len(events)))
    assert coloring_head(project.tx, workspace).version == len(events)


def test_same_content_has_the_same_legend(project: LoggedProject) -> None:
    """Two workspaces with one question share a scale and, at equal settings, the legend (G3)."""
    first, second = project.workspace(ACC), project.workspace(ACC)
    third = project.workspace({**ACC, "buckets": 5})

    heads = [coloring_head(project.tx, workspace) for workspace in (first, second, third)]
    pages = [read_coloring(project.tx, workspace) for workspace in (first, second, third)]

    assert len({head.scale_id for head in heads}) == 1
    assert pages[0].legend.legend_id == pages[1].legend.legend_id != pages[2].legend.legend_id


@pytest.mark.parametrize("statements", range(1, 10))
def test_killed_flush_leaves_the_old_version(
    clean_database: str, project: LoggedProject, statements: int
) -> None:
    """Whatever statement a worker dies at, nothing of its flush is seen, and the next flush does all (G4)."""
    workspace = project.workspace(ACC)
    before = read_coloring(project.tx, workspace)
    project.log("r3", "acc", {1: 500.0})
    dying = psycopg.connect(clean_database)

    with pytest.raises(psycopg.OperationalError):
        _flush_and_die(dying, statements, project.tx)
    dying.close()

    assert read_coloring(project.tx, workspace).runs == before.runs
    assert coloring_head(project.tx, workspace).version == 1
    assert project.flush() == 1
    check_colors(project.tx, workspace, project.reference(parse_settings(ACC)))


def _flush_and_die(dying: Transaction, statements: int, other: Transaction) -> None:
    """Flush on a connection that the server ends after that many statements, or before the commit."""
    execute, ids = dying.execute, scale_ids(other)
    left = statements

    def counted(*arguments: Any, **options: Any) -> Any:  # passed on as they came
        nonlocal left
        left -= 1
        if left == 0:
            other.execute("SELECT pg_terminate_backend(%s)", (dying.info.backend_pid,))
        return execute(*arguments, **options)

    dying.execute = counted  # type: ignore[method-assign]  # that is the point
    recolor.flush_scales(dying, ids)
    other.execute("SELECT pg_terminate_backend(%s)", (dying.info.backend_pid,))
    dying.commit()


def test_flush_twice_has_one_effect(project: LoggedProject) -> None:
    """A second flush of the same marks makes no version and no event."""
    workspace = project.workspace(ACC)
    project.log("r3", "acc", {1: 500.0})

    assert (project.flush(), project.flush()) == (1, 0)
    assert len(project.events(workspace)) == 2


def test_mark_without_a_change_makes_no_version(project: LoggedProject) -> None:
    """Logging the same value again is looked at and told to nobody."""
    workspace = project.workspace(ACC)
    project.log("r3", "acc", {1: 3})

    assert project.flush() == 0
    assert coloring_head(project.tx, workspace).version == 1


def test_mark_made_during_a_flush_is_not_lost(clean_database: str, project: LoggedProject) -> None:
    """A change that commits after a flush has read the run is found by the next one."""
    workspace = project.workspace(ACC)
    project.log("r3", "acc", {1: 500.0})
    with psycopg.connect(clean_database) as writing:
        ((run_id, metric_id),) = writing.execute(
            "UPDATE run_metric SET last = 900 WHERE run_id = %s RETURNING run_id, metric_id",
            (project.runs["r3"].id,),
        )
        colors.mark_metrics(writing, [(run_id, metric_id)])
        project.flush()
        assert read_coloring(project.tx, workspace).legend.max == 500.0

    project.flush()

    assert read_coloring(project.tx, workspace).legend.max == 900.0


def test_change_that_did_not_see_a_new_scale_is_found(clean_database: str, project: LoggedProject) -> None:
    """A run changed by a transaction older than the scale is looked at again once that one has ended."""
    with psycopg.connect(clean_database) as writing:
        ((run_id, metric_id),) = writing.execute(
            "UPDATE run_metric SET last = 900 WHERE run_id = %s RETURNING run_id, metric_id",
            (project.runs["r3"].id,),
        )
        assert not colors.mark_metrics(writing, [(run_id, metric_id)])
        workspace = project.workspace(ACC)
        colors.note_recheck_barriers(project.tx)
        assert colors.rechecks_due(project.tx) == []
    assert colors.dirty_scales_due(project.tx)

    for scale_id in colors.rechecks_due(project.tx):
        with project.tx.transaction():
            recolor.recheck_scale(project.tx, scale_id)

    page = read_coloring(project.tx, workspace)
    assert (page.legend.max, page.head.version) == (900.0, 2)
    assert colors.rechecks_due(project.tx) == []
    assert not colors.dirty_scales_due(project.tx)


def test_settings_and_flushes_do_not_deadlock(clean_database: str, project: LoggedProject) -> None:
    """Two writers of settings and a worker on the same workspaces all get through."""
    workspaces = [project.workspace(ACC), project.workspace(ACC)]
    failures: list[Exception] = []

    def change(order: list[int]) -> None:
        try:
            with psycopg.connect(clean_database) as tx:
                for turn in range(20):
                    for workspace in order:
                        settings = parse_settings({**ACC, "y": ("max", "min")[turn % 2]})
                        set_color_settings(tx, workspace, settings, None, "tester")
                        tx.commit()
        except psycopg.Error as error:
            failures.append(error)

    with flushing(clean_database):
        threads = [threading.Thread(target=change, args=(order,)) for order in (workspaces, workspaces[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
