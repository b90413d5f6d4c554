"""Every GraphQL operation of three versions of the client, as data: what is selected, with what variables.

The newest file lists all operations in that client's source; the older ones those that it was seen to send.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runhue_server.gateway.service import Gateway
from runhue_shared import db
from runhue_shared.db import gateway_unknown
from runhue_shared.settings import Settings
from tests.integration.gateway.conftest import Client, key_of, serving
from tests.waiting import eventually

FOLDER = Path(__file__).parent
VERSIONS = ("0.19.11", "0.21.4", "0.31.0")

NOT_OURS = (
    "apis/public/jobs.py",
    "apis/public/sweeps.py",
    "sdk/launch/",
    "automations/",
)
"""Modules of the client for launch, sweeps and automations, which this server has none of."""

NOT_OURS_EITHER = frozenset(
    {
        # launch and sweeps, from the client's core and its generated operations
        "CreateDefaultResourceConfig",
        "CreateRunQueue",
        "UpsertRunQueue",
        "EnqueueSweepRun",
        "UpsertSweepState",
        "SweepConfig",
        "SweepRunsWithHistory",
        "SweepWatchedRuns",
        "GetSweep",
        "GetSweepLegacy",
        "GetSweepAgent",
        "GetSweepAgents",
        "GetAgentRuns",
        # people, their keys, invitations and organizations of the vendor's service
        "CreateTeam",
        "CreateInvite",
        "DeleteInvite",
        "CreateServiceAccount",
        "CreateUserFromAdmin",
        "GenerateApiKey",
        "DeleteApiKey",
        "FetchOrgInfoFromEntity",
        "FetchOrganization",
        "FetchOrgEntityFromEntity",
        "OrgFeatureFlags",
        # registries of models over all projects of an organization
        "FetchAdvancedRegistryFeatures",
        "RegistryVersions",
        "RegistryCollections",
        "FetchRegistry",
        "FetchRegistries",
        "RenameRegistry",
        "UpsertRegistry",
        "DeleteRegistry",
        "RegistryUserMembers",
        "RegistryTeamMembers",
        "CreateRegistryMembers",
        "DeleteRegistryMembers",
        "UpdateUserRegistryRole",
        "UpdateTeamRegistryRole",
        # features that are announced as absent
        "CompleteMultipartUploadArtifact",
        "EvalTableProjectScope",
    }
)

Tree = Mapping[str, Any]  # field with its argument names -> tree


class Operation(NamedTuple):
    """`key` is unique and a GraphQL name."""

    key: str
    name: str
    document: str
    is_ours: bool


def operations() -> Iterator[Operation]:
    """All of all versions."""
    for version in VERSIONS:
        found = json.loads((FOLDER / f"operations_{version}.json").read_text(encoding="utf-8"))
        for number, (source, operation) in enumerate(found.items()):
            key = f"v{version.replace('.', '_')}_{number}_{operation['name'] or 'anonymous'}"
            variables = ", ".join(f"${name}: {type_}" for name, type_ in operation["variables"].items())
            head = f"{operation['kind']} {key}" + (f"({variables})" if variables else "")
            ours = operation["name"] not in NOT_OURS_EITHER and not any(part in source for part in NOT_OURS)
            yield Operation(key, operation["name"], f"{head} {_selection(operation['fields'])}", ours)


def _selection(tree: Tree) -> str:
    return "{ " + " ".join(_field(name, below) for name, below in tree.items()) + " }"


def _field(name: str, below: Tree) -> str:
    """A field as recorded: `alias:field(argument,argument)<Type>`; every argument is null."""
    name, _, on_type = name.partition("<")
    field, _, arguments = name.partition("(")
    given = ", ".join(f"{argument}: null" for argument in arguments.rstrip(")").split(",") if argument)
    selection = _selection(below) if below else ""
    if on_type:
        selection = f"{{ ... on {on_type.rstrip('>')} {selection} }}"
    return field + (f"({given})" if given else "") + selection


OPERATIONS = tuple(operations())


@pytest.fixture
def client(server_settings: Settings) -> Iterator[Client]:
    with serving(Gateway()) as url:
        client = Client(url, key_of("main", "ingest", "read"))
        with client.http:
            yield client


def ask(client: Client, operation: Operation) -> Any:  # JSON
    """The answer; it must be one that a client takes for an answer."""
    body = {"query": operation.document, "operationName": operation.key, "variables": {}}
    response = client.http.post("/graphql", json=body)
    assert response.status_code < 500, (operation.name, response.status_code, response.text[:500])
    return response.json()


def test_the_files_hold_operations() -> None:
    """All versions, more than 200 operations, most of them ours."""
    assert len({operation.key for operation in OPERATIONS}) == len(OPERATIONS) > 200
    assert sum(operation.is_ours for operation in OPERATIONS) > 150


def test_every_operation_is_answered_softly(client: Client) -> None:
    """Without any variable: data or errors, never a status that the client tries again for minutes."""
    for operation in OPERATIONS:
        answer = ask(client, operation)
        assert "data" in answer or answer["errors"], operation.name


def test_our_schema_has_all_that_is_selected(client: Client) -> None:
    """No field, argument, type or input of an operation that we serve is unknown."""
    for operation in OPERATIONS:
        if operation.is_ours:
            ask(client, operation)
    marker = Operation("Marker", "Marker", "query Marker { viewer { noSuchField } }", False)
    ask(client, marker)  # when it is counted, so is all before it

    unknown: list[tuple[str, str, str]] = []

    def counted() -> bool:
        with db.transaction() as tx:
            unknown[:] = [(one.operation, one.kind, one.name) for one in gateway_unknown.listed(tx, 10_000)]
        return any(operation == "Marker" for operation, _, _ in unknown)

    assert eventually(counted, seconds=30)
    assert sorted(one for one in unknown if one[0] != "Marker") == []


def test_what_we_do_not_serve_is_counted_by_name(client: Client) -> None:
    """So `runhue doctor --gateway` can list it."""
    asked = {operation.key for operation in OPERATIONS if not operation.is_ours}
    for operation in OPERATIONS:
        if not operation.is_ours:
            ask(client, operation)

    def counted() -> set[str]:
        with db.transaction() as tx:
            return {one.operation for one in gateway_unknown.listed(tx, 10_000)}

    assert eventually(lambda: len(counted() & asked) > len(asked) / 2, seconds=30), asked - counted()
