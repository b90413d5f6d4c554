"""Who the client is, and what the server says of itself."""

from runhue_shared import db
from runhue_shared.db import keys
from tests.integration.gateway.conftest import Client, key_of

VIEWER = """query Viewer {
  viewer { id entity flags username email teams { edges { node { name } } } }
  serverInfo {
    cliVersionInfo
    latestLocalVersionInfo { outOfDate latestVersionString versionOnThisInstanceString }
  }
}"""
GET_VIEWER = """query GetViewer { viewer { ...UserFragment } }
fragment UserFragment on User { ...UserInfoFragment apiKeys { edges { node { id name description } } }
  teams { edges { node { name } } } }
fragment UserInfoFragment on User { id name username email admin flags entity deletedAt }"""
FEATURES = "query ServerFeaturesQuery { serverInfo { features { name isEnabled } } }"
TEAM = """query GetTeamEntity($name: String!) { entity(name: $name) {
  id name available photoUrl readOnly readOnlyAdmin isTeam entityType privateOnly storageBytes
  codeSavingEnabled defaultAccess isPaid
  members { id admin pending email username name photoUrl accountType apiKey } } }"""
ORGANIZATION = """query OrganizationCoreWeaveOrganizationID($entityName: String!) {
  entity(name: $entityName) { organization { coreWeaveOrganizationId } } }"""
SEARCH = (
    "query SearchUsers($query: String) { users(query: $query) { edges { node { id username entity } } } }"
)


def let_reach(client: Client, team: str) -> None:
    """Make the client's key good for a further team."""
    with db.transaction() as tx:
        team_id = keys.team_id(tx, team)
        tx.execute(
            "INSERT INTO api_key_reach (key_id, team_id) SELECT id, %s FROM api_key WHERE prefix = %s",
            (team_id, client.key[: keys.PREFIX_LENGTH]),
        )


def test_viewer_is_the_team_of_the_key(client: Client) -> None:
    """A client that logs in learns the entity that it logs to: the key's team."""
    answer = client.ask(VIEWER)

    viewer = answer["viewer"]
    assert viewer["id"]
    assert viewer["entity"] == viewer["username"] == "main"
    assert viewer["flags"] == "{}"
    assert viewer["teams"] == {"edges": [{"node": {"name": "main"}}]}
    assert answer["serverInfo"]["cliVersionInfo"]["max_cli_version"] == "99.0.0"
    assert answer["serverInfo"]["latestLocalVersionInfo"] is None


def test_viewer_names_every_team_that_the_key_reaches(client: Client) -> None:
    """A key that is good for further teams shows them after its own."""
    let_reach(client, "vision")

    teams = client.ask(VIEWER)["viewer"]["teams"]["edges"]

    assert [edge["node"]["name"] for edge in teams] == ["main", "vision"]


def test_full_viewer_has_its_own_key_only(client: Client, other_team: Client) -> None:
    """The viewer shows the key that asks by its first characters and its name, and no other of the team."""
    key_of("main", "ingest")

    viewer = client.ask(GET_VIEWER)["viewer"]

    assert viewer["id"]
    assert viewer["name"] == viewer["username"] == viewer["entity"] == "main"
    assert viewer["admin"] is False
    assert viewer["deletedAt"] is None
    (edge,) = viewer["apiKeys"]["edges"]
    assert edge["node"]["name"] == client.key[: keys.PREFIX_LENGTH]
    assert edge["node"]["description"] == "test"
    assert client.key not in str(viewer)


def test_anonymous_query_of_old_clients(client: Client) -> None:
    """A query without name and variables is answered."""
    response = client.http.post("/graphql", json={"query": "{ viewer { id } }", "variables": None})

    assert response.status_code == 200
    assert response.json()["data"]["viewer"]["id"]


def test_features_that_the_client_may_use(client: Client) -> None:
    """The server names what of the wire it speaks, each enabled."""
    features = client.ask(FEATURES)["serverInfo"]["features"]

    assert all(feature["isEnabled"] for feature in features)
    names = {feature["name"] for feature in features}
    assert {"FILESTREAM_GZIP", "STRUCTURED_CONSOLE_LOGS", "MARK_RUN_FILES_UPLOADED", "CLIENT_IDS"} <= names


def test_team_of_the_key_as_entity(client: Client) -> None:
    """`Api().team()` of the key's team has it as its member."""
    entity = client.ask(TEAM, name="main")["entity"]

    assert entity["name"] == "main"
    assert entity["isTeam"] is True
    (member,) = entity["members"]
    assert member["username"] == "main"
    assert member["accountType"] == "USER"
    assert member["apiKey"] is None


def test_unknown_entity_is_a_name_without_anything(client: Client, other_team: Client) -> None:
    """Clients fail without an entity, so an unknown one and another team's look the same: empty."""
    unknown = client.ask(TEAM, name="nobody")["entity"]
    others = client.ask(TEAM, name="others")["entity"]

    assert unknown["name"] == "nobody"
    assert unknown["available"] is True
    assert unknown["members"] == []
    assert {**unknown, "name": "others"} == others


def test_entity_has_no_organization(client: Client) -> None:
    """What the client asks for at each start, for teams known and not."""
    assert client.ask(ORGANIZATION, entityName="main") == {"entity": {"organization": None}}
    assert client.ask(ORGANIZATION, entityName="nobody") == {"entity": {"organization": None}}


def test_users_are_those_that_the_key_knows(client: Client, other_team: Client) -> None:
    """A search finds people of teams that the key reaches, and no others."""
    let_reach(client, "vision")

    found = [
        [edge["node"]["username"] for edge in client.ask(SEARCH, query=name)["users"]["edges"]]
        for name in ("main", "vision", "others")
    ]

    assert found == [["main"], ["vision"], []]


def test_unauthenticated_is_answered_as_clients_know_it(url: str) -> None:
    """A key that is unknown or missing is 401 with the message by which clients tell it."""
    for client in (Client(url, "0" * 40), Client(url, "")):
        with client.http:
            response = client.post(VIEWER)
        assert response.status_code == 401
        assert response.json()["errors"][0]["message"] == "user is not logged in"


def test_key_with_a_prefix_logs_in(client: Client) -> None:
    """A key is good with `local-` before it, which some clients want."""
    with Client(client.url, f"local-{client.key}").http as http:
        response = http.post("/graphql", json={"query": "{ viewer { entity } }"})

    assert response.json() == {"data": {"viewer": {"entity": "main"}}}
