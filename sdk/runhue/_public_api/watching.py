"""Following a workspace's colors: which steps give every version without ever showing a mixed one.

The stream is opened first and the state read second, so that nothing falls between them; events that the
state already holds are recognized by their version. A stream says nothing when the server lost what it
would have said (Redis emptied), so a quiet one is checked against the state from time to time.
Source: docs/api.md, "Workspaces and colors".
"""

import logging
from collections.abc import Callable, Generator

import msgspec

from runhue._errors import ServerBusy, ServerError, ServerUnreachable
from runhue._public_api.coloring import (
    Coloring,
    FetchNeeded,
    Repeated,
    next_coloring,
    parse_event,
    unnamed_runs,
    with_names,
)
from runhue._public_api.coloring_calls import WorkspacePath, coloring_call, probe_call, run_names_call
from runhue._public_api.exchange import (
    ATTEMPTS,
    BUSY,
    ConnectionFailed,
    Request,
    Response,
    Send,
    Sleep,
    asked_delay,
    retry_delay,
)
from runhue._public_api.problems import problem_error, unreachable_error
from runhue._public_api.sse import EventParser, EventTooLarge, ServerEvent

HEARTBEAT_TIMEOUT = 45.0
QUIET_BEFORE_CHECK = 10.0

_log = logging.getLogger("runhue")


class Open(msgspec.Struct, frozen=True):
    """Step: open the stream. Resumed with its `Response`, whose body is empty unless it is an error."""

    request: Request


class Receive(msgspec.Struct, frozen=True):
    """Step: wait for more of it. Resumed with bytes, empty at its end, or `ConnectionFailed` raised."""


class Close(msgspec.Struct, frozen=True):
    """Step: close the stream, if one is open."""


class Publish(msgspec.Struct, frozen=True):
    """Step: hand this version to whoever watches."""

    coloring: Coloring


StreamStep = Open | Receive | Close
WatchStep = Send | Sleep | StreamStep | Publish
Watching = Generator[WatchStep, Response | bytes | None, None]


class ColoringWatch:
    """What is held of one workspace while it is watched; `steps` goes on until it is closed.

    Raises (from `steps`):
        RunhueError: the first read failed, or the workspace or the key is gone.
    """

    def __init__(self, path: WorkspacePath, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._held: Coloring | None = None
        self._news_at = clock()
        self._failures = 0

    def steps(self) -> Watching:
        """Follow the workspace across lost connections and restarts of the server."""
        while True:
            delay: float | None = None
            try:
                delay = yield from self._open()
                if delay is None:
                    yield from self._follow()
            except (ServerBusy, ServerUnreachable, ConnectionFailed, EventTooLarge) as failure:
                self._broke(failure)
            yield Close()
            yield Sleep(delay or retry_delay(max(self._failures, 1)))

    def _broke(self, failure: Exception) -> None:
        """Count a failure; before anything was read, enough of them are an error."""
        self._failures += 1
        if self._held is None and isinstance(failure, ServerError):
            raise failure
        if self._held is None and self._failures >= ATTEMPTS:
            raise unreachable_error(failure) from failure
        _log.debug("the stream of workspace %d broke: %s", self._path.id, failure)

    def _open(self) -> Generator[WatchStep, Response | bytes | None, float | None]:
        """Open the stream; seconds to wait instead when the server is busy."""
        since = None if self._held is None else self._held.version
        headers = {"Accept": "text/event-stream"}
        answer = yield Open(Request("GET", f"{self._path.url}/coloring/stream", {"since": since}, headers))
        assert isinstance(answer, Response)  # noqa: S101  # the protocol of steps
        if answer.status == 200:
            return None
        if self._held is not None and (answer.status in BUSY or answer.status >= 500):
            return asked_delay(answer.headers) or retry_delay(1)
        raise problem_error(answer.status, answer.headers, answer.body)

    def _follow(self) -> Watching:
        """Read the state once the stream speaks, then apply what it says until it ends."""
        parser = EventParser()
        opened = False
        while chunk := (yield from self._receive()):
            # The server's first words say that it listens for us: what changes from now on will be told.
            if not opened:
                yield from self._check()
                opened, self._failures = True, 0
            for event in parser.feed(chunk):
                yield from self._take(event)
            if self._clock() - self._news_at >= QUIET_BEFORE_CHECK:
                yield from self._check()

    def _receive(self) -> Generator[WatchStep, Response | bytes | None, bytes]:
        chunk = yield Receive()
        assert isinstance(chunk, bytes)  # noqa: S101  # the protocol of steps
        return chunk

    def _take(self, event: ServerEvent) -> Watching:
        if event.type == "reset":
            yield from self._fetch("the server reset the stream")
        elif event.type == "coloring.updated":
            yield from self._apply(event.data)

    def _apply(self, data: str) -> Watching:
        assert self._held is not None  # noqa: S101  # `_follow` reads the state before the first event
        try:
            outcome = next_coloring(self._held, parse_event(data))
        except (msgspec.DecodeError, KeyError) as error:
            outcome = FetchNeeded(f"the event cannot be read: {error}")
        if isinstance(outcome, FetchNeeded):
            yield from self._fetch(outcome.why)
        elif not isinstance(outcome, Repeated):
            names = yield from run_names_call(self._path, unnamed_runs(outcome))
            yield from self._publish(with_names(outcome, names))

    def _check(self) -> Watching:
        """Read the state again unless it is the one held."""
        self._news_at = self._clock()
        if self._held is None:
            yield from self._fetch("nothing is held yet")
            return
        version, settings_rev = yield from probe_call(self._path)
        if (version, settings_rev) != (self._held.version, self._held.settings_rev):
            yield from self._fetch(f"the server is at version {version}")

    def _fetch(self, why: str) -> Watching:
        _log.debug("reading the colors of workspace %d: %s", self._path.id, why)
        held, fetched = self._held, (yield from coloring_call(self._path))
        self._held = fetched
        if held is None or (held.version, held.settings_rev) != (fetched.version, fetched.settings_rev):
            yield from self._publish(fetched)

    def _publish(self, coloring: Coloring) -> Watching:
        self._held = coloring
        self._news_at = self._clock()
        yield Publish(coloring)
