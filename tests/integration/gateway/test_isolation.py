"""What a key of one project sees of lineage and links that lead out of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from runhue_shared import db
from runhue_shared.db import projects
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import CREATE, Logger
from tests.integration.gateway.conftest import Client, key_of
from tests.integration.gateway.posting import UPSERT
from tests.integration.storage.logged_run import log_run

USE = """mutation UseArtifact($input: UseArtifactInput!) { useArtifact(input: $input) {
  artifact { id } } }"""
LINK = """mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) {
  versionIndex } }"""
LINEAGE = """query Lineage($id: ID!) { artifact(id: $id) { createdBy { ... on Run { name config } }
  usedBy { totalCount edges { node { name config summaryMetrics } } } } }"""
INPUTS = """query Inputs($project: String!) { project(name: $project) { run(name: "r2") { inputArtifacts {
  totalCount edges { node { id files { edges { node { directUrl } } } } } } } } }"""
LINKED = """query Linked($project: String!) { project(name: $project) {
  artifactCollectionMembership(name: "best:v0") { versionIndex files { edges { node { name directUrl } } }
    artifact { id createdBy { ... on Run { name config } }
      aliases { alias artifactCollection { name } }
      artifactMemberships { edges { node { artifactCollection { name } } } }
      artifactSequence { name latestArtifact { id } artifacts { edges { node { id } } }
        aliases { edges { node { alias } } } artifactMembership(aliasName: "v0") { id } } } } } }"""


@pytest.fixture
def artifact(client: Client, server_settings: Settings) -> str:
    """An artifact of `digits` that a run of `secret` used, and that is linked to `best` of `secret`."""
    log_run(server_settings)
    with httpx.Client(timeout=30, trust_env=False) as plain:
        found = Logger(client, plain).log("ds", {"a.txt": b"alpha"})
    client.ask(UPSERT, project="secret", name="r2", config='{"password": {"value": "x"}}')
    place = {"artifactID": found, "entityName": "main", "projectName": "secret"}
    client.ask(USE, input={**place, "runName": "r2"})
    client.ask(LINK, input={**place, "artifactPortfolioName": "best", "aliases": []})
    return found


@contextmanager
def limited(client: Client, project: str) -> Iterator[Client]:
    """A client whose key is for that project only."""
    with db.transaction() as tx:
        team = tx.execute("SELECT id FROM team WHERE name = 'main'").fetchall()[0][0]
        project_id = projects.project_id(tx, team, project)
    made = Client(client.url, key_of("main", "ingest", "read", project_id=project_id))
    with made.http:
        yield made


def test_users_of_an_artifact_are_those_that_the_key_reaches(client: Client, artifact: str) -> None:
    """Who used an artifact is told, with all that a run tells, to keys of the run's project only."""
    with limited(client, "digits") as narrow:
        told = narrow.ask(LINEAGE, id=artifact)["artifact"]
    whole = client.ask(LINEAGE, id=artifact)["artifact"]

    assert told["usedBy"] == {"totalCount": 0, "edges": []}
    assert told["createdBy"]["name"] == "r1"
    assert [edge["node"]["name"] for edge in whole["usedBy"]["edges"]] == ["r2"]


def test_what_a_run_used_elsewhere_is_not_its_readers(client: Client, artifact: str) -> None:
    """A key of the run's project gets no file of another project's artifact that the run used."""
    with limited(client, "secret") as narrow:
        assert inputs(narrow) == {"totalCount": 0, "edges": []}
    assert [edge["node"]["id"] for edge in inputs(client)["edges"]] == [artifact]


def inputs(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.ask(INPUTS, project="secret")["project"]["run"]["inputArtifacts"]
    return found


def test_a_link_shows_one_version_only(client: Client, artifact: str) -> None:
    """Readers of a portfolio get the linked files, and nothing else of the project that they came from."""
    with limited(client, "secret") as narrow:
        member = narrow.ask(LINKED, project="secret")["project"]["artifactCollectionMembership"]
    source = member["artifact"]["artifactSequence"]

    assert [edge["node"]["name"] for edge in member["files"]["edges"]] == ["a.txt"]
    assert member["artifact"]["createdBy"] is None
    assert {alias["artifactCollection"]["name"] for alias in member["artifact"]["aliases"]} == {"best"}
    assert names(member["artifact"]["artifactMemberships"]) == ["best"]
    assert (source["latestArtifact"], source["artifactMembership"]) == (None, None)
    assert (source["artifacts"]["edges"], source["aliases"]["edges"]) == ([], [])


def names(memberships: dict[str, Any]) -> list[str]:
    return [edge["node"]["artifactCollection"]["name"] for edge in memberships["edges"]]


def test_a_clients_id_means_an_artifact_of_its_project_only(client: Client, artifact: str) -> None:
    """Who says the id under which another project's client logged gets an artifact of their own."""
    with db.transaction() as tx:
        known = tx.execute("SELECT client_id FROM artifact_client WHERE artifact_id IS NOT NULL").fetchall()
    wish = {"entityName": "main", "projectName": "secret", "runName": "r2", "artifactTypeName": "dataset"}
    more = {"artifactCollectionName": "mine", "digest": "0" * 32, "clientID": known[0][0], "aliases": []}

    made = client.ask(CREATE, input={**wish, **more})["createArtifact"]["artifact"]

    assert made["id"] != artifact
    assert made["state"] == "PENDING"


def test_a_key_of_one_project_reaches_no_other_team(client: Client, artifact: str) -> None:
    """A project of the same name in another team is not the one that the key is for."""
    with limited(client, "digits") as narrow:
        let_the_newest_key_reach("others")
        answer = narrow.post(UPSERT, entity="others", project="digits", name="r9")

    assert answer.status_code == 404, answer.text


def let_the_newest_key_reach(team: str) -> None:
    with db.transaction() as tx:
        tx.execute("INSERT INTO team (name) VALUES (%s)", (team,))
        tx.execute(
            "INSERT INTO api_key_reach (key_id, team_id) SELECT max(k.id), max(t.id) FROM api_key k, team t"
            " WHERE t.name = %s",
            (team,),
        )
