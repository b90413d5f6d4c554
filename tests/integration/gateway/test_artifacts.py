"""Artifacts from the wish to log to a version that reads back, as the wandb client asks for it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runhue_server.gateway import ids
from runhue_shared import db
from runhue_shared.db import projects
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import (
    COMMIT,
    CREATE,
    FILE_LIST,
    PLACE,
    Logger,
    base64_of,
    digest_of,
    manifest_of,
    md5_of,
)
from tests.integration.gateway.conftest import Client, key_of
from tests.integration.storage.logged_run import LoggedRun, log_run

CLIENT_ID = "query ClientIDMapping($clientID: ID!) { clientIDMapping(clientID: $clientID) { serverID } }"
OF_RUN = """query RunArtifacts($entity: String!, $project: String!, $run: String!) {
  project(name: $project, entityName: $entity) { run(name: $run) {
    outputArtifacts(first: 50) { ...Listed } inputArtifacts(first: 50) { ...Listed } } } }
fragment Listed on ArtifactConnection {
  totalCount edges { node { artifactSequence { name } versionIndex } } }"""
USE = """mutation UseArtifact($input: UseArtifactInput!) { useArtifact(input: $input) {
  artifact { id digest description state createdAt metadata } } }"""
USERS = """query Users($id: ID!) { artifact(id: $id) {
  usedBy { edges { node { id name project { name entity { name } } } } }
  createdBy { __typename ... on Run { name project { name } } } } }"""
MANIFEST_URL = "query Manifest($id: ID!) { artifact(id: $id) { currentManifest { file { directUrl } } } }"


@pytest.fixture
def run(server_settings: Settings) -> LoggedRun:
    """Run r1 of project digits of team main."""
    return log_run(server_settings)


@pytest.fixture
def plain() -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def logger(client: Client, run: LoggedRun, plain: httpx.Client) -> Logger:
    """Logs artifacts for run r1."""
    return Logger(client, plain)


def test_log_and_read_back(logger: Logger) -> None:
    """What was logged has a number, the aliases, its size, and reads back byte for byte."""
    files = {"a.txt": b"alpha", "sub/b \u00fc.bin": bytes(range(256)), "empty": b""}

    artifact = logger.log(
        "ds",
        files,
        description="first",
        metadata='{"k": [1, null]}',
        aliases=[{"alias": "best", "artifactCollectionName": "ds"}],
        tags=[{"tagName": "t 1"}],
        historyStep=7,
    )

    found = logger.named("ds:best")
    assert found is not None
    node = found["artifact"]
    assert node["id"] == artifact
    assert (node["state"], node["size"], node["fileCount"], node["digest"]) == (
        "COMMITTED",
        261,
        3,
        digest_of(files),
    )
    assert (node["description"], node["metadata"], node["historyStep"]) == ("first", '{"k": [1, null]}', 7)
    assert [tag["name"] for tag in node["tags"]] == ["t 1"]
    assert (node["ttlDurationSeconds"], node["ttlIsInherited"]) == (-1, True)
    assert logger.version("ds") == (0, ["best", "latest"])
    assert logger.version("ds:v0") == (0, ["best", "latest"])
    assert logger.contents(artifact) == files
    assert logger.plain.get(node["currentManifest"]["file"]["directUrl"]).content == manifest_of(files)


def test_every_request_twice(logger: Logger) -> None:
    """Requests whose answers were lost are sent again, and all has happened once."""
    logger.times = 2
    first = logger.log("ds", {"a": b"1"})
    second = logger.log("ds", {"a": b"2"})

    assert first != second
    assert logger.version("ds:v0") == (0, [])
    assert logger.version("ds:latest") == (1, ["latest"])
    assert logger.named("ds:v2") is None
    assert logger.contents(second) == {"a": b"2"}


def test_same_content_is_the_same_version(logger: Logger) -> None:
    """Content that the newest version has makes no version; its aliases go to the one that is there."""
    first = logger.log("ds", {"a": b"1"})

    again = logger.create(
        "ds", {"a": b"1"}, clientID="another", aliases=[{"alias": "again", "artifactCollectionName": "ds"}]
    )

    assert (again["id"], again["state"]) == (first, "COMMITTED")
    assert again["artifactSequence"]["latestArtifact"]["id"] == first
    assert logger.version("ds:again") == (0, ["again", "latest"])
    assert logger.client.ask(CLIENT_ID, clientID="another")["clientIDMapping"]["serverID"] == first


def test_older_content_is_a_new_version(logger: Logger) -> None:
    """Only the newest version counts: going back to what was before is a change."""
    logger.log("ds", {"a": b"1"})
    logger.log("ds", {"a": b"2"})
    back = logger.log("ds", {"a": b"1"}, clientID="back")

    assert logger.version("ds:latest") == (2, ["latest"])
    assert logger.contents(back) == {"a": b"1"}


def test_bytes_that_are_here_are_not_asked_for(logger: Logger) -> None:
    """A file whose MD5 the team has needs no upload; the answer keeps order and count."""
    logger.log("ds", {"a": b"1", "b": b"2"})

    made = logger.create("ds", {"a": b"1", "b": b"3"})
    nodes = logger.offer(made["id"], [("new", b"3"), ("old", b"1"), ("other", b"2"), ("newer", b"4")])

    assert [node["uploadUrl"] is None for node in nodes] == [False, True, True, False]
    assert [node["uploadHeaders"] for node in nodes] == [
        [f"Content-MD5:{base64_of(md5_of(content))}"] for content in (b"3", b"1", b"2", b"4")
    ]
    assert {node["artifact"]["id"] for node in nodes} == {made["id"]}
    assert {node["uploadMultipartUrls"] for node in nodes} == {None}


def test_a_thousand_files_at_once(logger: Logger) -> None:
    """A batch of a thousand files keeps its order, and pages hold every file once."""
    files: dict[str, bytes | str] = {f"f/{number:04}": b"same" for number in range(1000)}
    logger.log("one", {"a": b"same"})
    artifact = logger.log("many", files)

    found: list[str] = []
    cursor = None
    while True:
        page = logger.client.ask(FILE_LIST, id=artifact, perPage=300, cursor=cursor)["artifact"]["files"]
        found += [edge["node"]["name"] for edge in page["edges"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == sorted(files)
    assert page["totalCount"] == 1000


def test_files_by_name(logger: Logger) -> None:
    """Files can be asked for by their paths."""
    artifact = logger.log("ds", {"a": b"1", "b": b"2"})

    page = logger.client.ask(FILE_LIST, id=artifact, names=["b", "none"])["artifact"]["files"]

    (edge,) = page["edges"]
    assert (edge["node"]["name"], edge["node"]["sizeBytes"], edge["node"]["md5"]) == (
        "b",
        1,
        base64_of(md5_of(b"2")),
    )


def test_commit_waits_for_bytes(logger: Logger) -> None:
    """An artifact whose bytes are not here is refused with their names, and is committed once they came."""
    files: dict[str, bytes | str] = {"a": b"1", "b": b"2"}
    made = logger.create("ds", files)
    assert "manifest of ds is not stored" in logger.refused(COMMIT, artifactID=made["id"])

    logger.put_manifest(made["id"], files)
    assert "2 files of ds are not stored: a, b" in logger.refused(COMMIT, artifactID=made["id"])
    assert logger.named("ds:latest") is None

    logger.put_files(made["id"], files)
    logger.commit(made["id"])
    assert logger.version("ds:latest") == (0, ["latest"])


def test_wrong_bytes_are_refused(logger: Logger) -> None:
    """Bytes that are not those of the MD5 are not kept."""
    made = logger.create("ds", {"a": b"1"})
    (node,) = logger.offer(made["id"], [("a", b"1")])

    assert logger.plain.put(node["uploadUrl"], content=b"2").status_code == 422


def test_manifest_that_is_none(logger: Logger) -> None:
    """A manifest that is no JSON is refused at the commit."""
    made = logger.create("ds", {"a": b"1"})
    logger.put(logger.announce(made["id"])["file"], b"[no json")

    assert "manifest" in logger.refused(COMMIT, artifactID=made["id"])


def test_increments_add_to_what_is_there(logger: Logger) -> None:
    """An incremental artifact has the files of its base and its own, under the digest of all of them."""
    base = logger.log("ds", {"a": b"1", "b": b"old"})

    artifact = logger.log("ds", {"b": b"new", "c": b"3"}, kind="INCREMENTAL", base=base)

    assert logger.contents(artifact) == {"a": b"1", "b": b"new", "c": b"3"}
    found = logger.named("ds:v1")
    assert found is not None
    assert found["artifact"]["digest"] == digest_of({"a": b"1", "b": b"new", "c": b"3"})
    assert found["artifact"]["fileCount"] == 3
    manifest = logger.plain.get(found["artifact"]["currentManifest"]["file"]["directUrl"]).json()
    assert sorted(manifest["contents"]) == ["a", "b", "c"]
    assert manifest["storagePolicyConfig"] == {"storageLayout": "V2"}


def test_increments_announced_together(logger: Logger) -> None:
    """An increment announced before the one below it was committed still adds to it."""
    first, second = {"a": b"1"}, {"b": b"2"}
    below, above = (logger.create("inc", files)["id"] for files in (first, second))
    for artifact, files in ((below, first), (above, second)):
        logger.put_files(artifact, files)
        logger.put_manifest(artifact, files, "INCREMENTAL")

    logger.commit(below)
    logger.commit(above)

    assert logger.contents(above) == {"a": b"1", "b": b"2"}


def test_parts_of_several_processes(logger: Logger) -> None:
    """Clients that log under one distributed id make one version, with the files of all of them."""
    parts: list[dict[str, bytes | str]] = [{"p0": b"0"}, {"p1": b"1"}, {"p2": b"2"}]
    made = [logger.create("dist", part, distributedID="job-1")["id"] for part in parts]
    assert len(set(made)) == 1
    for part in parts:
        logger.put_files(made[0], part)
        logger.put_manifest(made[0], part, "PATCH")
    logger.commit(made[0])

    assert logger.contents(made[0]) == {"p0": b"0", "p1": b"1", "p2": b"2"}
    assert logger.version("dist:latest") == (0, ["latest"])
    assert logger.create("dist", {"x": b""}, distributedID="job-1")["id"] != made[0]


def test_references_are_listed(logger: Logger) -> None:
    """What lies elsewhere needs no bytes here, and is among the files with its own address."""
    files: dict[str, bytes | str] = {"here": b"1", "there": "s3://bucket/key"}

    artifact = logger.log("refs", files)

    assert logger.contents(artifact) == files
    found = logger.named("refs")
    assert found is not None
    assert (found["artifact"]["fileCount"], found["artifact"]["size"]) == (2, 1 + len("s3://bucket/key"))


def test_numbers_are_given_once(logger: Logger, url: str) -> None:
    """Versions committed at the same moment have different numbers, and `latest` is the highest."""
    key = logger.client.key
    gate = threading.Barrier(6)

    def log(number: int) -> None:
        mine = Logger(Client(url, key), httpx.Client(trust_env=False))
        with mine.client.http, mine.plain:
            files: dict[str, bytes | str] = {"n": str(number).encode()}
            made = mine.create("ds", files)
            mine.put_files(made["id"], files)
            mine.put_manifest(made["id"], files)
            gate.wait(20)
            mine.commit(made["id"])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(log, range(6)))

    assert logger.version("ds:latest") == (5, ["latest"])
    assert all(logger.named(f"ds:v{number}") for number in range(6))


def test_what_runs_log_and_use(logger: Logger, server_settings: Settings) -> None:
    """Runs tell what they logged and used, once, and artifacts by whom."""
    log_run(server_settings, run="r2")
    artifact = logger.log("ds", {"a": b"1"})
    use = {"entityName": "main", "projectName": "digits", "runName": "r2", "artifactID": artifact}
    for _ in range(2):
        used = logger.client.ask(USE, input=use)["useArtifact"]["artifact"]
        assert (used["id"], used["state"], used["digest"]) == (artifact, "COMMITTED", digest_of({"a": b"1"}))

    def listed(run: str, direction: str) -> list[Any]:
        answer = logger.client.ask(OF_RUN, **PLACE, run=run)["project"]["run"][direction]
        assert answer["totalCount"] == len(answer["edges"])
        return [
            (edge["node"]["artifactSequence"]["name"], edge["node"]["versionIndex"])
            for edge in answer["edges"]
        ]

    assert (listed("r1", "outputArtifacts"), listed("r1", "inputArtifacts")) == ([("ds", 0)], [])
    assert (listed("r2", "outputArtifacts"), listed("r2", "inputArtifacts")) == ([], [("ds", 0)])
    told = logger.client.ask(USERS, id=artifact)["artifact"]
    assert [edge["node"]["name"] for edge in told["usedBy"]["edges"]] == ["r2"]
    assert told["createdBy"] == {"__typename": "Run", "name": "r1", "project": {"name": "digits"}}


def test_clients_ids(logger: Logger) -> None:
    """The ids that clients chose lead to the artifact, and that of a sequence to its newest version."""
    first = logger.log("ds", {"a": b"1"}, clientID="mine")
    second = logger.log("ds", {"a": b"2"})

    def server_id(client_id: str) -> Any:
        return (logger.client.ask(CLIENT_ID, clientID=client_id)["clientIDMapping"] or {}).get("serverID")

    assert server_id("mine") == first
    assert server_id("sequence-ds") == second


def test_an_id_that_is_about_to_be_known(logger: Logger, url: str) -> None:
    """A client may ask for an artifact in the moment in which it announces it."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(logger.client.ask, CLIENT_ID, clientID="soon")
        mine = Logger(Client(url, logger.client.key), logger.plain)
        with mine.client.http:
            made = mine.create("ds", {"a": b"1"}, clientID="soon")

    assert asked.result()["clientIDMapping"]["serverID"] == made["id"]


def test_a_name_has_one_type(logger: Logger) -> None:
    """Logging under a name that has another type is refused and changes nothing."""
    logger.log("ds", {"a": b"1"})
    wish = {
        "entityName": "main",
        "projectName": "digits",
        "artifactTypeName": "model",
        "artifactCollectionName": "ds",
        "digest": "0" * 32,
    }

    answer = logger.client.post(CREATE, input=wish)

    assert (answer.status_code, "is a sequence of type 'dataset'" in answer.text) == (400, True)
    assert logger.version("ds:latest") == (0, ["latest"])


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "x" * 129, "a\0b"])
def test_names_that_are_none(logger: Logger, name: str) -> None:
    """A name that could not be asked for is refused."""
    wish = {
        "entityName": "main",
        "projectName": "digits",
        "artifactTypeName": "dataset",
        "artifactCollectionName": name,
        "digest": "0" * 32,
    }

    assert logger.client.post(CREATE, input=wish).status_code == 400


def test_other_teams_see_nothing(logger: Logger, other_team: Client) -> None:
    """Another team's key reaches no artifact by id, by name, by MD5 or by the client's id."""
    artifact = logger.log("ds", {"a": b"secret"}, clientID="mine")
    hexed = md5_of(b"secret").hex()

    assert other_team.ask(MANIFEST_URL, id=artifact)["artifact"] is None
    assert other_team.ask(CLIENT_ID, clientID="mine")["clientIDMapping"] is None
    assert other_team.post(CREATE, input={"entityName": "main", "projectName": "digits"}).status_code == 404
    assert other_team.http.get(f"/artifacts/main/{hexed}").status_code == 404
    assert other_team.http.get(f"/artifacts/others/{hexed}").status_code == 404
    assert other_team.post(COMMIT, artifactID=artifact).status_code == 404


def test_a_key_of_one_project_learns_nothing_of_others(logger: Logger, url: str) -> None:
    """That the team has some bytes is not told to a key that reaches another project only."""
    logger.log("ds", {"a": b"secret"})
    with db.transaction() as tx:
        (team_id,) = tx.execute("SELECT id FROM team WHERE name = 'main'").fetchone() or (0,)
        projects.create_project(tx, team_id, "other")
        other = projects.project_id(tx, team_id, "other")
    limited = Client(url, key_of("main", "ingest", "read", project_id=other))
    with limited.http:
        wish = {
            "entityName": "main",
            "projectName": "other",
            "artifactTypeName": "dataset",
            "artifactCollectionName": "theirs",
            "digest": digest_of({"a": b"secret"}),
        }
        made = limited.ask(CREATE, input=wish)["createArtifact"]["artifact"]
        mine = Logger(limited, logger.plain)
        (node,) = mine.offer(made["id"], [("a", b"secret")])
        assert node["uploadUrl"] is not None
        mine.put_manifest(made["id"], {"a": b"secret"})
        assert "1 files of theirs are not stored" in mine.refused(COMMIT, artifactID=made["id"])
        assert limited.http.get(f"/artifacts/main/{md5_of(b'secret').hex()}").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        "/artifacts/main/{md5}",
        "/artifactsV2/default/main/{id}/{md5}",
        "/artifactsV2/default/main/digits/ds/{id}/{md5}/a.txt",
        "/artifactsV2/default/main/digits/ds/{id}/{id}/{md5}/a.txt",
    ],
)
def test_downloads_by_md5(logger: Logger, form: str) -> None:
    """Clients of every age read a file by its MD5; without a key nobody does."""
    artifact = logger.log("ds", {"sub/a.txt": b"alpha"})
    path = form.format(md5=md5_of(b"alpha").hex(), id=artifact)

    assert logger.client.http.get(path).content == b"alpha"
    assert logger.plain.get(logger.client.url + path).status_code == 401
    assert logger.client.http.get(path.replace(md5_of(b"alpha").hex(), "0" * 32)).status_code == 404
    assert logger.client.http.get("/artifactsV2/default/main/nonsense").status_code == 422


def test_ids_are_what_clients_can_decode(logger: Logger) -> None:
    """An artifact's id is base64 of its kind and number: clients write it in hex into references."""
    assert (ids.decode("Artifact", logger.log("ds", {"a": b"1"})) or 0) > 0
