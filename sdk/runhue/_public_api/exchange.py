"""What a caller of the HTTP API does, step by step, without doing any of it.

A call is a generator: it yields steps (send this, wait that long), is resumed with what came back, and
returns its result. One transport performs the steps with blocking sockets and one with asyncio, so that both
APIs follow the same rules.
"""

import json
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import TypeVar
from urllib.parse import quote

import msgspec

from runhue._errors import ServerError
from runhue._public_api.problems import problem_error, unreachable_error

Result = TypeVar("Result")

ATTEMPTS = 5
FIRST_DELAY = 0.25
LONGEST_DELAY = 8.0
BUSY = (429, 503)


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `path` starts at the server's root; a parameter of None is left out.

    A `body` that is a file is read from disk as it is sent.
    """

    method: str
    path: str
    params: Mapping[str, str | int | float | None] = {}
    headers: Mapping[str, str] = {}
    body: bytes | Path | None = None


class Response(msgspec.Struct, frozen=True):
    """What came back, read to its end; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Send(msgspec.Struct, frozen=True):
    """Step: send the request. Resumed with a `Response`, or with `ConnectionFailed` raised.

    With a `target`, redirects are followed and the body of a 2xx is written there as it comes.
    """

    request: Request
    target: Path | None = None


class Sleep(msgspec.Struct, frozen=True):
    """Step: wait this many seconds. Resumed with None."""

    seconds: float


class ConnectionFailed(Exception):
    """No answer came: refused, reset, cut short, or silent beyond the time-out."""


Step = Send | Sleep
Call = Generator[Step, Response | None, Result]


def exchange(request: Request, accept: tuple[int, ...] = (), target: Path | None = None) -> Call[Response]:
    """The answer to a request; a GET is repeated while the server is busy or away.

    Args:
        target: a file for the body.
        accept: statuses from 300 on that are answers for this caller and not errors.
    Raises:
        RunhueError: the error that the server's problem details name, or that it cannot be reached.
    """
    for attempt in range(1, ATTEMPTS + 1):
        final = request.method != "GET" or attempt == ATTEMPTS
        try:
            response = yield Send(request, target)
        except ConnectionFailed as failure:
            if final:
                raise unreachable_error(failure) from failure
            yield Sleep(retry_delay(attempt))
            continue
        assert response is not None  # noqa: S101  # the protocol of steps: Send is resumed with a Response
        if response.status < 300 or response.status in accept:
            return response
        if final or response.status not in BUSY:
            raise problem_error(response.status, response.headers, response.body)
        yield Sleep(asked_delay(response.headers) or retry_delay(attempt))
    raise AssertionError("the last attempt returns or raises")


def fetch(kind: type[Result], request: Request) -> Call[Result]:
    """The body of the answer, as `kind`.

    Raises:
        RunhueError: as for `exchange`.
    """
    response = yield from exchange(request)
    return decode(response.body, kind)


def decode(body: bytes, kind: type[Result], *, strict: bool = False) -> Result:
    """JSON as `kind`, by the API's rules for numbers and times.

    Unless `strict`, "NaN" and the infinities become doubles where `kind` has a number, Unix seconds and
    RFC 3339 become datetimes. Source: docs/api.md "Numbers".

    Raises:
        ServerError: the body is no such JSON.
    """
    try:
        return msgspec.json.decode(body, type=kind, strict=strict)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(
            f"the server's answer cannot be read: {error}",
            fix="check that the address is a Runhue API of this release",
        ) from error


def get(path: str, **params: str | int | float | None) -> Request:
    """A GET of `path`."""
    return Request("GET", path, params)


def submit(method: str, path: str, content: object, headers: Mapping[str, str] | None = None) -> Request:
    """A request that carries JSON, with integers of any size."""
    merged = {"Content-Type": "application/json", **(headers or {})}
    return Request(method, path, {}, merged, json.dumps(content).encode())


def quoted(segment: str | int) -> str:
    """One path segment; a slash in a name stays inside it."""
    return quote(str(segment), safe="")


def retry_delay(attempt: int) -> float:
    """Seconds before the attempt after the given one (from 1): doubled each time, up to a bound."""
    return min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY)


def asked_delay(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, as a number or as a date, kept within a minute; None without it."""
    asked = headers.get("retry-after", "").strip()
    if not asked:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time()
        except ValueError:
            return None
    return min(max(0.0, seconds), 60.0)
