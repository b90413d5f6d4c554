"""`POST /graphql`."""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from runhue_server.gateway.context import Context
from runhue_server.gateway.engine import Answer, Engine, refusal
from runhue_server.gateway.leniency import BadQuery, Operation
from runhue_server.gateway.service import Gateway
from runhue_server.gateway.unknown import Kind
from runhue_server.intake.body import BodyReader
from runhue_server.web.json_text import holds_lone_surrogate
from runhue_server.web.problems import Forbidden, Unauthenticated, as_problem
from runhue_shared.db.keys import Scope
from runhue_shared.settings import MEBIBYTE

BODY_BYTES = 25 * MEBIBYTE

LOGGING_READS = frozenset(
    {
        "viewer",
        "serverInfo",
        "entity",
        "organization",
        "clientIDMapping",
        "artifact",
        "model.id",
        "model.name",
        "model.entity",
        "model.bucket",
        "project.id",
        "project.internalId",
        "project.name",
        "project.entity",
        "project.artifact",
        "project.artifactType",
        "project.run.stopped",
        "project.run.id",
        "project.run.name",
        "project.run.state",
        "__schema",
        "__type",
        "__typename",
    }
)
"""What a script that only logs asks for, so a key without the scope `read` can: fields and all below them but
`FOR_READERS`."""

FOR_READERS = frozenset(
    {
        "Project.runs",
        "Run.history",
        "Run.sampledHistory",
        "Run.parquetHistory",
        "Run.historyKeys",
        "Run.events",
        "Run.systemMetrics",
        "Run.logLines",
        "Run.files",
    }
)
"""What no script that only logs asks for, at any depth: mutations, too, answer with runs and projects."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class GraphqlRoute:
    """Answers the route; the engine runs in the gateway's threads."""

    def __init__(self, gateway: Gateway, engine: Engine) -> None:
        self._gateway = gateway
        self._engine = engine
        self._body = BodyReader(gateway.load, BODY_BYTES)

    async def post(self, request: Request) -> Response:
        try:
            answer = await self._answer(request)
        except Unauthenticated as problem:
            # Clients know a bad key by this body.
            body = {"errors": [{"message": "user is not logged in", "extensions": {"code": problem.code}}]}
            answer = Answer(body, problem.status, problem.headers())
        except Exception as error:  # noqa: BLE001  # the one place that makes them answers
            answer = refusal(as_problem(error))
        return Response(_encoded(answer.body), answer.status, answer.headers, media_type="application/json")

    async def _answer(self, request: Request) -> Answer:
        self._gateway.load.require_database()
        context = await self._gateway.context(request)
        body = await self._body.read(request.receive)
        try:
            return await self._gateway.run(self._execute, body.content, context)
        finally:
            self._gateway.load.release(len(body.content))

    def _execute(self, content: bytes, context: Context) -> Answer:
        query, variables, name = decoded(content)
        operation = self._engine.read(query, name)
        allow(context, operation)
        note = functools.partial(self._note, operation.name, context.client)
        return self._engine.execute(operation, variables, context, note)

    def _note(self, operation: str, client: str, kind: Kind, name: str) -> None:
        self._gateway.unknown.note_unknown(operation, kind, name, client)


def decoded(content: bytes) -> tuple[str, Mapping[str, Any], str | None]:
    """(query, variables, operation name) of a request's body.

    Raises:
        BadQuery: it is no JSON object with a query.
    """
    if holds_lone_surrogate(content):
        raise BadQuery("the body holds half a surrogate pair, which is no character", field="body")
    try:
        request = _decode(content)
    except (ValueError, RecursionError) as error:
        request = _tolerantly_decoded(content, error)
    query, variables, name = (request.get(key) for key in ("query", "variables", "operationName"))
    if not isinstance(query, str):
        raise BadQuery(
            "the request has no query", field="query", fix="send {query, variables, operationName}"
        )
    return query, variables if isinstance(variables, dict) else {}, name if isinstance(name, str) else None


def _tolerantly_decoded(content: bytes, error: Exception) -> dict[str, Any]:
    """NaN and the infinities are taken, which Python clients write as bare words.

    Raises:
        BadQuery: it is no JSON object in this way either.
    """
    try:
        request = json.loads(content)
    except (ValueError, RecursionError):
        raise BadQuery(f"the body is no JSON: {error}", field="body", fix="send JSON in UTF-8") from None
    if not isinstance(request, dict):
        raise BadQuery("the body is no JSON object", field="body")
    return request


def allow(context: Context, operation: Operation) -> None:
    """Raises Forbidden: the key's scopes do not cover the operation."""
    principal = context.principal
    needed: Scope = "ingest" if operation.is_mutation else "read"
    if principal.may(needed):
        if principal.may("read") or FOR_READERS.isdisjoint(operation.fields):
            return
        needed = "read"
    elif not operation.is_mutation and _is_for_logging(operation):
        return
    raise Forbidden(
        f"key {principal.key_name!r} has scopes {sorted(principal.scopes)}, this needs {needed!r}",
        field="scopes",
        fix=f"use a key with scope {needed!r}",
    )


def _is_for_logging(operation: Operation) -> bool:
    return FOR_READERS.isdisjoint(operation.fields) and all(
        _is_logging_read(path, operation.paths) for path in operation.paths
    )


def _is_logging_read(path: str, asked: frozenset[str]) -> bool:
    parts = path.split(".")
    if any(".".join(parts[:length]) in LOGGING_READS for length in range(1, len(parts) + 1)):
        return True
    # What only leads to allowed fields is judged by those.
    return any(other.startswith(f"{path}.") for other in asked)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (OverflowError, TypeError, UnicodeEncodeError):
        return json.dumps(_sendable(body)).encode()


def _sendable(value: Any) -> Any:
    """JSON without what readers of it refuse: NaN and the infinities are null."""
    if isinstance(value, dict):
        return {str(name): _sendable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
