"""The OpenAPI document's common parts: what errors every route can answer, and how keys are sent."""

from typing import Any

from runhue_server.api.models_runs import ProblemDetails
from runhue_server.web.problems import MEDIA_TYPE

_CAUSES = {
    401: "`unauthenticated`: no key, or one that is unknown, expired or revoked",
    403: "`forbidden`: the key's scopes do not cover this",
    404: "`project_not_found`, `run_not_found`, `workspace_not_found` or `file_not_found`, for this key",
    409: "the name is taken; `parts_missing`: parts of a file have not come",
    410: "`version_gone`: the version is too old; `current_version` says which is there. `file_expired`: the"
    " project keeps media for a time only",
    412: "`settings_changed`: somebody else changed them meanwhile",
    413: "`body_too_large`: more than 1 MB; `file_too_large`: more than the server keeps of a file",
    422: "a field, a filter, a cursor or a parameter is wrong; `field` names it, `fix` says what to do",
    428: "`precondition_required`: send `If-Match` with the ETag you read, or `*`",
    503: "`unavailable`: the database or Redis is away; send the same request again",
}

EVERYWHERE = (401, 403, 422, 503)

OPEN_PATHS = frozenset({"/api/v1/server"})
"""Paths that need no key."""

Responses = dict[int | str, dict[str, Any]]
"""What FastAPI takes as `responses`."""


def errors(*statuses: int) -> Responses:
    """The errors of a route: those every route has, and `statuses`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": _CAUSES[status], "content": content}
        for status in sorted({*EVERYWHERE, *statuses})
    }


OPEN_ERRORS: Responses = {status: errors()[status] for status in (422, 503)}
"""The errors of a route that needs no key."""


def problem_schema() -> dict[str, Any]:
    """The schema that every error's content refers to."""
    return ProblemDetails.model_json_schema()


def finish(document: dict[str, Any]) -> dict[str, Any]:
    """Say how keys are sent and what errors look like; drop what FastAPI says of errors we do not send."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "an API key"},
        "basic": {"type": "http", "scheme": "basic", "description": "any user name, the API key as password"},
    }
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["ProblemDetails"] = problem_schema()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if path in OPEN_PATHS else [{"bearer": []}, {"basic": []}]
    return document
