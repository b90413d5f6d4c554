"""Workspaces and colors over HTTP: versions, conditions, pages of one version, exports."""

import json
import time
from typing import Any

import httpx
import pytest
import redis

from runhue_server.api.models_coloring import (
    Coloring,
    ColorKeys,
    Legend,
    Palettes,
    Revisions,
    SettingsInForce,
    Workspaces,
)
from runhue_server.coloring.relay import publish_outbox
from runhue_server.coloring.schedule import recheck_new_scales
from runhue_shared import db
from runhue_shared.db import colors, recolor
from runhue_shared.live import watch_key
from tests.integration.api.listening import Listener
from tests.integration.api.stored import Stored

BY_ACC = {"key": {"source": "metric", "name": "acc"}, "buckets": 4}


@pytest.fixture
def workspace(api: httpx.Client, project: Stored) -> str:
    """Address of the default workspace of a project with ten runs, colored by `acc`."""
    for number in range(10):
        project.add_run(f"r{number}", logged={"acc": number / 10}, config={"opt": "adam"})
    number = api.get(project.url).json()["default_workspace"]
    url = f"/api/v1/workspaces/{number}"
    answer = api.put(f"{url}/coloring/settings", json=BY_ACC, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    return url


def flush(project: Stored, *run_ids: int) -> None:
    """Have the coloring worker look at runs that changed."""
    recheck_new_scales(set())
    with db.transaction() as tx:
        colors.mark_runs(tx, project.id, run_ids)
        recolor.flush_scales(tx, [scale for (scale,) in tx.execute("SELECT id FROM scale").fetchall()])


def test_one_version_whole(api: httpx.Client, workspace: str) -> None:
    """Legend, counts and runs of one version, with both themes' colors."""
    answer = api.get(f"{workspace}/coloring", params={"theme": "dark"})

    page = Coloring.model_validate(answer.json())
    buckets = {run.run_id: run.bucket for run in page.runs}
    assert (page.population, page.valued, page.next) == (10, 10, None)
    assert [buckets[f"r{number}"] for number in range(10)] == [1, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert [bucket.count for bucket in page.legend.buckets] == [3, 2, 2, 3]
    assert all(run.color == run.colors.dark for run in page.runs)
    assert page.legend.buckets[0].color == page.legend.buckets[0].colors.dark
    legend = Legend.model_validate(api.get(f"{workspace}/coloring/legend", params={"theme": "dark"}).json())
    assert legend == page.legend


def test_conditional_reads(api: httpx.Client, project: Stored, workspace: str) -> None:
    """Who holds the version in force gets 304 without a body, until something changes."""
    first = api.get(f"{workspace}/coloring")
    etag = first.headers["etag"]

    for path in ("coloring", "coloring?limit=3&theme=dark", "coloring/legend"):
        same = api.get(f"{workspace}/{path}", headers={"If-None-Match": f'"other", {etag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)

    flush(project, project.add_run("r10", logged={"acc": 2.0}))
    after = api.get(f"{workspace}/coloring", headers={"If-None-Match": etag})
    assert after.status_code == 200
    assert after.headers["etag"] != etag
    assert after.json()["version"] == first.json()["version"] + 1


def test_pages_are_of_one_version(api: httpx.Client, project: Stored, workspace: str) -> None:
    """Pages pinned by `next` show the first page's version, whatever happens between them."""
    whole = api.get(f"{workspace}/coloring").json()
    first = api.get(f"{workspace}/coloring", params={"limit": 4}).json()

    flush(project, project.add_run("late", logged={"acc": 99.0}))
    runs, after = list(first["runs"]), first["next"]
    while after is not None:
        page = api.get(f"{workspace}/coloring", params={"limit": 4, "after": after}).json()
        assert (page["version"], page["legend"]["thresholds"]) == (
            whole["version"],
            whole["legend"]["thresholds"],
        )
        runs += page["runs"]
        after = page["next"]

    assert runs == whole["runs"]
    assert api.get(f"{workspace}/coloring").json()["population"] == 11


def test_a_version_that_is_gone(api: httpx.Client, workspace: str) -> None:
    """A version that is not stored any more, or not yet, is answered with the current one."""
    for version in (0, 99):
        answer = api.get(f"{workspace}/coloring", params={"version": version})

        assert (answer.status_code, answer.json()["code"]) == (410, "version_gone")
        assert answer.json()["current_version"] >= 1


@pytest.mark.parametrize("after", ["x", "1", "1.", "99999999999999999999.1", "2.3.4"])
def test_forged_places_are_refused(api: httpx.Client, workspace: str, after: str) -> None:
    """`after` is what a page gave."""
    assert api.get(f"{workspace}/coloring", params={"after": after}).json()["code"] == "invalid_cursor"


def test_chosen_runs(api: httpx.Client, workspace: str) -> None:
    """Runs asked for by id come alone; one outside of the population says so."""
    page = Coloring.model_validate(api.get(f"{workspace}/coloring", params={"runs": "r3,r7"}).json())

    assert {run.run_id for run in page.runs} == {"r3", "r7"}
    assert page.population == 10


def test_export_holds_all_runs(api: httpx.Client, workspace: str) -> None:
    """The export's first line is the version, then one run a line."""
    page = api.get(f"{workspace}/coloring").json()

    answer = api.get(f"{workspace}/coloring", headers={"Accept": "application/x-ndjson"})

    head, *runs = map(json.loads, answer.text.splitlines())
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert runs == page["runs"]
    assert head == {name: value for name, value in page.items() if name not in ("runs", "next")}


def test_settings_need_what_was_read(api: httpx.Client, workspace: str) -> None:
    """Two people cannot overwrite each other's settings unawares."""
    url = f"{workspace}/coloring/settings"
    read = api.get(url)
    etag = read.headers["etag"]

    assert api.put(url, json=BY_ACC).json()["code"] == "precondition_required"
    assert api.put(url, json=BY_ACC).status_code == 428
    mine = api.put(url, json={**BY_ACC, "buckets": 5}, headers={"If-Match": etag})
    theirs = api.put(url, json={**BY_ACC, "buckets": 6}, headers={"If-Match": etag})
    weak = api.put(url, json={**BY_ACC, "buckets": 6}, headers={"If-Match": f"W/{mine.headers['etag']}"})

    answer = SettingsInForce.model_validate(mine.json())
    assert (answer.settings.buckets, mine.headers["etag"]) == (5, api.get(url).headers["etag"])
    assert api.get(f"{workspace}/coloring").json()["version"] == answer.version
    assert (theirs.status_code, theirs.json()["code"]) == (412, "settings_changed")
    assert theirs.json()["settings_rev"] == answer.settings_rev
    assert weak.status_code == 412
    assert api.get(url, headers={"If-None-Match": mine.headers["etag"]}).status_code == 304
    revisions = Revisions.model_validate(api.get(f"{url}/history").json()).revisions
    assert [revision.settings.buckets for revision in revisions][:2] == [5, 4]
    assert revisions[0].set_by == "admin"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"buckets": 9}, "buckets"),
        ({"y": "mean"}, "y"),
        ({"palette": "rainbow"}, "palette"),
        ({"key": {"source": "metric"}}, "key"),
        ({"key": {"source": "metric", "name": "a", "type": "list"}}, "key.type"),
        ({"scale": "custom"}, "boundaries"),
        ({"overrides": {"r1": "red"}}, "overrides"),
        ({"colour": 1}, "colour"),
    ],
)
def test_invalid_settings(api: httpx.Client, workspace: str, settings: dict[str, Any], field: str) -> None:
    """Refused settings name their field, and the settings in force stay."""
    url = f"{workspace}/coloring/settings"
    before = api.get(url).json()

    answer = api.put(url, json=settings, headers={"If-Match": "*"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_settings")
    assert answer.json()["field"] == field
    assert api.get(url).json() == before


def test_legends_never_change(api: httpx.Client, them: httpx.Client, workspace: str) -> None:
    """A legend is found by its id, may be kept for a year, and is the team's own."""
    legend_id = api.get(f"{workspace}/coloring/legend").json()["legend_id"]

    answer = api.get(f"/api/v1/legends/{legend_id}")

    assert Legend.model_validate(answer.json()).legend_id == legend_id
    assert "max-age=31536000" in answer.headers["cache-control"]
    assert "immutable" in answer.headers["cache-control"]
    assert api.get("/api/v1/legends/none").json()["code"] == "legend_not_found"
    assert them.get(f"/api/v1/legends/{legend_id}").status_code == 404


def test_palettes(api: httpx.Client) -> None:
    """Every palette has its colors for 2 to 8 buckets on both themes, and says whom it serves."""
    palettes = Palettes.model_validate(api.get("/api/v1/palettes").json())

    assert [palette.name for palette in palettes.palettes] == ["default", "cvd-deuteranomaly", "cvd-other"]
    for palette in palettes.palettes:
        assert palette.serves
        assert {int(n): len(ramp) for n, ramp in palette.colors.light.items()} == {n: n for n in range(2, 9)}
    assert len(palettes.categorical) == 8


def test_color_keys(api: httpx.Client, project: Stored, workspace: str) -> None:
    """The Key dropdown lists metrics, config keys and the default metrics, with types and counts."""
    everything = ColorKeys.model_validate(api.get(f"{project.url}/color-keys").json()).keys
    some = ColorKeys.model_validate(api.get(f"{project.url}/color-keys", params={"search": "AC"}).json()).keys

    assert {key.source for key in everything} == {"default", "metric", "config"}
    assert [(key.source, key.name, key.type, key.runs, key.selectable) for key in some] == [
        ("metric", "acc", "number", 10, True)
    ]


def test_workspaces(api: httpx.Client, project: Stored, workspace: str) -> None:
    """Workspaces are made, changed and deleted; the default one stays."""
    url = f"{project.url}/workspaces"
    made = api.post(
        url, json={"name": "best", "filter": {"summary.acc": {"$gte": 0.5}}, "color_settings": BY_ACC}
    )
    number = made.json()["id"]
    mine = f"/api/v1/workspaces/{number}"

    assert (made.status_code, made.json()["filter"]) == (201, {"summary.acc": {"$gte": 0.5}})
    assert Coloring.model_validate(api.get(f"{mine}/coloring").json()).population == 5
    assert api.post(url, json={"name": "best"}).json()["code"] == "workspace_exists"
    edited = api.patch(mine, json={"search": "r9", "hidden_runs": ["r9"]}).json()
    assert (edited["search"], edited["hidden_runs"], edited["name"]) == ("r9", ["r9"], "best")
    assert Coloring.model_validate(api.get(f"{mine}/coloring").json()).population == 1
    listed = Workspaces.model_validate(api.get(url).json()).workspaces
    assert [(found.name, found.default) for found in listed] == [("default", True), ("best", False)]
    assert api.delete(mine).json() == {"deleted": True}
    assert api.get(mine).json()["code"] == "workspace_not_found"
    assert api.delete(workspace).json()["code"] == "default_workspace"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": ""}, "invalid_request", "name"),
        ({"name": "x", "filter": {"colour": 1}}, "invalid_filter", "filter.colour"),
        ({"name": "x", "filter": {"name": {"$regex": "("}}}, "invalid_filter", "name"),
        ({"name": "x", "search": "["}, "invalid_filter", "search"),
        ({"name": "x", "color_settings": {"buckets": 1}}, "invalid_settings", "color_settings.buckets"),
        ({"name": "x", "owner": "y"}, "invalid_request", "owner"),
    ],
)
def test_refused_workspaces(
    api: httpx.Client, project: Stored, body: dict[str, Any], code: str, field: str
) -> None:
    """A workspace that makes no sense is not made, and the field is named."""
    answer = api.post(f"{project.url}/workspaces", json=body)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)
    assert len(api.get(f"{project.url}/workspaces").json()["workspaces"]) == 1


def test_reading_marks_the_workspace_watched(api: httpx.Client, workspace: str, redis_url: str) -> None:
    """Whoever reads colors has them kept fresh."""
    api.get(f"{workspace}/coloring")

    deadline = time.monotonic() + 20
    with redis.Redis.from_url(redis_url) as client:
        while not client.exists(watch_key(int(workspace.rsplit("/", 1)[1]))):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_workspace_stream(api: httpx.Client, project: Stored, workspace: str, redis_url: str) -> None:
    """A workspace's stream has its own events; a version resumes where the stream reaches back to it."""
    other = api.post(f"{project.url}/workspaces", json={"name": "other"}).json()["id"]
    with redis.Redis.from_url(redis_url) as client:
        publish_outbox(client)
        version = api.get(f"{workspace}/coloring").json()["version"]
        listener = Listener(api, f"{workspace}/coloring/stream")
        listener.wait_joined()
        for number in range(3):
            flush(project, project.add_run(f"new{number}", logged={"acc": 10.0 + number}))
            publish_outbox(client)

        versions = [json.loads(event.data)["version"] for event in listener.wait_for(3)]
        resumed = Listener(api, f"{workspace}/coloring/stream", params={"since": str(version + 1)})
        fresh = Listener(api, f"{workspace}/coloring/stream", params={"since": str(version + 3)})
        unknown = Listener(api, f"/api/v1/workspaces/{other}/coloring/stream", params={"since": "77"})

        assert versions == [version + 1, version + 2, version + 3]
        assert {event.type for event in listener.events} == {"coloring.updated"}
        assert [json.loads(event.data)["version"] for event in resumed.wait_for(2)] == versions[1:]
        fresh.wait_joined()
        assert fresh.events == []
        assert unknown.wait_for(1)[0].type == "reset"


def test_other_teams_see_no_workspace(them: httpx.Client, project: Stored, workspace: str) -> None:
    """A workspace of another team is not there, on any route."""
    for method, path in [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/coloring"), ("GET", "/coloring/legend"),
        ("GET", "/coloring/settings"), ("PUT", "/coloring/settings"), ("GET", "/coloring/settings/history"),
        ("GET", "/coloring/stream"),
    ]:  # fmt: skip
        body: dict[str, Any] | None = {} if method in ("PATCH", "PUT") else None
        answer = them.request(method, f"{workspace}{path}", json=body, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (404, "workspace_not_found"), (method, path)
