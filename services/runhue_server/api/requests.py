"""What every request must hold to: known query parameters, a bounded body, storable text."""

import re
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runhue_server.web.json_text import holds_lone_surrogate
from runhue_server.web.problems import Invalid, Problem, problem_response

MAX_BODY_BYTES = 1024 * 1024
MAX_BODY_DEPTH = 64

_FILE_PATH = re.compile(r"/api/v1/projects/[^/]+/[^/]+/runs/[^/]+/(files/|uploads/[^/]+/parts/)")
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


class BodyTooLarge(Problem):
    """The body is larger than the API takes."""

    status = 413
    code = "body_too_large"


class UnknownParameter(Invalid):
    """A query parameter that the route does not know; ignoring it would answer another question."""

    code = "unknown_parameter"


async def known_parameters_only(request: Request) -> None:
    """Refuse query parameters that the route does not declare.

    Raises:
        UnknownParameter: names the parameter and lists the known ones.
        Invalid: a parameter holds NUL, which no stored text does.
    """
    known = parameters_of(request.scope["route"])
    for name, value in request.query_params.multi_items():
        if name not in known:
            choices = f"this route knows: {', '.join(known)}" if known else "this route takes none"
            raise UnknownParameter(f"{name[:100]}: unknown query parameter", field=name[:100], fix=choices)
        if "\0" in value:
            raise Invalid(f"{name}: holds NUL, which no stored text does", field=name, fix="leave it out")
    if any("\0" in str(value) for value in request.path_params.values()):
        raise Invalid("the path holds NUL, which no name does", fix="leave it out")


class BoundedBodies:
    """Refuse a body that cannot be stored.

    That is one beyond `MAX_BODY_BYTES`, read with a running cap, nested beyond `MAX_BODY_DEPTH`, or with half
    a surrogate pair.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS") or _takes_file(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive)
            if depth_of_json(body) > MAX_BODY_DEPTH:
                raise Invalid(
                    f"the body nests deeper than {MAX_BODY_DEPTH} levels",
                    field="body",
                    limit=MAX_BODY_DEPTH,
                    fix="flatten it",
                )
            if body is not None and holds_lone_surrogate(body):
                raise Invalid(
                    "the body holds half a surrogate pair", field="body", fix="send whole characters"
                )
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _again(body, receive), send)


def _takes_file(scope: Scope) -> bool:
    """Whether the body is a file, which its route bounds itself."""
    return scope["method"] == "PUT" and _FILE_PATH.match(scope["path"]) is not None


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when the client went away.

    Raises:
        BodyTooLarge: more than `MAX_BODY_BYTES` came, whatever the client announced.
    """
    parts: list[bytes] = []
    held = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        held += len(parts[-1])
        if held > MAX_BODY_BYTES:
            raise BodyTooLarge(
                f"the body is larger than {MAX_BODY_BYTES} bytes",
                field="body",
                limit=MAX_BODY_BYTES,
                fix="send less at once",
            )
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def depth_of_json(body: bytes | None) -> int:
    """How deep brackets nest outside of strings; 0 when there are too few to be too deep."""
    if not body or body.count(b"[") + body.count(b"{") <= MAX_BODY_DEPTH:
        return 0
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in (b"]", b"}"):
            depth -= 1
    return deepest


def parameters_of(route: APIRoute) -> list[str]:
    """Names of the query parameters that a route knows, sorted."""
    return sorted(parameter.alias for parameter in route.dependant.query_params)
