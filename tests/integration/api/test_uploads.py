"""Files in parts over the API, and what a project is set to."""

import hashlib
import os
from typing import Any

import httpx
import pytest

from runhue_server.api.models_files import File
from runhue_server.api.models_project_settings import ProjectSettings
from runhue_server.api.models_uploads import FileUpload, PartStored, UploadGivenUp
from runhue_server.storage import parts
from runhue_shared import db
from tests.integration.api.stored import Stored, Team, bearer

CONTENT = os.urandom(2_500)
PART_BYTES = 1_000


@pytest.fixture
def uploads(project: Stored, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a run's uploads, whose parts are small."""
    monkeypatch.setattr(parts, "SMALLEST_PART", PART_BYTES)
    project.add_run("r1")
    return f"{project.url}/runs/r1/uploads"


def new(**fields: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return {"path": "a/model.bin", "size": len(CONTENT), "sha256": sha256, **fields}


def begin(api: httpx.Client, uploads: str, **fields: Any) -> FileUpload:
    return FileUpload.model_validate(api.post(uploads, json=new(**fields)).json())


def put_part(api: httpx.Client, address: str, number: int, content: bytes = CONTENT) -> httpx.Response:
    body = content[(number - 1) * PART_BYTES : number * PART_BYTES]
    return api.put(f"{address}/parts/{number}", content=body)


def test_a_file_in_parts(api: httpx.Client, uploads: str) -> None:
    """A file comes in parts, out of order and after a second beginning, and is then a file like any other."""
    first = begin(api, uploads)
    assert (first.parts, first.part_bytes, first.missing, first.stored) == (3, 1_000, [1, 2, 3], False)
    address = f"{uploads}/{first.id}"
    for _ in range(2):
        told = PartStored.model_validate(put_part(api, address, 3).json())
    assert (told.number, told.size) == (3, 500)
    assert told.md5 == hashlib.md5(CONTENT[2_000:], usedforsecurity=False).hexdigest()
    early = api.post(f"{address}/complete")
    assert (early.status_code, early.json()["code"], early.json()["missing"]) == (
        409,
        "parts_missing",
        [1, 2],
    )

    assert begin(api, uploads).missing == [1, 2]
    for number in (2, 1):
        put_part(api, address, number)
    assert FileUpload.model_validate(api.get(address).json()).missing == []
    for _ in range(2):
        file = File.model_validate(api.post(f"{address}/complete").json())

    assert (file.path, file.size, file.sha256) == ("a/model.bin", 2_500, hashlib.sha256(CONTENT).hexdigest())
    assert api.get(f"{uploads}/../files/a/model.bin").content == CONTENT
    assert FileUpload.model_validate(api.get(address).json()).stored


def test_known_bytes_need_no_parts(api: httpx.Client, uploads: str) -> None:
    """Bytes that the team has become the file at once."""
    assert api.put(f"{uploads}/../files/other", content=CONTENT).status_code == 200

    begun = begin(api, uploads)

    assert (begun.stored, begun.missing) == (True, [])
    assert api.get(f"{uploads}/../files/a/model.bin").content == CONTENT
    assert api.post(f"{uploads}/{begun.id}/complete").status_code == 200


def test_without_a_hash(api: httpx.Client, uploads: str) -> None:
    """Without a hash each beginning is an upload of its own, so that parts of two files never mix."""
    one, other = begin(api, uploads, sha256=None), begin(api, uploads, sha256=None)
    assert one.id != other.id
    for number in (1, 2, 3):
        put_part(api, f"{uploads}/{one.id}", number)

    assert api.post(f"{uploads}/{one.id}/complete").json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert api.post(f"{uploads}/{other.id}/complete").json()["code"] == "parts_missing"


def test_give_up(api: httpx.Client, uploads: str) -> None:
    """An upload that was given up is not there any more; twice is as once."""
    begun = begin(api, uploads)
    put_part(api, f"{uploads}/{begun.id}", 1)

    for deleted in (True, False):
        answer = api.delete(f"{uploads}/{begun.id}").json()
        assert UploadGivenUp.model_validate(answer).deleted is deleted

    assert api.get(f"{uploads}/{begun.id}").json()["code"] == "upload_not_found"
    assert put_part(api, f"{uploads}/{begun.id}", 1).json()["code"] == "upload_not_found"


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"size": -1}, 422, "size"),
        ({"size": 2**62}, 413, "size"),
        ({"sha256": "xyz"}, 422, "sha256"),
        ({"path": "../a"}, 422, "path"),
        ({"path": ""}, 422, "path"),
        ({"mimetype": "text/html\r\nX: y"}, 422, "mimetype"),
        ({"parts": 3}, 422, "parts"),
    ],
)
def test_refused(api: httpx.Client, uploads: str, fields: dict[str, Any], status: int, field: str) -> None:
    """What cannot become a file is refused before any part comes, with the field."""
    answer = api.post(uploads, json=new(**fields))

    assert (answer.status_code, answer.json()["field"]) == (status, field)


@pytest.mark.parametrize("body", [b"", b"x" * 999, b"x" * 1_001, b"x" * 50_000])
def test_wrong_length(api: httpx.Client, uploads: str, body: bytes) -> None:
    """A part of another length than its place says is refused with the length that it must have."""
    begun = begin(api, uploads)

    answer = api.put(f"{uploads}/{begun.id}/parts/1", content=body)

    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (
        422,
        "wrong_part_size",
        1_000,
    )
    for number, status in ((0, 422), (4, 404), (10_001, 422)):
        assert put_part(api, f"{uploads}/{begun.id}", number).status_code == status


def test_wrong_bytes(api: httpx.Client, uploads: str) -> None:
    """Parts of another file make none; Content-MD5 is held against a part."""
    address = f"{uploads}/{begin(api, uploads).id}"
    md5 = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert api.put(f"{address}/parts/1", content=b"x" * 1_000, headers=md5).json()["code"] == "hash_mismatch"
    for number in (1, 2, 3):
        put_part(api, address, number, b"x" * 2_500)

    answer = api.post(f"{address}/complete")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "hash_mismatch",
        "sha256",
    )
    assert FileUpload.model_validate(api.get(address).json()).missing == [1, 2, 3]


def test_uploads_of_others(
    api: httpx.Client, them: httpx.Client, project: Stored, teams: tuple[Team, Team], uploads: str
) -> None:
    """An upload is known in its run only, and keys that read do not put."""
    address = f"{uploads}/{begin(api, uploads).id}"
    project.add_run("r2")
    elsewhere = address.replace("/r1/", "/r2/")

    assert api.get(elsewhere).json()["code"] == "upload_not_found"
    assert put_part(api, elsewhere, 1).json()["code"] == "upload_not_found"
    assert api.delete(elsewhere).json() == {"deleted": False}
    assert them.get(address).status_code == 404
    assert api.post(uploads, json=new(), headers=bearer(teams[0].reader)).status_code == 403
    assert api.get(address).status_code == 200


def test_settings_of_a_project(api: httpx.Client, project: Stored) -> None:
    """Media are kept for ever and HTML loads nothing, until that is changed, one by one."""
    address = f"{project.url}/settings"
    assert api.get(address).json() == {"media_retention_days": None, "html_network": False}

    for _ in range(2):
        changed = api.patch(address, json={"media_retention_days": 30})
        assert ProjectSettings.model_validate(changed.json()).media_retention_days == 30
    assert api.patch(address, json={"html_network": True}).status_code == 200
    assert api.get(address).json() == {"media_retention_days": 30, "html_network": True}
    assert api.patch(address, json={"media_retention_days": None}).json()["media_retention_days"] is None
    assert api.patch(address, json={}).json() == {"media_retention_days": None, "html_network": True}


@pytest.mark.parametrize(
    "body",
    [
        {"media_retention_days": 0},
        {"media_retention_days": 36_501},
        {"media_retention_days": "7"},
        {"media_retention_days": 1.5},
        {"html_network": None},
        {"html_network": "yes"},
        {"media_retention": 7},
    ],
)
def test_bad_settings(api: httpx.Client, project: Stored, body: dict[str, Any]) -> None:
    """What is no setting is refused by name, and nothing changes."""
    answer = api.patch(f"{project.url}/settings", json=body)

    assert (answer.status_code, answer.json()["field"].partition(".")[0]) == (422, next(iter(body)))
    assert api.get(f"{project.url}/settings").json() == {"media_retention_days": None, "html_network": False}


def test_who_may_change_settings(
    api: httpx.Client, them: httpx.Client, project: Stored, teams: tuple[Team, Team]
) -> None:
    """A key that logs must not remove what others logged: settings need one with scope admin."""
    address = f"{project.url}/settings"
    for key in (teams[0].reader, teams[0].writer):
        assert api.patch(address, json={}, headers=bearer(key)).status_code == 403
    assert api.get(address, headers=bearer(teams[0].reader)).status_code == 200
    assert them.get(address).status_code == 404


def test_expired_file(api: httpx.Client, uploads: str) -> None:
    """A file that expired answers 410 with the setting's name, and is in no list."""
    files = uploads.replace("/uploads", "/files")
    api.put(f"{files}/media/images/a.png", content=b"abc")
    with db.transaction() as tx:
        tx.execute("UPDATE run_file SET sha256 = NULL, expired_at = now()")

    answer = api.get(f"{files}/media/images/a.png")

    assert (answer.status_code, answer.json()["code"]) == (410, "file_expired")
    assert "media_retention_days" in answer.json()["detail"]
    assert api.get(files).json()["files"] == []
    api.put(f"{files}/media/images/a.png", content=b"abc")
    assert api.get(f"{files}/media/images/a.png").content == b"abc"
