"""Colors through the reading side: settings, one version at a time, and the live watch."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from runhue._errors import ServerRefused
from runhue._public_api import Api, AsyncApi, Coloring, SettingsChanged, Workspace
from runhue_server.stack import Stack
from runhue_shared.coloring import assign
from runhue_shared.coloring.buckets import bucket_of
from runhue_shared.coloring.legend import legend_as_json, legend_from_json
from runhue_shared.coloring.settings import ColorKey, ColorSettings, InvalidSettings
from runhue_shared.coloring.values import stats_of_points
from tests.integration.public_api.running import Lab, until

pytestmark = pytest.mark.stack

BY_ACC = ColorSettings(key=ColorKey("metric", "acc"), y="max", buckets=6)


class Collector(threading.Thread):
    """Takes every version that a watch publishes."""

    def __init__(self, updates: Any) -> None:
        super().__init__(daemon=True)
        self.versions: list[Coloring] = []
        self._updates = updates

    def run(self) -> None:
        self.versions.extend(self._updates)

    @property
    def latest(self) -> Coloring | None:
        return self.versions[-1] if self.versions else None


@contextmanager
def collecting(workspace: Workspace) -> Iterator[Collector]:
    """Watch until the block is left; the thread ends then."""
    with workspace.watch() as updates:
        collector = Collector(updates)
        collector.start()
        try:
            until(lambda: collector.versions)
            yield collector
        finally:
            updates.close()
            collector.join(20)
            assert not collector.is_alive()


def is_as_from_scratch(
    coloring: Coloring | None, logged: dict[str, list[float]], settings: ColorSettings
) -> bool:
    """Whether legend and runs are those computed from everything that was logged."""
    if coloring is None:
        return False
    wanted = assign.color_runs({run: stats_of_points(values) for run, values in logged.items()}, settings)
    if coloring.legend != legend_from_json(legend_as_json(wanted.legend)):
        return False
    drawn = {run.run_id: (run.value, run.bucket, run.reason, run.colors) for run in coloring.runs.values()}
    return drawn == {
        run_id: (run.value, run.bucket, run.reason, run.colors) for run_id, run in wanted.runs.items()
    }


def assert_not_mixed(versions: list[Coloring]) -> None:
    """Each version's runs are in the buckets of its own legend, and versions rise."""
    numbers = [coloring.version for coloring in versions]
    assert numbers == sorted(set(numbers))
    for coloring in versions:
        for run in coloring.runs.values():
            if isinstance(run.value, float):
                assert run.bucket == bucket_of(run.value, coloring.legend.thresholds)
            elif coloring.legend.key is not None:
                assert run.bucket is None
                assert run.reason is not None
        assert sum(coloring.counts) == coloring.valued


def test_settings_are_set_read_and_changed_by_field(api: Api, project: str) -> None:
    """A change keeps what it does not name, and says from which version on it is in force."""
    api.create_project(project)
    workspace = api.workspace(project)

    first = workspace.set_color_settings(BY_ACC)
    second = workspace.set_color_settings(buckets=3, key={"source": "config", "name": "lr"}, scale="log")

    wanted = ColorSettings(key=ColorKey("config", "lr"), y="max", buckets=3, scale="log")
    assert second.settings == wanted
    assert api.workspace(project).color_settings == wanted
    assert (second.revision, second.version > first.version) == (first.revision + 1, True)


def test_a_change_made_meanwhile_is_a_conflict(api: Api, project: str) -> None:
    """Settings that somebody else changed are not overwritten unless one insists."""
    api.create_project(project)
    mine, theirs = api.workspace(project), api.workspace(project)
    assert mine.color_settings == theirs.color_settings
    theirs.set_color_settings(buckets=4)

    with pytest.raises(SettingsChanged) as caught:
        mine.set_color_settings(buckets=5)

    assert (caught.value.status, caught.value.code, bool(caught.value.fix)) == (412, "settings_changed", True)
    assert theirs.color_settings.buckets == 4
    assert mine.set_color_settings(buckets=5, force=True).settings.buckets == 5
    mine.color_settings  # noqa: B018  # reading is what resolves a conflict
    assert mine.set_color_settings(y="min").settings.y == "min"


def test_settings_that_contradict_are_refused(api: Api, project: str) -> None:
    """The error names the field, before anything is sent."""
    api.create_project(project)

    with pytest.raises(InvalidSettings) as caught:
        api.workspace(project).set_color_settings(scale="custom")

    assert caught.value.field == "boundaries"


def test_a_coloring_is_as_computed_from_scratch(lab: Lab, api: Api, project: str) -> None:
    """Legend, values, buckets and colors are those of the rules, NaN and missing runs included."""
    logged = {f"r{n}": [n / 7, n / 9, 0.05] for n in range(9)} | {"nan": [float("nan")], "none": []}
    for run, values in logged.items():
        lab.log(project, run, [{"acc": value} for value in values])
    workspace = api.workspace(project)
    workspace.set_color_settings(BY_ACC)

    until(lambda: is_as_from_scratch(workspace.coloring(), logged, BY_ACC))

    coloring = workspace.coloring()
    assert sum(coloring.counts) == coloring.valued == 9
    assert coloring.runs["nan"].reason == "non_finite"
    assert coloring.settings == BY_ACC


def test_a_watch_follows_runs_settings_and_deletions(lab: Lab, api: Api, project: str) -> None:
    """Every version shown is whole, and the last is the one computed from scratch."""
    workspace = _colored_project(api, project)
    logged = {f"r{n}": [n / 10, n / 5] for n in range(6)}

    with collecting(workspace) as collector:
        for run, values in logged.items():
            lab.log(project, run, [{"acc": value} for value in values], name=f"name of {run}")
        until(lambda: is_as_from_scratch(collector.latest, logged, BY_ACC))
        settings = workspace.set_color_settings(buckets=3, palette="cvd-other").settings
        until(lambda: is_as_from_scratch(collector.latest, logged, settings))
        api.run(f"{project}/r5").delete()
        del logged["r5"]
        until(lambda: is_as_from_scratch(collector.latest, logged, settings))

    assert_not_mixed(collector.versions)
    assert {run.name for run in collector.versions[-1].runs.values()} == {f"name of {run}" for run in logged}


@pytest.mark.parametrize("fault", ["api", "redis wipe", "valkey", "coloring"])
def test_a_watch_survives(lab: Lab, api: Api, project: str, fault: str) -> None:
    """Killed API, emptied or killed Redis, killed worker: the watch goes on and ends up right."""
    workspace = _colored_project(api, project)
    logged = {"before": [0.5], "other": [0.7]}

    with collecting(workspace) as collector:
        for run, values in logged.items():
            lab.log(project, run, [{"acc": value} for value in values])
        until(lambda: is_as_from_scratch(collector.latest, logged, BY_ACC))
        _inject(lab.stack, fault)
        lab.log(project, "after", [{"acc": 0.9}])
        logged["after"] = [0.9]
        until(lambda: is_as_from_scratch(collector.latest, logged, BY_ACC))

    assert_not_mixed(collector.versions)


def test_a_watch_under_load_never_mixes(lab: Lab, api: Api, project: str) -> None:
    """While the range moves with every row, each version shown belongs together."""
    workspace = _colored_project(api, project)
    logged = {f"r{n}": [(n + 1) * step / 40 for step in range(40)] for n in range(4)}

    with collecting(workspace) as collector:
        threads = [
            threading.Thread(target=lab.log, args=(project, run, [{"acc": value} for value in values]))
            for run, values in logged.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: is_as_from_scratch(collector.latest, logged, BY_ACC))

    assert_not_mixed(collector.versions)


def test_the_async_watch_is_the_same(lab: Lab, api: Api, project: str) -> None:
    """`async for` shows the same versions, and a break ends it."""
    workspace = _colored_project(api, project)
    logged = {"r1": [0.5, 0.6], "r2": [0.1]}

    def log_all() -> None:
        for run, values in logged.items():
            lab.log(project, run, [{"acc": value} for value in values])

    logging = threading.Thread(target=log_all)

    async def follow() -> list[Coloring]:
        versions = []
        async with (
            AsyncApi(lab.stack.api_url, lab.stack.api_key) as remote,
            (await remote.workspace(project)).watch() as updates,
            asyncio.timeout(60),
        ):
            logging.start()
            async for coloring in updates:
                versions.append(coloring)
                if is_as_from_scratch(coloring, logged, BY_ACC):
                    break
        return versions

    versions = asyncio.run(follow())
    logging.join()

    assert_not_mixed(versions)
    assert asyncio.run(_acoloring(workspace)).runs == workspace.coloring().runs


def test_an_async_watch_can_be_closed_while_it_waits(api: Api, project: str) -> None:
    """close() wakes the task that waits for the next version."""
    workspace = _colored_project(api, project)

    async def watch_for_a_moment() -> int:
        async with workspace.awatch() as updates:
            seen = [await anext(updates)]
            asyncio.get_running_loop().call_later(0.2, updates.close)
            async with asyncio.timeout(20):
                seen += [coloring async for coloring in updates]
            return len(seen)

    assert asyncio.run(watch_for_a_moment()) >= 1


def test_a_watch_can_be_closed_while_it_waits(api: Api, project: str) -> None:
    """close() from another thread ends the iteration."""
    workspace = _colored_project(api, project)

    with collecting(workspace) as collector:
        versions = len(collector.versions)

    assert versions >= 1


def test_a_workspace_that_is_not_there(api: Api, project: str) -> None:
    """Names that no workspace has, and a workspace that was deleted, are errors."""
    api.create_project(project)
    made = api.create_workspace(project, "mine", filters={"state": "finished"})

    assert [workspace.name for workspace in api.workspaces(project)][-1] == "mine"
    assert api.workspace(project, "mine").id == made.id
    made.record = type(made.record)(10**9, "gone", "main", project)
    with pytest.raises(ServerRefused):
        next(iter(made.watch()))


async def _acoloring(workspace: Workspace) -> Coloring:
    return await workspace.acoloring()


def _colored_project(api: Api, project: str) -> Workspace:
    api.create_project(project)
    workspace = api.workspace(project)
    workspace.set_color_settings(BY_ACC)
    return workspace


def _inject(stack: Stack, fault: str) -> None:
    if fault == "redis wipe":
        client = redis.Redis.from_url(stack.redis_url)
        client.flushall()
        client.close()
    else:
        stack.kill(fault, signal.SIGKILL)
        stack.wait_ready()
