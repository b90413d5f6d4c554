"""Files of runs, as the wandb client asks for them."""

import base64
import hashlib
from typing import Any

import httpx
import pytest

from runhue_server.gateway import ids
from runhue_server.storage.targets import RunFileAt, settle
from runhue_shared import db
from runhue_shared.blobs.store import StoredBlob
from runhue_shared.settings import Settings
from tests.integration.gateway.conftest import Client, key_of
from tests.integration.storage.logged_run import LoggedRun, log_run

CREATE = """mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    runID uploadHeaders files { name uploadUrl } } }"""
MARK = """mutation MarkRunFilesUploaded(
    $entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  markRunFilesUploaded(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    success } }"""
DELETE = """mutation deleteFiles($files: [ID!]!, $projectId: Int) {
  deleteFiles(input: {files: $files, projectId: $projectId}) { success } }"""
RUN_FILES = """query RunFiles($project: String!, $entity: String!, $name: String!, $fileCursor: String,
    $fileLimit: Int = 50, $fileNames: [String] = [], $upload: Boolean = false, $pattern: String) {
  project(name: $project, entityName: $entity) { internalId
    run(name: $name) { fileCount ...RunFilesFragment } } }
fragment RunFilesFragment on Run {
  files(names: $fileNames, after: $fileCursor, first: $fileLimit, pattern: $pattern) {
    edges { node { id name url(upload: $upload) directUrl sizeBytes mimetype updatedAt md5 } cursor }
    pageInfo { endCursor hasNextPage } } }"""
PLACE = {"entity": "main", "project": "digits"}


@pytest.fixture
def run(server_settings: Settings) -> LoggedRun:
    """Run r1 of project digits of team main."""
    return log_run(server_settings)


def upload(client: Client, *names: str) -> None:
    """Put files, the name as content."""
    answer = client.ask(CREATE, **PLACE, run="r1", files=list(names))["createRunFiles"]
    for name, file in zip(names, answer["files"], strict=True):
        assert file["name"] == name
        assert httpx.put(file["uploadUrl"], content=name.encode()).status_code == 200


def listed(client: Client, **variables: Any) -> dict[str, Any]:
    """The run in the answer to RunFiles."""
    found: dict[str, Any] = client.ask(RUN_FILES, **PLACE, name="r1", **variables)["project"]["run"]
    return found


def names_of(run: dict[str, Any]) -> list[str]:
    return [edge["node"]["name"] for edge in run["files"]["edges"]]


def test_put_list_get(client: Client, run: LoggedRun, url: str) -> None:
    """A file that was put is listed with all that the client reads of it, and is read at both addresses."""
    answer = client.ask(CREATE, **PLACE, run="r1", files=["a b/ü.txt"])["createRunFiles"]
    assert answer["runID"] == ids.encode("Run", run.id)
    assert answer["uploadHeaders"] == []
    assert answer["files"][0]["uploadUrl"].startswith(f"{url}/storage/")
    upload(client, "a b/ü.txt")

    (edge,) = listed(client)["files"]["edges"]
    node = edge["node"]
    content = "a b/ü.txt".encode()
    assert (node["name"], int(node["sizeBytes"]), node["mimetype"]) == (
        "a b/ü.txt",
        len(content),
        "text/plain",
    )
    assert node["md5"] == base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    assert node["updatedAt"].endswith("Z")
    assert node["url"] == f"{url}/files/main/digits/r1/a%20b/%C3%BC.txt"
    assert client.http.get(node["url"]).content == content
    assert httpx.get(node["directUrl"]).content == content


def test_many_files_at_once(client: Client, run: LoggedRun) -> None:
    """A thousand names get a thousand different addresses in their order."""
    names = [f"media/{number:04}.png" for number in range(1000)]

    files = client.ask(CREATE, **PLACE, run="r1", files=names)["createRunFiles"]["files"]

    assert [file["name"] for file in files] == names
    assert len({file["uploadUrl"] for file in files}) == 1000


def test_a_thousand_files_page(client: Client, run: LoggedRun) -> None:
    """Every file is on one page exactly, in the order of paths, and all are counted."""
    names = [f"media/{number:04}.png" for number in range(1000)]
    blob = StoredBlob(hashlib.sha256(b"").digest(), b"x" * 16, 0)
    with db.transaction() as tx:
        for name in names:
            settle(tx, run.team_id, RunFileAt(run.id, name, "image/png"), blob)

    found: list[str] = []
    cursor = None
    while True:
        page = listed(client, fileLimit=300, fileCursor=cursor)
        found += names_of(page)
        if not page["files"]["pageInfo"]["hasNextPage"]:
            break
        cursor = page["files"]["edges"][-1]["cursor"]
    assert found == names
    assert page["fileCount"] == 1000


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/abs", "abs"),
        ("a//b/./c", "a//b/./c"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\x01b", "a\ufffdb"),
        ("x" * 2000, "x" * 1024),
    ],
)
def test_odd_names(client: Client, run: LoggedRun, name: str, path: str) -> None:
    """A name that no file can have is made one, so that its content is not lost."""
    upload(client, "good", name)

    assert sorted(names_of(listed(client))) == sorted(["good", path])
    (node,) = (edge["node"] for edge in listed(client, fileNames=[name])["files"]["edges"])
    assert int(node["sizeBytes"]) == len(name.encode())


def test_named_files_keep_their_order(client: Client, run: LoggedRun) -> None:
    """Files asked for by name come in that order; one that is not there has the MD5 that the client knows."""
    upload(client, "a", "b", "c")

    first = listed(client, fileNames=["c", "none", "a"], fileLimit=2)
    second = listed(
        client, fileNames=["c", "none", "a"], fileLimit=2, fileCursor=first["files"]["edges"][-1]["cursor"]
    )

    assert names_of(first) + names_of(second) == ["c", "none", "a"]
    missing = first["files"]["edges"][1]["node"]
    assert (missing["md5"], missing["sizeBytes"], missing["updatedAt"]) == ("0", "0", None)
    assert client.http.get(missing["url"]).status_code == 404
    assert (first["files"]["pageInfo"]["hasNextPage"], second["files"]["pageInfo"]["hasNextPage"]) == (
        True,
        False,
    )


def test_patterns(client: Client, run: LoggedRun) -> None:
    """A pattern is SQL's: % for anything, _ for one character."""
    upload(client, "media/a.png", "media/b.jpg", "config.yaml", "odd\\")

    assert names_of(listed(client, pattern="media/%")) == ["media/a.png", "media/b.jpg"]
    assert names_of(listed(client, pattern="%.___")) == ["media/a.png", "media/b.jpg"]
    assert names_of(listed(client, pattern="%\\")) == ["odd\\"]


def test_deleting(client: Client, other_team: Client, run: LoggedRun) -> None:
    """Files are deleted by their ids, twice with one effect, and only by their team."""
    upload(client, "a", "b")
    (first, second) = (edge["node"]["id"] for edge in listed(client)["files"]["edges"])

    for _ in range(2):
        assert other_team.ask(DELETE, files=[first])["deleteFiles"]["success"] is True
        deleted = client.ask(DELETE, files=[second, "nonsense", ids.encode("Run", 1)], projectId=run.id)
        assert deleted["deleteFiles"]["success"] is True

    assert names_of(listed(client)) == ["a"]


def test_marking_is_fine_when_nothing_waits(client: Client, run: LoggedRun) -> None:
    """Files that came through this server are known already."""
    upload(client, "a")

    answer = client.ask(MARK, **PLACE, run="r1", files=["a", "never came"])

    assert answer["markRunFilesUploaded"]["success"] is True
    assert names_of(listed(client)) == ["a"]


def test_addresses_to_put_by_listing(client: Client, run: LoggedRun, url: str) -> None:
    """Old clients ask for the address to put a file by its name; keys that only read get none."""
    (edge,) = listed(client, fileNames=["new.txt"], upload=True)["files"]["edges"]
    assert httpx.put(edge["node"]["url"], content=b"abc").status_code == 200
    assert names_of(listed(client)) == ["new.txt"]

    reader = Client(url, key_of("main", "read"))
    with reader.http:
        answer = reader.post(RUN_FILES, **PLACE, name="r1", fileNames=["x"], upload=True).json()
    assert "errors" in answer


def test_runs_that_are_not_there(client: Client, other_team: Client, run: LoggedRun) -> None:
    """Without the run, or for another team, there are no addresses."""
    for asking, entity, name in (
        (client, "main", "r2"),
        (client, "nobody", "r1"),
        (other_team, "main", "r1"),
    ):
        answer = asking.post(CREATE, entity=entity, project="digits", run=name, files=["a"])
        assert answer.status_code == 404
        assert answer.json()["errors"]


def test_too_many_names(client: Client, run: LoggedRun) -> None:
    """There is a limit to how many addresses are made at once."""
    answer = client.post(CREATE, **PLACE, run="r1", files=["a"] * 10_001)

    assert "10001 files at once" in answer.json()["errors"][0]["message"]


def test_download_route_leaves_file_stream_alone(client: Client, run: LoggedRun) -> None:
    """A post of lines is no download, and a download of that name is no post."""
    answer = client.http.post("/files/main/digits/r1/file_stream", json={})
    assert answer.status_code == 200, answer.text

    assert client.http.get("/files/main/digits/r1/file_stream").status_code == 404
