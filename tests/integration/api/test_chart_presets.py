"""Chart presets: built in, and a team's own, checked before they are kept."""

from typing import Any

import httpx
import pytest

from runhue_server.api.models_charts import Preset, Presets
from runhue_shared import db
from runhue_shared.db import custom_charts
from tests.integration.api.stored import Team, bearer

URL = "/api/v1/teams/ours/chart-presets"
SPEC: dict[str, Any] = {
    "data": {"name": "wandb"},
    "mark": "bar",
    "encoding": {
        "x": {"field": "${field:x}", "type": "quantitative", "title": "${string:xname}"},
        "y": {"field": "${field:y}", "type": "nominal"},
    },
}


def test_a_team_keeps_so_many(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One preset more than a team may have is refused; one that is there counts once."""
    monkeypatch.setattr(custom_charts, "MOST", 2)
    codes = [api.post(URL, json={"name": name, "spec": SPEC}).json().get("code") for name in "abca"]

    assert codes == [None, None, "too_many_presets", "preset_exists"]


def test_presets_are_made_read_changed_and_deleted(api: httpx.Client, teams: tuple[Team, Team]) -> None:
    """A preset has its own id, says what it asks for, and can be changed and deleted."""
    made = api.post(URL, json={"name": "my bars", "title": "Bars", "description": "d", "spec": SPEC})
    assert made.status_code == 201, made.text
    preset = Preset.model_validate(made.json())
    assert (preset.id, preset.title, preset.description) == ("ours/my bars", "Bars", "d")
    assert (preset.library, preset.fields, preset.strings) == ("vega-lite", ["x", "y"], ["xname"])
    assert (preset.spec, preset.built_in, preset.refused) == (SPEC, False, None)
    assert Preset.model_validate(api.get(f"{URL}/ours/my bars").json()) == preset

    again = api.post(URL, json={"name": "my bars", "spec": SPEC})
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (409, "preset_exists", "name")

    for _ in range(2):
        changed = api.put(f"{URL}/ours/my bars", json={"spec": SPEC | {"mark": "line"}})
        assert (changed.status_code, changed.json()["spec"]["mark"]) == (200, "line")
        assert (changed.json()["title"], changed.json()["description"]) == ("my bars", "")
    listed = Presets.model_validate(api.get(URL).json()).presets
    assert listed[0].built_in
    assert [one.id for one in listed if not one.built_in] == ["ours/my bars"]

    answers = [api.delete(f"{URL}/ours/my bars").json() for _ in range(2)]
    assert answers == [{"deleted": True}, {"deleted": False}]
    assert api.get(f"{URL}/ours/my bars").json()["code"] == "preset_not_found"
    assert api.put(f"{URL}/ours/my bars", json={"spec": SPEC}).status_code == 404


def test_built_in_presets_stay(api: httpx.Client) -> None:
    """A built-in preset is read under its id, slashes and all, and cannot be changed or deleted."""
    line = Preset.model_validate(api.get(f"{URL}/wandb/line/v0").json())

    assert (line.id, line.built_in, line.fields, line.strings) == (
        "wandb/line/v0", True, ["x", "y", "stroke"], ["title"],
    )  # fmt: skip
    assert line.spec["data"] == {"name": "wandb"}
    refused = [api.put(f"{URL}/wandb/line/v0", json={"spec": SPEC}), api.delete(f"{URL}/wandb/line/v0")]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "preset_built_in")] * 2


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"spec": SPEC}, 422, "invalid_request", "name"),
        ({"name": "a/b", "spec": SPEC}, 422, "invalid_request", "name"),
        ({"name": "a", "spec": "{}"}, 422, "invalid_request", "spec"),
        ({"name": "a", "spec": {}}, 422, "invalid_preset", "spec"),
        ({"name": "a", "spec": SPEC | {"mark": "lin"}}, 422, "invalid_preset", "spec.mark"),
        ({"name": "a", "spec": SPEC | {"data": {"url": "http://x/"}}}, 422, "preset_loads", "spec.data.url"),
        ({"name": "a", "spec": SPEC | {"description": "x" * 270_000}}, 422, "invalid_preset", "spec"),
        ({"name": "a", "spec": SPEC | {"description": "x" * 1_100_000}}, 413, "body_too_large", "body"),
        ({"name": "a", "spec": SPEC, "more": 1}, 422, "invalid_request", "more"),
    ],
)  # fmt: skip
def test_what_is_no_preset_is_refused(
    api: httpx.Client, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    """A refusal names the place in the spec, and nothing is kept."""
    answer = api.post(URL, json=body)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, field)
    assert [one for one in api.get(URL).json()["presets"] if not one["built_in"]] == []


def test_presets_are_their_teams(
    api: httpx.Client, them: httpx.Client, api_url: str, teams: tuple[Team, Team]
) -> None:
    """Other teams see no preset of ours; changing needs a key that may change things."""
    assert api.post(URL, json={"name": "own", "spec": SPEC}).status_code == 201

    assert them.get(URL).json()["code"] == "team_not_found"
    assert them.get("/api/v1/teams/theirs/chart-presets/ours/own").status_code == 404
    assert them.delete("/api/v1/teams/theirs/chart-presets/ours/own").status_code == 404
    with httpx.Client(base_url=api_url, headers=bearer(teams[0].reader)) as reader:
        assert reader.get(f"{URL}/ours/own").status_code == 200
        assert reader.post(URL, json={"name": "two", "spec": SPEC}).status_code == 403
        assert reader.delete(f"{URL}/ours/own").status_code == 403
    with httpx.Client(base_url=api_url, headers=bearer(teams[0].writer)) as writer:
        assert writer.put(f"{URL}/ours/own", json={"spec": SPEC}).status_code == 200


def test_presets_of_the_wandb_client_say_what_is_wrong(api: httpx.Client, teams: tuple[Team, Team]) -> None:
    """A preset that was kept unchecked is listed with the reason for which it is not drawn."""
    with db.transaction() as tx:
        custom_charts.put(tx, teams[0].id, "odd", "Odd", "private", '{"mark": "lin"}')

    preset = Preset.model_validate(api.get(f"{URL}/ours/odd").json())

    assert (preset.title, preset.library) == ("Odd", None)
    assert preset.refused is not None
    assert (preset.refused.code, preset.refused.field) == ("invalid_preset", "spec.data")
