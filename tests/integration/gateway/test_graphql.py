"""`POST /graphql`: what it takes, what it makes of the unknown, and how it refuses."""

from typing import Any

import httpx
import msgspec
import pytest

from runhue_server.gateway.graphql_route import BODY_BYTES
from runhue_server.gateway.leniency import DEEPEST, LONGEST_QUERY
from runhue_server.gateway.service import Gateway
from runhue_shared import db
from runhue_shared.db import gateway_unknown
from runhue_shared.settings import Settings
from tests.conftest import forget_settings
from tests.integration.gateway.conftest import Client, key_of, serving

CREATE = "mutation($name: String) { upsertModel(input: {name: $name}) { inserted } }"
NEWER = """query Newer($depth: Colour!, $flag: Boolean = true) {
  viewer { id mood(deep: $depth) { today } username @shiny ...on Robot { wheels } ...Missing }
  entity(name: "main", colour: $depth) { name @include(if: $flag) }
  weather(in: "town") { today }
}"""


def counted(gateway: Gateway) -> set[tuple[str, str]]:
    """(kind, name) of everything that was not known so far."""
    gateway.unknown.flush()
    with db.transaction() as tx:
        return {(one.kind, one.name) for one in gateway_unknown.listed(tx)}


def test_what_is_known_is_answered_and_the_rest_is_null(client: Client) -> None:
    """Unknown fields are null, unknown arguments, types, fragments and directives are passed over."""
    response = client.post(NEWER, depth={"h": 1})

    body = response.json()
    assert response.status_code == 200
    viewer = body["data"]["viewer"]
    assert viewer["username"] == "main"
    assert viewer["mood"] is None
    assert body["data"]["entity"] == {"name": "main"}


def test_unknown_root_field_is_null_and_said(client: Client) -> None:
    """An operation that this server does not do is null, with an entry of `errors` under its key."""
    response = client.post("mutation CreateTeam { result: createTeam(input: {}) { entity { id } } }")

    body = response.json()
    assert response.status_code == 200
    assert body["data"] == {"result": None}
    (error,) = body["errors"]
    assert error["path"] == ["result"]
    assert error["message"] == "this server does not do createTeam"
    assert error["extensions"]["code"] == "unsupported"


def test_each_unknown_thing_is_counted(client: Client, gateway: Gateway) -> None:
    """Operations, fields, arguments, types and input fields that are not known are in the table, by name."""
    client.post(NEWER, depth={"h": 1})
    client.post(
        "mutation M($input: UpsertModelInput!) { upsertModel(input: $input) { inserted } }",
        input={"name": "digits", "tint": 3},
    )

    assert counted(gateway) == {
        ("operation", "weather"),
        ("field", "User.mood"),
        ("argument", "Query.entity(colour)"),
        ("argument", "@shiny"),
        ("type", "Colour"),
        ("type", "Robot"),
        ("input", "UpsertModelInput.tint"),
    }


def test_counts_add_up_by_client(client: Client, url: str, gateway: Gateway) -> None:
    """The same thing from the same client is one row that counts; another client has its own."""
    old = Client(url, client.key, "W&B Internal Client 0.19.11 (Linux 6.1)")
    with old.http:
        old.post("query Q { viewer { mood } }")
    for _ in range(2):
        client.post("query Q { viewer { mood } }")
        gateway.unknown.flush()

    with db.transaction() as tx:
        rows = [(one.operation, one.client, one.count) for one in gateway_unknown.listed(tx)]

    assert rows == [("Q", "wandb-core", 2), ("Q", "W&B Internal Client 0.19.11", 1)]


def test_unknown_paths_are_counted_without_names(client: Client, gateway: Gateway) -> None:
    """A path that is not here is 404 and counted, unless clients only probe it or nobody asks."""
    scanner = httpx.get(f"{client.url}/wp-admin/setup.php", trust_env=False)
    statuses = [
        client.http.post(path).status_code
        for path in ("/sdk/otel/v1/metrics", "/oidc/token", "/proxy/some/secret")
    ]

    assert statuses == [404, 404, 404]
    assert scanner.status_code == 404
    assert counted(gateway) == {("path", "POST /proxy/...")}


@pytest.mark.parametrize(("origin", "status"), [(None, 204), ("https://evil.example", 404)])
def test_pages_of_other_addresses_get_no_leave(url: str, origin: str | None, status: int) -> None:
    """A page of this address may ask across origins, as `wandb verify` checks; no other may."""
    headers = {"Origin": origin or url, "Access-Control-Request-Method": "GET"}

    answer = httpx.options(f"{url}/files/main/p/r/f", headers=headers, trust_env=False)

    assert answer.status_code == status
    assert answer.headers.get("Access-Control-Allow-Origin") == (None if origin else url)


def test_oldest_clients_probe_types_that_they_fail_without(client: Client) -> None:
    """Each type that 0.19.11 looks into while it logs and syncs is there, with fields."""
    kinds = {
        "fields": ["Query", "Mutation", "ServerInfo", "ServerSettings", "Organization", "Project", "Run"]
    }
    kinds["fields"].append("Artifact")
    kinds["inputFields"] = [
        "AddAliasesInput",
        "CreateArtifactFileSpecInput",
        "CreateArtifactInput",
        "DeleteFilesInput",
        "UseArtifactInput",
    ]
    for kind, names in kinds.items():
        for name in names:
            found = client.ask(f'{{ T: __type(name: "{name}") {{ {kind} {{ name }} }} }}')["T"]
            assert found, name
            assert found[kind], name


def test_introspection_of_old_clients(client: Client) -> None:
    """What they probe before they ask: fields of types, fields of inputs, and types that are not there."""
    answer = client.ask(
        """query ProbeServerCapabilities {
          QueryType: __type(name: "Query") { ...fieldData }
          MutationType: __type(name: "Mutation") { ...fieldData }
          ServerInfoType: __type(name: "ServerInfo") { ...fieldData }
          ServerSettingsType: __type(name: "ServerSettings") { ...fieldData }
          LaunchAgentType: __type(name: "LaunchAgent") { ...fieldData }
        }
        fragment fieldData on __Type { fields { name } }"""
    )
    inputs = client.ask(
        "query InputFields($typeName: String!) {"
        " TypeInfo: __type(name: $typeName) { inputFields { name } } }",
        typeName="UpsertModelInput",
    )
    arguments = client.ask('{ __type(name: "Project") { fields { name args { name } } } }')

    names = {
        alias: {one["name"] for one in (found or {}).get("fields", ())} for alias, found in answer.items()
    }
    assert {"viewer", "project", "models", "serverInfo"} <= names["QueryType"]
    assert {"upsertModel", "createCustomChart"} <= names["MutationType"]
    assert {"cliVersionInfo", "latestLocalVersionInfo"} <= names["ServerInfoType"]
    assert names["ServerSettingsType"]
    assert answer["LaunchAgentType"] is None
    assert {"name", "entityName"} <= {one["name"] for one in inputs["TypeInfo"]["inputFields"]}
    sweeps = next(one for one in arguments["__type"]["fields"] if one["name"] == "sweeps")
    assert {one["name"] for one in sweeps["args"]} == {"after", "first", "filters"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"query": 1}',
        b'{"query": ""}',
        b'{"query": "{ viewer"}',
        b'{"query": "fragment F on User { id }"}',
        b'{"query": "subscription { viewer { id } }"}',
        b'{"query": "{ viewer(a: \\ud800) { id } }"}',
        b"[" * 100_000,
        b'{"query": "{ viewer { id } }", "variables": ' + b"[" * 100_000,
        msgspec.json.encode(
            {"query": "{ viewer" + "{ defaultEntity { user" * DEEPEST + " }" * (2 * DEEPEST + 1)}
        ),
        msgspec.json.encode({"query": "{" * 100_000}),
        msgspec.json.encode({"query": "{ viewer(a: " + "[" * 15_000}),
        msgspec.json.encode({"query": "{ ...F } fragment F on Query { ...F }"}),
        msgspec.json.encode({"query": "{ a " + "b " * (LONGEST_QUERY // 2) + "}"}),
    ],
)
def test_what_is_no_query_is_refused_for_good(client: Client, body: bytes) -> None:
    """No JSON, no GraphQL, and more of it than anyone needs: 400 with what is wrong."""
    response = client.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["message"]


def test_bodies_are_bounded(client: Client) -> None:
    """A body over the limit is refused, with a status after which no client asks again."""
    response = client.http.post("/graphql", content=b" " * (BODY_BYTES + 1))

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["limit"] == BODY_BYTES


def test_large_variables_are_taken(client: Client) -> None:
    """A body below the limit is taken whole."""
    spec = msgspec.json.encode({"data": "x" * 900_000}).decode()

    answer = client.ask(
        "mutation($spec: JSONString) {"
        ' createCustomChart(input: {name: "big", spec: $spec}) { chart { id } } }',
        spec=spec,
    )

    assert answer["createCustomChart"]["chart"]["id"] == "main/big"


@pytest.mark.parametrize(
    "body",
    [
        '{"query": "{ viewer { username } }", "variables": {"loss": NaN, "top": [Infinity, -Infinity]}}',
        '{"query": "{ viewer { username } }", "variables": [1], "operationName": 5}',
        '{"query": "{ viewer { username } }", "variables": {"v": 1'
        + "0" * 400
        + '}, "operationName": "Other"}',
        '{"query": "query A { viewer { username } } query B { viewer { id } }", "extensions": {}}',
    ],
)
def test_what_clients_write_is_taken(client: Client, body: str) -> None:
    """Bare NaN, odd variables, numbers without end and several operations do not keep it from an answer."""
    response = client.http.post("/graphql", content=body)

    assert response.json() == {"data": {"viewer": {"username": "main"}}}


def test_refusal_in_company_leaves_the_rest(client: Client) -> None:
    """With other root fields beside it, a refused one is null and the answer is 200 with `errors`."""
    response = client.post(
        'mutation { bad: upsertModel(input: {name: "a/b"}) { inserted }'
        ' good: upsertModel(input: {name: "ab"}) { inserted } }'
    )

    body = response.json()
    assert response.status_code == 200
    assert body["data"] == {"bad": None, "good": {"inserted": True}}
    (error,) = body["errors"]
    assert error["path"] == ["bad"]
    assert error["extensions"]["field"] == "name"


def test_a_value_that_no_column_holds_is_refused_for_good(client: Client) -> None:
    """NUL in text is nobody's outage: 400 or an empty answer, never a status that is tried again."""
    found = client.post("query($q: String) { entity(name: $q) { name } project(name: $q) { id } }", q="a\0b")

    assert found.status_code == 200
    assert found.json()["data"] == {"entity": {"name": "a\0b"}, "project": None}


def test_key_that_only_logs_reads_what_logging_needs(url: str, client: Client) -> None:
    """A key without `read` may init and resume, and may not list."""
    client.ask(CREATE, name="digits")
    logger = Client(url, key_of("main", "ingest"))
    with logger.http:
        allowed = [
            logger.post(
                "{ viewer { id entity teams { edges { node { name } } } } serverInfo { features { name } } }"
            ),
            logger.post(
                '{ model(name: "digits") { id name entity { name } bucket(name: "r") { id config } } }'
            ),
            logger.post('{ entity(name: "main") { organization { coreWeaveOrganizationId } } }'),
            logger.post('{ project(name: "digits") { run(name: "r") { stopped } } }'),
            logger.post('{ __type(name: "Run") { fields { name } } }'),
            logger.post(CREATE, name="digits"),
        ]
        refused = [
            logger.post('{ models(entityName: "main") { edges { node { name } } } }'),
            logger.post('{ project(name: "digits") { runs { edges { node { id } } } } }'),
            logger.post('{ project(name: "digits") { run(name: "r") { config } } }'),
            logger.post('{ model(name: "digits") { bucket(name: "r") { id history } } }'),
            logger.post('{ artifact(id: "") { createdBy { ... on Run { files { totalCount } } } } }'),
            logger.post(
                'mutation { upsertBucket(input: {modelName: "digits", name: "r"})'
                " { bucket { project { runs { edges { node { config } } } } } } }"
            ),
        ]

    assert [one.status_code for one in allowed] == [200] * 6
    assert [one.status_code for one in refused] == [403] * 6
    assert "'read'" in refused[0].json()["errors"][0]["message"]


def test_key_that_only_reads_changes_nothing(url: str, client: Client) -> None:
    """A mutation needs the scope `ingest`."""
    reader = Client(url, key_of("main", "read"))
    with reader.http:
        refused = reader.post(CREATE, name="digits")
        allowed = reader.post("{ models { edges { node { name } } } }")

    assert refused.status_code == 403
    assert allowed.json()["data"] == {"models": {"edges": []}}


def test_database_away_is_503(
    server_settings: Settings, url: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients wait and ask again after 503; anything else would lose the run."""
    monkeypatch.setenv("RUNHUE_DATABASE_URL", "postgresql://nobody@/none?host=/nowhere")
    forget_settings()

    response = client.post("{ viewer { id } }")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert response.json()["errors"][0]["extensions"]["code"] == "unavailable"


def test_path_prefix_of_the_public_address(
    server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a path in its public address the server answers below that path, and without it."""
    monkeypatch.setenv("RUNHUE_PUBLIC_URL", "https://tracking.example/runhue/")
    forget_settings()
    with serving(Gateway()) as url, Client(url, key_of("main", "read")).http as http:
        answers = [
            http.post(f"{path}/graphql", json={"query": "{ viewer { username } }"}).json()
            for path in ("/runhue", "")
        ]

    assert answers == [{"data": {"viewer": {"username": "main"}}}] * 2


def test_ready_when_the_database_is_there(client: Client) -> None:
    """`/ready` is for harnesses that wait for a server."""
    assert [httpx.get(f"{client.url}{path}").status_code for path in ("/ready", "/readyz", "/healthz")] == [
        200
    ] * 3
    assert "runhue_ingest" in httpx.get(f"{client.url}/metrics").text


def test_answers_are_the_same_twice(client: Client) -> None:
    """A query and a mutation that come again get the same answer."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("{ viewer { id username } }", {}),
        (CREATE.replace("inserted", "model { id name }"), {"name": "digits"}),
    ]

    for query, variables in asked:
        assert client.ask(query, **variables) == client.ask(query, **variables)
