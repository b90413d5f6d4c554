"""Keys over HTTP: made, used, rotated, revoked, and kept to one project."""

import httpx
import pytest

from runhue_server.web.auth import key_cache
from tests.integration.api.stored import Stored


def with_key(api: httpx.Client, key: str) -> httpx.Client:
    return httpx.Client(base_url=api.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def make(api: httpx.Client, **wanted: object) -> str:
    answer = api.post("/api/v1/keys", json={"name": "made", "scopes": ["read"], **wanted})
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["key"]
    return key


def newest(api: httpx.Client) -> int:
    found: int = api.get("/api/v1/keys").json()["keys"][0]["id"]
    return found


def test_a_made_key_works_within_its_scopes(api: httpx.Client) -> None:
    """It has 40 characters, reads, and changes nothing."""
    key = make(api)

    with with_key(api, key) as reader:
        assert len(key) == 40
        assert reader.get("/api/v1/viewer").json()["key_name"] == "made"
        assert reader.post("/api/v1/projects", json={"name": "new"}).status_code == 403
        assert reader.get("/api/v1/keys").status_code == 403


def test_a_key_of_one_project_reaches_no_other(api: httpx.Client, project: Stored) -> None:
    """Other projects and the team's keys are not there for it."""
    api.post("/api/v1/projects", json={"name": "other"})
    key = make(api, scopes=["admin"], project="mnist")

    with with_key(api, key) as scoped:
        assert [one["name"] for one in scoped.get("/api/v1/projects").json()["projects"]] == ["mnist"]
        assert scoped.get("/api/v1/projects/ours/mnist").status_code == 200
        assert scoped.get("/api/v1/projects/ours/other").status_code == 404
        assert scoped.post("/api/v1/projects", json={"name": "third"}).status_code == 403
        assert scoped.get("/api/v1/keys").status_code == 403


def test_a_workspace_of_another_project_is_not_there(api: httpx.Client, project: Stored) -> None:
    """Ids tell nothing: a workspace belongs to its project."""
    api.post("/api/v1/projects", json={"name": "other"})
    other = api.get("/api/v1/projects/ours/other").json()["default_workspace"]
    key = make(api, project="mnist")

    with with_key(api, key) as scoped:
        assert scoped.get(f"/api/v1/workspaces/{other}").status_code == 404


def test_rotation_replaces_a_key_and_lets_the_old_one_go_on(api: httpx.Client) -> None:
    """Both work during the overlap; without one the old key ends at once."""
    old = make(api)
    old_id = newest(api)

    new = api.post(f"/api/v1/keys/{old_id}/rotate", json={"overlap_hours": 1}).json()["key"]
    last = api.post(f"/api/v1/keys/{newest(api)}/rotate", json={"overlap_hours": 0}).json()["key"]

    key_cache.cache_clear()
    states = []
    for key in (old, new, last):
        with with_key(api, key) as client:
            states.append(client.get("/api/v1/viewer").status_code)
    assert states == [200, 401, 200]
    listed = {key["id"]: key for key in api.get("/api/v1/keys").json()["keys"]}
    assert listed[old_id]["replaced_by"] in listed


def test_revoking_twice_has_one_effect(api: httpx.Client) -> None:
    """A revoked key is refused, stays listed, and cannot be rotated."""
    key = make(api)
    key_id = newest(api)

    answers = [api.delete(f"/api/v1/keys/{key_id}").status_code for _ in range(2)]

    assert answers == [204, 204]
    with with_key(api, key) as client:
        assert client.get("/api/v1/viewer").status_code == 401
    assert api.post(f"/api/v1/keys/{key_id}/rotate", json={}).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "scopes": ["read"], "team": "theirs"}, "team"),
    ],
)
def test_bad_keys_are_refused_by_field(api: httpx.Client, body: dict[str, object], field: str) -> None:
    """Each refusal names the field."""
    answer = api.post("/api/v1/keys", json=body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
