"""Projects, as clients list, read and make them."""

from typing import Any

import pytest

from runhue_server.gateway import ids
from runhue_shared import db
from runhue_shared.db import custom_charts, keys, projects
from runhue_shared.settings import Settings
from tests.integration.gateway.conftest import Client, key_of

GET_PROJECTS = """query GetProjects($entity: String, $cursor: String, $perPage: Int = 50) {
  models(entityName: $entity, after: $cursor, first: $perPage) {
    pageInfo { __typename endCursor hasNextPage }
    edges { node { __typename ...ProjectFragment } } } }
fragment ProjectFragment on Project { id name entityName createdAt isBenchmark user { id username } }"""
GET_PROJECT = """query GetProject($name: String!, $entity: String!) {
  project(name: $name, entityName: $entity) { id internalId name entityName createdAt isBenchmark readOnly
    entity { id name } user { username entity } } }"""
CREATE = """mutation CreateProject($input: UpsertModelInput!) { result: upsertModel(input: $input) {
  project { id name entityName description access views } model { id name } inserted } }"""
OLD_CREATE = """mutation UpsertModel($name: String!, $id: String, $entity: String!, $description: String) {
  upsertModel(input: { id: $id, name: $name, entityName: $entity, description: $description }) {
    model { name description } } }"""
SWEEPS = """query GetSweeps($project: String!, $entity: String!, $cursor: String, $perPage: Int = 50) {
  project(name: $project, entityName: $entity) { totalSweeps sweeps(after: $cursor, first: $perPage) {
    edges { node { id name } cursor } pageInfo { endCursor hasNextPage } } } }"""
VIEWS = """query ProjectViews($project: String!, $entity: String!, $viewType: String = "runs") {
  project(name: $project, entityName: $entity) { allViews(viewType: $viewType, first: 50) {
    edges { node { id name } cursor } pageInfo { endCursor hasNextPage } } } }"""
CHART = """mutation CreateCustomChart($entity: String!, $chartName: String!, $displayName: String!,
  $chartType: String!, $access: String!, $spec: JSONString!) {
  createCustomChart(input: { entity: $entity, name: $chartName, displayName: $displayName, type: $chartType,
    access: $access, spec: $spec }) { chart { id } } }"""


def create(client: Client, *names: str) -> None:
    """Make projects of the client's team."""
    for name in names:
        client.ask(CREATE, input={"entityName": "main", "name": name})


def names_of(page: dict[str, Any]) -> list[str]:
    return [edge["node"]["name"] for edge in page["edges"]]


def test_projects_come_in_pages(client: Client) -> None:
    """Every project is on one page exactly, in the order of names."""
    create(client, "c", "a", "b")

    pages: list[dict[str, Any]] = []
    cursor = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(client.ask(GET_PROJECTS, entity="main", cursor=cursor, perPage=2)["models"])
        cursor = pages[-1]["pageInfo"]["endCursor"]

    assert [names_of(page) for page in pages] == [["a", "b"], ["c"]]
    node = pages[0]["edges"][0]["node"]
    assert node["entityName"] == node["user"]["username"] == "main"
    assert node["createdAt"].endswith("Z")
    assert node["isBenchmark"] is False


def test_a_cursor_that_is_none_begins_at_the_start(client: Client) -> None:
    """What is no cursor of ours is taken as none."""
    create(client, "a")

    page = client.ask(GET_PROJECTS, entity="main", cursor="!", perPage=10)["models"]

    assert names_of(page) == ["a"]


def test_project_by_name(client: Client) -> None:
    """A project has the ids that clients keep, and says whose it is."""
    create(client, "digits")

    project = client.ask(GET_PROJECT, name="digits", entity="main")["project"]

    assert ids.decode("Project", project["id"])
    assert ids.decode("ProjectInternalId", project["internalId"]) == ids.decode("Project", project["id"])
    assert project["entity"]["name"] == project["entityName"] == "main"
    assert project["readOnly"] is False


@pytest.mark.parametrize(("name", "entity"), [("none", "main"), ("digits", "others"), ("digits", "nobody")])
def test_project_that_is_not_there_is_null(client: Client, name: str, entity: str) -> None:
    """Whether it or its team is missing, the answer is null without an error."""
    create(client, "digits")

    assert client.ask(GET_PROJECT, name=name, entity=entity) == {"project": None}


def test_projects_of_a_team_that_the_key_does_not_reach(client: Client, other_team: Client) -> None:
    """The client is told why, in words and with a status that it does not try again."""
    response = client.post(GET_PROJECTS, entity="others")

    assert response.status_code == 404
    (error,) = response.json()["errors"]
    assert "'others'" in error["message"]
    assert error["extensions"]["code"] == "not_found"


def test_project_is_made_once(client: Client) -> None:
    """Making a project again gives the same one, and says that it was there."""
    first = client.ask(CREATE, input={"name": "digits", "entityName": "main"})["result"]
    second = client.ask(CREATE, input={"name": "digits", "entityName": "main"})["result"]

    assert (first["inserted"], second["inserted"]) == (True, False)
    assert first["project"] == second["project"]
    assert first["project"]["id"] == first["model"]["id"]


def test_project_made_by_an_old_client(client: Client) -> None:
    """Variables inside of an object literal are filled in, and null ones say nothing."""
    made = client.ask(OLD_CREATE, name="digits", entity="main", id=None)

    assert made == {"upsertModel": {"model": {"name": "digits", "description": None}}}


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "x" * 129, "line\nbreak", None, "nul\0"])
def test_name_that_no_project_may_have(client: Client, name: str | None) -> None:
    """It is refused for good, with the field and what to do."""
    response = client.post(CREATE, input={"name": name, "entityName": "main"})

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"]["field"] == "name"
    assert error["extensions"]["fix"] in error["message"]


def test_key_of_one_project_sees_that_one(client: Client, url: str) -> None:
    """Other projects of the team are not there for it, and it makes none."""
    create(client, "a", "b")
    with db.transaction() as tx:
        only = projects.project_id(tx, keys.team_id(tx, "main"), "b")
    limited = Client(url, key_of("main", "ingest", "read", project_id=only))

    with limited.http:
        listed = names_of(limited.ask(GET_PROJECTS, entity="main")["models"])
        other = limited.ask(GET_PROJECT, name="a", entity="main")["project"]
        refused = limited.post(CREATE, input={"name": "c"})
        again = limited.ask(CREATE, input={"name": "b"})["result"]

    assert listed == ["b"]
    assert other is None
    assert refused.status_code == 403
    assert again["inserted"] is False


def test_sweeps_and_reports_are_empty(client: Client) -> None:
    """What this server does not keep is an empty page where clients fail on null."""
    create(client, "digits")

    sweeps = client.ask(SWEEPS, project="digits", entity="main")["project"]
    views = client.ask(VIEWS, project="digits", entity="main")["project"]

    empty = {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}
    assert sweeps == {"totalSweeps": 0, "sweeps": empty}
    assert views == {"allViews": empty}


def test_automations_are_empty(client: Client) -> None:
    """Lists of what this server does not have are empty, whatever is asked for below them."""
    create(client, "digits")
    triggers = "triggers { edges { node { id scope { name } } } pageInfo { hasNextPage } }"

    scope = client.ask(f'{{ scope: entity(name: "main") {{ {triggers} }} }}')["scope"]
    projects = client.ask("{ viewer { projects { edges { node { name triggers { id enabled } } } } } }")

    assert scope == {"triggers": {"edges": [], "pageInfo": {"hasNextPage": False}}}
    assert projects["viewer"]["projects"]["edges"] == [{"node": {"name": "digits", "triggers": []}}]


def test_custom_chart_is_kept_and_replaced(client: Client) -> None:
    """A preset has the id `team/name`; one of the same name takes its place."""
    chart = {"entity": "main", "chartName": "bars", "displayName": "Bars", "chartType": "Vega2"}

    answers = [
        client.ask(CHART, **chart, access="PRIVATE", spec=spec)["createCustomChart"]["chart"]["id"]
        for spec in ('{"mark":"bar"}', '{"mark":"line"}')
    ]

    assert answers == ["main/bars", "main/bars"]
    with db.transaction() as tx:
        assert custom_charts.spec_of(tx, keys.team_id(tx, "main"), "bars") == '{"mark":"line"}'


def test_custom_charts_are_for_keys_of_the_team(
    client: Client, server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key for one project changes no preset of its team, and a team keeps only so many."""
    create(client, "digits")
    with db.transaction() as tx:
        team = keys.team_id(tx, "main")
        project = projects.project_id(tx, team, "digits")
        key = keys.create(
            tx, team, "ci", ["ingest", "read"], keys.pepper(server_settings), project_id=project
        )
    chart = {"entity": "main", "displayName": "B", "chartType": "Vega2", "access": "PRIVATE", "spec": "{}"}
    monkeypatch.setattr(custom_charts, "MOST", 1)

    for _ in range(2):
        client.ask(CHART, **chart, chartName="bars")
    full = client.post(CHART, **chart, chartName="more")
    narrow = Client(client.url, key)
    with narrow.http:
        refused = narrow.post(CHART, **chart, chartName="bars")

    assert full.json()["errors"][0]["extensions"]["limit"] == 1
    assert refused.json()["errors"][0]["extensions"]["field"] == "name", refused.text


@pytest.mark.parametrize("spec", ["", "no json", "[1]", "1"])
def test_custom_chart_needs_a_spec(client: Client, spec: str) -> None:
    """A spec that is no JSON object is refused for good."""
    response = client.post(CHART, entity="main", chartName="bars", access="PUBLIC", spec=spec)

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["field"] == "spec"
