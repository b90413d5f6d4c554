"""`AsyncApi` reads and changes what `Api` does."""

import asyncio
from typing import Any

import pytest

from runhue._errors import ServerRefused
from runhue._public_api import AsyncApi
from tests.integration.public_api.running import Lab

pytestmark = pytest.mark.stack


def test_everything_is_read_without_blocking(lab: Lab, project: str) -> None:
    """Projects, runs in pages, history, metrics, health and colors come from one event loop."""
    for number in range(3):
        lab.log(project, f"r{number}", [{"acc": number + step / 4} for step in range(4)])

    async def read() -> dict[str, Any]:
        async with AsyncApi(lab.stack.api_url, lab.stack.api_key) as api:
            run = await api.run(f"{project}/r1")
            workspace = await api.workspace(project)
            return {
                "team": (await api.viewer()).team,
                "runs": [found.id async for found in api.runs(project, order="+created_at", per_page=2)],
                "history": await run.history(keys=["acc"]),
                "scan": [row["acc"] async for row in run.scan_history(keys=["acc"], page_size=3)],
                "metrics": {metric.name for metric in await run.metrics()},
                "health": (await run.health()).pending_batches,
                "console": await run.console(),
                "coloring": (await workspace.coloring()).workspace_id == workspace.id,
                "project": (await api.project(project)).runs,
                "version": bool((await api.server()).version),
            }

    found = asyncio.run(read())

    values = [1 + step / 4 for step in range(4)]
    assert found["runs"] == ["r0", "r1", "r2"]
    assert found["history"] == [{"_step": step, "acc": value} for step, value in enumerate(values)]
    assert found["scan"] == values
    assert "acc" in found["metrics"]
    assert (found["team"], found["health"], found["console"], found["project"]) == ("main", 0, [], 3)
    assert found["coloring"]
    assert found["version"]


def test_changes_are_sent_without_blocking(lab: Lab, project: str) -> None:
    """Attributes, config and summary go with one update; settings name a conflict; a deleted run is gone."""
    lab.log(project, "r1", [{"acc": 0.5}])

    async def change() -> tuple[Any, ...]:
        async with AsyncApi(lab.stack.api_url, lab.stack.api_key) as api:
            run = await api.run(f"{project}/r1")
            run.name, run.config["lr"], run.summary["best"] = "renamed", 0.1, 0.9
            await run.update()
            workspace = await api.workspace(project)
            in_force = await workspace.set_color_settings(buckets=3)
            read = await (await api.run(f"{project}/r1")).refresh()
            await read.delete()
            with pytest.raises(ServerRefused):
                await run.refresh()
            return read.name, dict(read.config), read.summary["best"], in_force.settings.buckets

    assert asyncio.run(change()) == ("renamed", {"lr": 0.1}, 0.9, 3)
