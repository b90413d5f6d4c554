"""Artifacts and collections change: attributes, aliases, tags, links, names; each is asked for twice."""

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from runhue_server.gateway import ids
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import PLACE, Logger
from tests.integration.gateway.conftest import Client
from tests.integration.storage.logged_run import log_run

UPDATE = """mutation UpdateArtifact($input: UpdateArtifactInput!) { result: updateArtifact(input: $input) {
  artifact { description metadata ttlDurationSeconds ttlIsInherited tags { name } aliases { alias } } } }"""
DELETE = """mutation DeleteArtifact($input: DeleteArtifactInput!) {
  result: deleteArtifact(input: $input) { artifact { id } } }"""
ADD_ALIASES = """mutation AddAliases($input: AddAliasesInput!) {
  result: addAliases(input: $input) { success } }"""
DELETE_ALIASES = """mutation DeleteAliases($input: DeleteAliasesInput!) {
  result: deleteAliases(input: $input) { success } }"""
LINK = """mutation LinkArtifact($input: LinkArtifactInput!) { result: linkArtifact(input: $input) {
  versionIndex artifactMembership { artifactCollection { __typename id name } aliases { alias } } } }"""
UNLINK = """mutation UnlinkArtifact($input: UnlinkArtifactInput!) {
  result: unlinkArtifact(input: $input) { success } }"""
COLLECTION = """artifactCollection { __typename id name description state
  type: defaultArtifactType { name } tags { edges { node { name } } } }"""
UPDATE_SEQUENCE = f"""mutation UpdateArtifactSequence($input: UpdateArtifactSequenceInput!) {{
  result: updateArtifactSequence(input: $input) {{ {COLLECTION} }} }}"""
MOVE = f"""mutation UpdateArtifactSequenceType($input: MoveArtifactSequenceInput!) {{
  result: moveArtifactSequence(input: $input) {{ {COLLECTION} }} }}"""
DELETE_SEQUENCE = """mutation DeleteArtifactSequence($id: ID!) {
  result: deleteArtifactSequence(input: {artifactSequenceID: $id}) {
    artifactCollection { __typename state } } }"""
ADD_TAGS = """mutation AddTags($input: CreateArtifactCollectionTagAssignmentsInput!) {
  result: createArtifactCollectionTagAssignments(input: $input) { tags { id name } } }"""
DELETE_TAGS = """mutation DeleteTags($input: DeleteArtifactCollectionTagAssignmentsInput!) {
  result: deleteArtifactCollectionTagAssignments(input: $input) { success } }"""
COLLECTIONS = """query Collections($entity: String!, $project: String!, $cursor: String, $perPage: Int,
    $filters: JSONString, $order: String) {
  project(entityName: $entity, name: $project) {
    artifactTypes(first: 100) { edges { node { id name description createdAt } } }
    artifactCollections(after: $cursor, first: $perPage, filters: $filters, order: $order) {
      totalCount pageInfo { endCursor hasNextPage }
      edges { node { __typename id name description tags { edges { node { name } } } } } } } }"""
VERSIONS = """query Versions($entity: String!, $project: String!, $name: String!, $cursor: String,
    $perPage: Int, $order: String) {
  project(entityName: $entity, name: $project) { artifactCollection(name: $name) {
    artifacts(after: $cursor, first: $perPage, order: $order) { totalCount
      pageInfo { endCursor hasNextPage } edges { version node { versionIndex aliases { alias } } } } } } }"""


@pytest.fixture
def logger(client: Client, server_settings: Settings) -> Iterator[Logger]:
    """Logs artifacts for run r1, each request twice."""
    log_run(server_settings)
    with httpx.Client(timeout=30, trust_env=False) as plain:
        yield Logger(client, plain, times=2)


def change(logger: Logger, query: str, **given: Any) -> Any:
    """What a mutation answers, the second time."""
    return logger.ask(query, input=given)["result"]


def collection_id(logger: Logger, name: str = "ds") -> str:
    found = logger.named(name)
    assert found is not None
    return str(found["artifactCollection"]["id"])


def test_attributes(logger: Logger) -> None:
    """What is given is changed, and null leaves things as they are."""
    artifact = logger.log("ds", {"a": b"1"}, description="first", metadata='{"k": 1}')

    first = change(
        logger,
        UPDATE,
        artifactID=artifact,
        description=None,
        metadata='{"k": 2}',
        ttlDurationSeconds=3600,
        tagsToAdd=[{"tagName": "b"}, {"tagName": "a"}],
    )["artifact"]
    second = change(logger, UPDATE, artifactID=artifact, tagsToDelete=[{"tagName": "b"}], description="")

    assert (first["description"], first["metadata"]) == ("first", '{"k": 2}')
    assert (first["ttlDurationSeconds"], first["ttlIsInherited"]) == (3600, False)
    assert [tag["name"] for tag in first["tags"]] == ["b", "a"]
    assert ([tag["name"] for tag in second["artifact"]["tags"]], second["artifact"]["description"]) == (
        ["a"],
        "",
    )


def test_aliases(logger: Logger) -> None:
    """An alias means one version of a collection: giving it takes it from another."""
    old, new = logger.log("ds", {"a": b"1"}), logger.log("ds", {"a": b"2"})
    entry = {"entityName": "main", "projectName": "digits", "artifactCollectionName": "ds"}

    for artifact in (old, new):
        change(logger, ADD_ALIASES, artifactID=artifact, aliases=[{**entry, "alias": "prod"}])
    assert logger.version("ds:prod") == (1, ["latest", "prod"])

    change(logger, DELETE_ALIASES, artifactID=old, aliases=[{**entry, "alias": "prod"}])
    assert logger.version("ds:prod") == (1, ["latest", "prod"])
    change(logger, DELETE_ALIASES, artifactID=new, aliases=[{**entry, "alias": "prod"}])
    assert logger.named("ds:prod") is None


def test_aliases_of_older_clients(logger: Logger) -> None:
    """A client that sends all aliases of a version replaces them; `latest` stays."""
    artifact = logger.log("ds", {"a": b"1"}, aliases=[{"alias": "a", "artifactCollectionName": "ds"}])

    change(logger, UPDATE, artifactID=artifact, aliases=[{"alias": "b", "artifactCollectionName": "ds"}])

    assert logger.version("ds") == (0, ["b", "latest"])


def test_delete(logger: Logger) -> None:
    """A version with aliases goes only with them; `latest` falls back, and no other gets its number."""
    for number in range(3):
        newest = logger.log("ds", {"a": str(number).encode()})
    assert "has aliases: latest" in logger.refused(DELETE, input={"artifactID": newest})

    change(logger, DELETE, artifactID=newest, deleteAliases=True)

    assert logger.version("ds:latest") == (1, ["latest"])
    assert logger.named("ds:v2") is None
    logger.log("ds", {"a": b"3"})
    assert logger.version("ds:latest") == (3, ["latest"])


def test_link(logger: Logger) -> None:
    """A linked version has a number and aliases of its own in the portfolio, however often it is linked."""
    logger.log("ds", {"a": b"1"})
    artifact = logger.log("ds", {"a": b"2"})
    aliases = [{"alias": "prod", "artifactCollectionName": "pf"}]

    linked = change(
        logger,
        LINK,
        artifactID=artifact,
        artifactPortfolioName="pf",
        entityName="main",
        projectName="digits",
        aliases=aliases,
    )

    assert linked["versionIndex"] == 0
    assert linked["artifactMembership"]["artifactCollection"]["__typename"] == "ArtifactPortfolio"
    found = logger.named("pf:prod")
    assert found is not None
    assert (found["artifact"]["id"], found["artifact"]["versionIndex"]) == (artifact, 1)
    names = {(alias["artifactCollection"]["name"], alias["alias"]) for alias in found["artifact"]["aliases"]}
    assert names == {("ds", "latest"), ("pf", "latest"), ("pf", "prod"), ("pf", "v0")}
    assert logger.version("ds:latest") == (1, ["latest"])

    portfolio = collection_id(logger, "pf")
    change(logger, UNLINK, artifactID=artifact, artifactPortfolioID=portfolio)
    assert logger.named("pf:latest") is None
    assert "it is no link" in logger.refused(
        UNLINK, input={"artifactID": artifact, "artifactPortfolioID": collection_id(logger)}
    )


def test_link_to_a_new_project(logger: Logger) -> None:
    """A registry is a project that nothing was logged to: the first link makes it, the next finds it."""
    artifact = logger.log("ds", {"a": b"1"})
    place = {"entityName": "main", "projectName": "model-registry"}

    linked = change(logger, LINK, artifactID=artifact, artifactPortfolioName="best", **place)

    assert linked["versionIndex"] == 0
    found = logger.ask(VERSIONS, entity="main", project="model-registry", name="best")
    versions = found["project"]["artifactCollection"]["artifacts"]
    assert [edge["version"] for edge in versions["edges"]] == ["v0"]
    place["projectName"] = "no/name"
    refused = logger.refused(LINK, input={"artifactID": artifact, "artifactPortfolioName": "best", **place})
    assert "'no/name'" in refused


def test_only_committed_ones_are_linked(logger: Logger) -> None:
    """What has no content yet cannot be linked, and a sequence is no portfolio."""
    pending = logger.create("ds", {"a": b"1"})["id"]
    given = {"artifactPortfolioName": "pf", "entityName": "main", "projectName": "digits"}
    assert "is pending" in logger.refused(LINK, input={"artifactID": pending, **given})

    artifact = logger.log("ds", {"a": b"1"})
    given["artifactPortfolioName"] = "ds"
    assert "is a sequence" in logger.refused(LINK, input={"artifactID": artifact, **given})


def test_collections(logger: Logger) -> None:
    """A sequence gets another name, description and type, keeps its versions, and is deleted with them."""
    artifact = logger.log("ds", {"a": b"1"})
    logger.log("taken", {"a": b"1"})
    sequence = collection_id(logger)

    changed = change(logger, UPDATE_SEQUENCE, artifactSequenceID=sequence, name="new", description="about")
    assert (changed["artifactCollection"]["name"], changed["artifactCollection"]["description"]) == (
        "new",
        "about",
    )
    assert "has a collection named 'taken'" in logger.refused(
        UPDATE_SEQUENCE, input={"artifactSequenceID": sequence, "name": "taken"}
    )
    moved = change(logger, MOVE, artifactSequenceID=sequence, destinationArtifactTypeName="model")
    assert moved["artifactCollection"]["type"]["name"] == "model"
    assert logger.version("new:latest") == (0, ["latest"])

    gone = logger.ask(DELETE_SEQUENCE, id=sequence)["result"]["artifactCollection"]
    assert gone == {"__typename": "ArtifactSequence", "state": "DELETED"}
    assert logger.named("new:latest") is None
    assert (
        logger.client.ask("query A($id: ID!) { artifact(id: $id) { id } }", id=artifact)["artifact"] is None
    )


def test_collection_tags(logger: Logger) -> None:
    """Tags of a collection are added and removed, in the order of adding."""
    logger.log("ds", {"a": b"1"})
    given = {"entityName": "main", "projectName": "digits", "artifactCollectionName": "ds"}

    added = change(logger, ADD_TAGS, **given, tags=[{"tagName": "b"}, {"tagName": "a"}, {"tagName": "b"}])
    change(logger, DELETE_TAGS, **given, tags=[{"tagName": "b"}])

    assert [tag["name"] for tag in added["tags"]] == ["b", "a"]
    (edge,) = listed(logger)["edges"]
    assert [one["node"]["name"] for one in edge["node"]["tags"]["edges"]] == ["a"]


def listed(logger: Logger, **variables: Any) -> Any:
    """The project's collections."""
    return logger.client.ask(COLLECTIONS, **PLACE, **variables)["project"]["artifactCollections"]


def test_lists_of_collections(logger: Logger) -> None:
    """Collections are paged, filtered and sorted; what they cannot be asked for is refused."""
    for name in ("b", "a", "c"):
        logger.log(name, {"a": b"1"}, artifactTypeName="t1" if name == "c" else "t2")
    given = {"entityName": "main", "projectName": "digits", "artifactCollectionName": "c"}
    change(logger, ADD_TAGS, **given, tags=[{"tagName": "x"}])

    def names(**variables: Any) -> list[str]:
        return [edge["node"]["name"] for edge in listed(logger, **variables)["edges"]]

    assert names() == ["c", "a", "b"]
    assert names(order="name") == ["a", "b", "c"]
    assert names(order="-name", filters='{"name": {"$in": ["a", "c"]}}') == ["c", "a"]
    assert names(filters='{"tags": "x"}') == ["c"]
    assert names(filters='{"$or": [{"tag": {"$in": ["x"]}}, {"name": {"$regex": "^a"}}]}') == ["c", "a"]
    assert names(filters='{"createdAt": {"$gt": "2000-01-01"}, "type": {"$ne": "t1"}}') == ["a", "b"]
    first = listed(logger, perPage=2, order="name")
    rest = names(perPage=2, order="name", cursor=first["pageInfo"]["endCursor"])
    assert ([edge["node"]["name"] for edge in first["edges"]], first["totalCount"]) == (["a", "b"], 3)
    assert (first["pageInfo"]["hasNextPage"], rest) == (True, ["c"])
    for bad in ({"filters": '{"owner": 1}'}, {"filters": "[no json"}, {"order": "owner"}):
        assert logger.refused(COLLECTIONS, **PLACE, **bad)
    types = logger.client.ask(COLLECTIONS, **PLACE)["project"]["artifactTypes"]["edges"]
    assert [edge["node"]["name"] for edge in types] == ["t1", "t2"]


def test_lists_of_versions(logger: Logger) -> None:
    """Versions are paged, the newest first, or the oldest when asked so."""
    for number in range(4):
        logger.log("ds", {"a": str(number).encode()})

    def page(**variables: Any) -> Any:
        found = logger.client.ask(VERSIONS, **PLACE, name="ds", **variables)["project"]["artifactCollection"]
        return found["artifacts"]

    first = page(perPage=3)
    second = page(perPage=3, cursor=first["pageInfo"]["endCursor"])
    assert [edge["version"] for edge in first["edges"] + second["edges"]] == ["v3", "v2", "v1", "v0"]
    assert (first["totalCount"], second["pageInfo"]["hasNextPage"]) == (4, False)
    assert [edge["version"] for edge in page(order="+createdAt")["edges"]] == ["v0", "v1", "v2", "v3"]


def test_long_lists_ask_no_more_often(logger: Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of ten versions takes as many statements as a list of one."""
    for number in range(10):
        logger.log("ds", {"a": str(number).encode()})
    statements: list[Any] = []
    execute = psycopg.Cursor.execute

    def counted(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        statements.append(query)
        return execute(self, query, *given, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    counts = []
    for size in (1, 10):
        logger.client.ask(VERSIONS, **PLACE, name="ds", perPage=size)
        statements.clear()
        logger.client.ask(VERSIONS, **PLACE, name="ds", perPage=size)
        counts.append(sum("artifact" in str(one) for one in statements))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("query", [UPDATE, DELETE, ADD_ALIASES, DELETE_ALIASES, LINK, UNLINK])
def test_artifacts_that_are_not_there(logger: Logger, other_team: Client, query: str) -> None:
    """No change reaches an artifact that is not there, or is another team's."""
    artifact = logger.log("ds", {"a": b"1"})

    for asking, wanted in ((logger.client, ids.encode("Artifact", 10**6)), (other_team, artifact)):
        assert asking.post(query, input={"artifactID": wanted, "aliases": []}).status_code == 404
    assert logger.version("ds:latest") == (0, ["latest"])
