"""`docs/openapi.json` is what the API says, and the API says all that it should."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runhue_server.api.openapi import text

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    """What the app says now."""
    found: Document = json.loads(text())
    return found


def operations(document: Document) -> dict[str, Document]:
    return {
        f"{method.upper()} {path}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def promises(document: Document) -> dict[str, Any]:
    """What clients build on, without what varies between releases of the framework."""
    calls = {
        name: {
            "parameters": sorted(
                (parameter["in"], parameter["name"], parameter.get("required", False))
                for parameter in operation.get("parameters", [])
            ),
            "answers": sorted(operation["responses"]),
            "body": "requestBody" in operation,
            "key": bool(operation["security"]),
        }
        for name, operation in operations(document).items()
    }
    schemas = {
        name: (sorted(schema.get("properties", ())), sorted(schema.get("required", ())))
        for name, schema in document["components"]["schemas"].items()
    }
    return {"calls": calls, "schemas": schemas}


def test_document_is_the_stored_one(document: Document) -> None:
    """The stored document promises what the app does; `make openapi` writes it anew."""
    stored = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))

    assert promises(stored) == promises(document), "run `make openapi`"


def test_every_operation_explains_itself(document: Document) -> None:
    """Each call has a summary, its errors as problem details, and described parameters."""
    for name, operation in operations(document).items():
        assert operation["summary"], name
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
                assert answer["description"], (name, status)
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), (name, parameter)


def test_errors_that_every_call_has(document: Document) -> None:
    """A call that needs a key says what happens without one; all say what happens while servers are away."""
    for name, operation in operations(document).items():
        wanted = {"401", "403", "422", "503"} if operation["security"] else {"422", "503"}
        assert wanted <= set(operation["responses"]), name


def test_keys_are_described(document: Document) -> None:
    """Both ways to send a key are in the document; only the server's own address needs none."""
    assert {scheme["scheme"] for scheme in document["components"]["securitySchemes"].values()} == {
        "bearer",
        "basic",
    }
    assert [name for name, operation in operations(document).items() if not operation["security"]] == [
        "GET /api/v1/server"
    ]


def test_references_resolve(document: Document) -> None:
    """Every `$ref` names a schema that is there."""
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    "call",
    [
        "GET /api/v1/server",
        "GET /api/v1/viewer",
        "GET /api/v1/projects",
        "POST /api/v1/projects",
        "GET /api/v1/projects/{team}/{project}",
        "GET /api/v1/projects/{team}/{project}/runs",
        "GET /api/v1/projects/{team}/{project}/runs/{run}",
        "PATCH /api/v1/projects/{team}/{project}/runs/{run}",
        "DELETE /api/v1/projects/{team}/{project}/runs/{run}",
        "POST /api/v1/projects/{team}/{project}/runs/{run}/stop",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/health",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/console",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/alerts",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/charts",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/class-labels",
        "GET /api/v1/projects/{team}/{project}/metrics",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/metrics",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/history",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/rows",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/files",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/files/{path}",
        "PUT /api/v1/projects/{team}/{project}/runs/{run}/files/{path}",
        "DELETE /api/v1/projects/{team}/{project}/runs/{run}/files/{path}",
        "GET /api/v1/projects/{team}/{project}/runs/{run}/artifacts",
        "GET /api/v1/projects/{team}/{project}/artifacts",
        "GET /api/v1/projects/{team}/{project}/artifacts/{collection}/versions",
        "GET /api/v1/projects/{team}/{project}/artifacts/{collection}/versions/{version}",
        "GET /api/v1/projects/{team}/{project}/artifacts/{collection}/versions/{version}/files",
        "GET /api/v1/projects/{team}/{project}/artifacts/{collection}/versions/{version}/files/{path}",
        "GET /api/v1/projects/{team}/{project}/history",
        "GET /api/v1/projects/{team}/{project}/workspaces",
        "POST /api/v1/projects/{team}/{project}/workspaces",
        "GET /api/v1/workspaces/{workspace}",
        "PATCH /api/v1/workspaces/{workspace}",
        "DELETE /api/v1/workspaces/{workspace}",
        "GET /api/v1/projects/{team}/{project}/color-keys",
        "GET /api/v1/workspaces/{workspace}/coloring",
        "GET /api/v1/workspaces/{workspace}/coloring/legend",
        "GET /api/v1/workspaces/{workspace}/coloring/settings",
        "PUT /api/v1/workspaces/{workspace}/coloring/settings",
        "GET /api/v1/workspaces/{workspace}/coloring/settings/history",
        "GET /api/v1/workspaces/{workspace}/coloring/stream",
        "GET /api/v1/projects/{team}/{project}/stream",
        "GET /api/v1/keys",
        "POST /api/v1/keys",
        "POST /api/v1/keys/{key_id}/rotate",
        "DELETE /api/v1/keys/{key_id}",
        "GET /api/v1/legends/{legend_id}",
        "GET /api/v1/palettes",
    ],
)
def test_every_call_of_the_contract_is_there(document: Document, call: str) -> None:
    """docs/api.md promises these calls."""
    assert call in operations(document)


def test_no_call_is_beside_the_contract(document: Document) -> None:
    """Nothing is served that docs/api.md does not name."""
    assert len(operations(document)) == 72
