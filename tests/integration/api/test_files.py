"""Files of runs over the API."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runhue_server.api.models_files import File, FileDeleted, Files
from runhue_server.api.requests import MAX_BODY_BYTES
from tests.integration.api.stored import Stored, Team, bearer


@pytest.fixture
def files(project: Stored) -> str:
    """Address of a run's files."""
    project.add_run("r1")
    return "/api/v1/projects/ours/mnist/runs/r1/files"


def test_put_read_delete(api: httpx.Client, files: str) -> None:
    """A file is put, told of, read whole and in part, and deleted; each of it twice."""
    content = os.urandom(3_000_000)
    for _ in range(2):
        put = File.model_validate(api.put(f"{files}/model/best one.bin", content=content).json())
    assert (put.path, put.size, put.sha256, put.md5) == (
        "model/best one.bin",
        len(content),
        hashlib.sha256(content).hexdigest(),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )

    assert api.get(f"{files}/model/best one.bin").content == content
    part = api.get(f"{files}/model/best one.bin", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    head = api.head(f"{files}/model/best one.bin")
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(content)), f'"{put.sha256}"')

    for deleted in (True, False):
        answer = FileDeleted.model_validate(api.delete(f"{files}/model/best one.bin").json())
        assert answer.deleted is deleted
    assert api.get(f"{files}/model/best one.bin").json()["code"] == "file_not_found"


def test_pages(api: httpx.Client, files: str) -> None:
    """Every file is on one page exactly, in the order of paths, and a prefix narrows the list."""
    for path in ("b", "a/2", "a/1", "ä", "B"):
        assert api.put(f"{files}/{path}", content=path.encode()).status_code == 200

    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = Files.model_validate(api.get(files, params={"limit": 2, "after": after}).json())
        found += [file.path for file in page.files]
        after = page.next
    assert found == ["B", "a/1", "a/2", "b", "ä"]
    inside = Files.model_validate(api.get(files, params={"prefix": "a/"}).json())
    assert [file.path for file in inside.files] == ["a/1", "a/2"]


@pytest.mark.parametrize(
    ("path", "sent", "stored"),
    [
        ("a.png", None, "image/png"),
        ("a.png", "application/x-www-form-urlencoded", "image/png"),
        ("a.png", "text/plain; charset=utf-8", "text/plain"),
        ("a", None, "application/octet-stream"),
        ("a.log", None, "text/plain"),
        ("a.yaml", None, "application/yaml"),
    ],
)
def test_types(api: httpx.Client, files: str, path: str, sent: str | None, stored: str) -> None:
    """The type is what the client says, else what the path tells."""
    headers = {} if sent is None else {"Content-Type": sent}

    answer = api.put(f"{files}/{path}", content=b"abc", headers=headers)

    assert File.model_validate(answer.json()).mimetype == stored
    assert api.get(f"{files}/{path}").headers["content-type"].startswith(stored)


@pytest.mark.parametrize("path", ["a/%2e%2e/b", "%2e%2e/b", "a%00b", "a%0Ab", "%2Fetc", "x" * 1025])
def test_refused_paths(api: httpx.Client, files: str, path: str) -> None:
    """A path that leaves the run or is no text is refused, or is no file's address at all."""
    answer = api.send(
        api.build_request("PUT", httpx.URL(str(api.base_url) + f"{files}/{path}"), content=b"a")
    )

    assert answer.status_code in (404, 405, 422), answer.text
    assert Files.model_validate(api.get(files).json()).files == []


def test_bodies_are_not_held_to_the_limit_of_json(api: httpx.Client, files: str) -> None:
    """A file may be larger than any other body, come in pieces, and hold anything."""

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 10_000 + 2):
            yield b"[" * 10_000

    answer = api.put(f"{files}/deep.json", content=pieces())

    assert File.model_validate(answer.json()).size > MAX_BODY_BYTES


def test_who_may(api_url: str, api: httpx.Client, files: str, teams: tuple[Team, Team]) -> None:
    """Readers read, writers write, and nobody else learns anything."""
    api.put(f"{files}/a", content=b"abc")
    reader, theirs = bearer(teams[0].reader), bearer(teams[1].admin)

    assert httpx.get(f"{api_url}{files}/a", headers=reader).content == b"abc"
    assert httpx.put(f"{api_url}{files}/a", headers=reader, content=b"x").status_code == 403
    for method in ("GET", "PUT", "DELETE"):
        answer = httpx.request(method, f"{api_url}{files}/a", headers=theirs)
        assert answer.json()["code"] == "project_not_found"


def test_content_md5(api: httpx.Client, files: str) -> None:
    """A body that arrived other than it was sent is refused."""
    answer = api.put(f"{files}/a", content=b"abc", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})

    assert (answer.status_code, answer.json()["code"]) == (422, "hash_mismatch")


def test_no_bytes_stay_of_a_refused_file(
    api: httpx.Client, files: str, server_settings: object, tmp_path: Path
) -> None:
    """A refused upload leaves nothing on disk."""
    test_content_md5(api, files)

    assert not [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()]
