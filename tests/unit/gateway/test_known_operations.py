"""What the clients are known to ask of people, teams and projects is in the schema."""

import pytest

from runhue_server.gateway import app
from runhue_server.gateway.engine import Engine

USER = (
    "id name username email admin flags entity deletedAt apiKeys { edges { node { id name description } } }"
)
PAGE = "pageInfo { __typename endCursor hasNextPage }"

OPERATIONS = {
    "FetchOrgEntityFromEntity": "entity(name: $e) { organization { name orgEntity { name } } }",
    "FetchOrgInfoFromEntity": """entity(name: $e) { organization { name orgEntity { name } }
        user { organizations { name orgEntity { name } } } }""",
    "FetchOrganization": "organization(name: $o) { id name orgEntity { __typename id name entityType } }",
    "OrgFeatureFlags": "organization(name: $o) { featureFlags { rampKey isEnabled } }",
    "XXHashDigestsEnabled": "entity(name: $e) { xxhashDigestsEnabled }",
    "EntityIsTeam": "entity(name: $e) { id isTeam }",
    "GetProject": f"project(name: $p, entityName: $e) {{ id name createdAt isBenchmark user {{ {USER} }} }}",
    "IsProjectReadOnly": "project(entityName: $e, name: $p) { readOnly }",
    "EvalTableProjectScope": "project(entityName: $e, name: $p) { internalId }",
    "GetSweeps": f"""project(name: $p, entityName: $e) {{ totalSweeps
        sweeps(after: $a, first: $n, filters: $f) {{ {PAGE}
        edges {{ node {{ id name displayName method state bestLoss config runCount }} }} }} }}""",
    "GetSweep": "project(name: $p, entityName: $e) { sweep(sweepName: $s) { id name config } }",
    "ProjectViews": f"""project(name: $p, entityName: $e) {{
        allViews(viewType: $t, viewName: $v, first: $n, after: $a) {{
        edges {{ node {{ id name displayName user {{ username photoUrl }} spec }} cursor }} {PAGE} }} }}""",
    "ProjectRunQueues": "project(entityName: $e, name: $p) { runQueues { id name createdBy access } }",
    "GetAutomations": f"""scope: viewer {{ projects(after: $a, first: $n) {{ {PAGE}
        edges {{ node {{ __typename triggers {{ id name scope {{ __typename }} }} }} }} }} }}""",
    "GetEntityAutomations": f"""scope: entity(name: $e) {{
        triggers(after: $a, first: $n, order: $o, filters: $f) {{ {PAGE} edges {{ node {{ id }} }} }} }}""",
    "SearchUsers": f"""users(query: $q) {{ edges {{ node {{ {USER}
        teams {{ edges {{ node {{ name }} }} }} }} }} }}""",
    "Models": "models(first: 10, entityName: $e) { edges { node { id name description } } }",
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine of all modules."""
    return Engine(part.FIELDS for part in app.PARTS if hasattr(part, "FIELDS"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_of_it_is_unknown(engine: Engine, name: str) -> None:
    """Each field and argument of the operation is in the schema, so that nothing of it is counted."""
    assert engine.read(f"query {name} {{ {OPERATIONS[name]} }}", None).unknown == ()
