"""Errors as RFC 9457 problem details; only this module turns an exception into a response."""

import http
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
import redis
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
TELLING = frozenset({"missing", "extra_forbidden"})
"""Errors of pydantic that are about a field's name, so that no value explains them."""

LONGEST_SHOWN = 100

SERVERS_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, redis.ConnectionError, redis.TimeoutError)
"""What the drivers raise while Postgres or Redis is away; it is answered as 503 `unavailable`."""

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """A request refused. Subclasses name the condition: `status` is HTTP's, `code` is stable and snake_case.

    `detail` names the field, the limit and what came; `fix` says what to do; `retry_after` is in
    seconds and becomes a header; `more` are further members of the answer (`expected_seq=3`).
    """

    status: int = 400
    code: str = "bad_request"

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        limit: int | float | None = None,
        fix: str | None = None,
        retry_after: float | None = None,
        **more: Any,  # JSON values of the condition
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.limit = limit
        self.fix = fix
        self.retry_after = retry_after
        self.more = more

    def members(self) -> dict[str, Any]:
        """The JSON object of the answer (RFC 9457, section 3)."""
        optional = {"field": self.field, "limit": self.limit, "fix": self.fix}
        return {
            "type": f"urn:runhue:error:{self.code}",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **{name: value for name, value in optional.items() if value is not None},
            **self.more,
        }

    def headers(self) -> dict[str, str]:
        if self.retry_after is None:
            return {}
        return {"Retry-After": f"{self.retry_after:g}"}


class Unauthenticated(Problem):
    """No key came, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="runhue", Basic realm="runhue"'}


class Forbidden(Problem):
    """The key is good, but its scopes do not cover this."""

    status = 403
    code = "forbidden"


class NotFound(Problem):
    """Nothing with that name is there for the key's team."""

    status = 404
    code = "not_found"


class Invalid(Problem):
    """A field of the request is missing, of the wrong type or out of range."""

    status = 422
    code = "invalid_request"


class Unavailable(Problem):
    """A server behind this one is away; the same request may be sent again."""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str = "the database is not reachable right now") -> None:
        super().__init__(detail, fix="send the same request again", retry_after=RETRY_SECONDS)


class Broken(Problem):
    """A fault of this server; the log has the trace."""

    status = 500
    code = "internal_error"


class _Http(Problem):
    """What the framework itself refuses: no such route, no such method."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail, fix="compare the method and the path with the reference")
        self.status = status
        self.code = http.HTTPStatus(status).name.lower()


def problem_response(problem: Problem) -> Response:
    """The answer for a refused request."""
    return Response(
        msgspec.json.encode(problem.members()), problem.status, problem.headers(), media_type=MEDIA_TYPE
    )


def as_problem(error: Exception) -> Problem:
    """The problem that `error` is to a client; anything unknown is `Broken` and logged with its trace."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, SERVERS_AWAY) and not isinstance(error, psycopg.errors.ProgramLimitExceeded):
        _log.warning("server_away", error=str(error))
        return Unavailable()
    if isinstance(error, HTTPException):
        return _refused_by_framework(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    _log.error("request_failed", exc_info=error)
    return Broken("the server failed to answer; its log has the reason")


def _refused_by_framework(error: HTTPException) -> Problem:
    if isinstance(error.__cause__, ValueError):  # what FastAPI could not decode
        return _no_json(str(error.__cause__))
    return _Http(error.status_code, error.detail)


def _invalid(error: RequestValidationError) -> Invalid:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _no_json(f"{first['ctx']['error']} at character {first['loc'][-1]}")
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    field = ".".join(where) or "body"
    came = "" if first["type"] in TELLING else f", got {_shown(first['input'])}"
    return Invalid(
        f"{field}: {first['msg']}{came}", field=field, fix="send the field as the reference describes it"
    )


def _shown(came: object) -> str:
    """A value of a request as an error repeats it: short, and no whole object or list."""
    if isinstance(came, dict):
        return "an object"
    if not isinstance(came, str | int | float | None):
        return f"a {type(came).__name__}"
    text = json.dumps(came)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _no_json(why: str) -> Invalid:
    return Invalid(f"the body is no JSON: {why}", field="body", fix="send JSON in UTF-8")


def install(app: Starlette) -> None:
    """Answer every error of `app` (Starlette or FastAPI) as problem details."""

    async def answer(_request: Request, error: Exception) -> Response:
        return problem_response(as_problem(error))

    handler: Callable[[Request, Exception], Awaitable[Response]] = answer
    for kind in (Problem, HTTPException, RequestValidationError, *SERVERS_AWAY, Exception):
        app.add_exception_handler(kind, handler)
