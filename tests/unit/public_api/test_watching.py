"""Watching survives every fault of a stream and never shows a mixed version."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhue._errors import AuthError, ServerRefused, ServerUnreachable
from runhue._public_api.coloring import Coloring
from runhue._public_api.coloring_calls import WorkspacePath
from runhue._public_api.exchange import ConnectionFailed, Request, Response, Send, Sleep
from runhue._public_api.watching import (
    QUIET_BEFORE_CHECK,
    Close,
    ColoringWatch,
    Open,
    Publish,
    Receive,
    StreamStep,
)
from runhue_shared.coloring.settings import ColorKey, ColorSettings
from tests.unit.public_api.model_server import WORKSPACE, ModelServer, as_sse, drawn

PATH = WorkspacePath(WORKSPACE, "main", "mnist")
PING = b": ping\n\n"
FAULTS = [
    "change",
    "lose",
    "repeat",
    "cut",
    "refuse",
    "reset",
    "silence",
    "settings",
    "garbage",
    "page_fails",
]


class Scripted:
    """A server whose stream does what the script says, one word for each time it is waited for."""

    def __init__(self, script: list[str]) -> None:
        self.server = ModelServer()
        self.script = iter(script)
        self.published: list[Coloring] = []
        self.now = 0.0
        self.fail_next_page = False
        self.sequence = 0
        self.greeted = False

    def play(self) -> None:
        """Run the watch until the script ends."""
        steps = ColoringWatch(PATH, lambda: self.now).steps()
        answer: Any = None
        failure: ConnectionFailed | None = None
        try:
            while True:
                step = steps.send(answer) if failure is None else steps.throw(failure)
                answer, failure = None, None
                if isinstance(step, Publish):
                    self.published.append(step.coloring)
                    continue
                try:
                    answer = self.answer(step)
                except ConnectionFailed as failed:
                    failure = failed
        except EndOfScript:
            steps.close()

    def answer(self, step: Send | Sleep | StreamStep) -> Response | bytes | None:
        if isinstance(step, Sleep):
            self.now += step.seconds
        elif isinstance(step, Open):
            self.greeted = False
            return Response(200, {}, b"")
        elif isinstance(step, Receive):
            return self.stream()
        elif isinstance(step, Send):
            return self.fetch(step.request)
        return None

    def fetch(self, request: Request) -> Response:
        if request.path.endswith("/runs"):
            named = [{"id": run, "name": f"run {run}"} for run in self.server.values]
            return Response(200, {}, json.dumps({"runs": named}).encode())
        if self.fail_next_page:
            self.fail_next_page = False
            return Response(503, {}, b"{}")
        return Response(200, {}, self.server.page())

    def stream(self) -> bytes:
        if not self.greeted:
            self.greeted = True
            return b"id: 0-0\n\n"
        word = next(self.script, None)
        if word is None:
            raise EndOfScript
        return next(iter(self.said(word)), PING)

    def said(self, word: str) -> Iterator[bytes]:
        self.sequence += 1
        if word == "cut":
            yield b""
        elif word == "refuse":
            raise ConnectionFailed("reset by peer")
        elif word == "reset":
            yield b"event: reset\ndata: {}\n\n"
        elif word == "silence":
            self.now += QUIET_BEFORE_CHECK
        elif word == "garbage":
            yield b"event: coloring.updated\ndata: {]\n\n"
        elif word == "page_fails":
            self.fail_next_page = True
        elif word == "repeat":
            yield b"".join(map(as_sse, self.server.events[-2:])) or PING
        else:
            yield from self.changed(word)

    def changed(self, word: str) -> Iterator[bytes]:
        if word == "settings":
            buckets = 2 + self.sequence % 7
            event = self.server.set_settings(ColorSettings(key=ColorKey("metric", "acc"), buckets=buckets))
        else:
            run, value = f"r{self.sequence % 5}", (self.sequence * 7919) % 101 / 10
            event = self.server.change({run: value}, (f"r{(self.sequence + 3) % 5}",))
        if word != "lose":
            yield as_sse(event)


class EndOfScript(Exception):
    """The stream has no more to say."""


@settings(max_examples=150)
@given(st.lists(st.sampled_from(FAULTS), max_size=25))
def test_every_published_version_is_whole(script: list[str]) -> None:
    """Under lost, repeated and garbled events, cuts and refusals, all that is shown is the server's."""
    scene = Scripted(script)

    scene.play()

    versions = [shown.version for shown in scene.published]
    assert [drawn(shown) for shown in scene.published] == [drawn(scene.server.history[v]) for v in versions]
    assert versions == sorted(set(versions))


@given(st.lists(st.sampled_from(FAULTS), max_size=15))
def test_the_last_version_is_reached(script: list[str]) -> None:
    """Once the stream is quiet, what is held is what the server has, even if its last event was lost."""
    scene = Scripted([*script, "lose", "silence", "silence"])

    scene.play()

    assert drawn(scene.published[-1]) == drawn(scene.server.coloring())


def test_nothing_new_publishes_nothing() -> None:
    """A reconnection to an unchanged workspace is silent."""
    scene = Scripted(["change", "cut", "refuse", "silence", "reset", "repeat"])

    scene.play()

    assert [shown.version for shown in scene.published] == [1, 2]


def test_names_come_with_new_runs() -> None:
    """A run that an event brought is published with the name the server has for it."""
    scene = Scripted(["change"])

    scene.play()

    assert [run.name for run in scene.published[-1].runs.values()] == ["run r1"]


def test_a_server_that_was_never_there_is_an_error() -> None:
    """The first read fails after some attempts instead of waiting for ever."""

    def wait_for_it() -> None:
        steps = ColoringWatch(PATH, lambda: 0.0).steps()
        step: Any = next(steps)
        while True:
            asks = isinstance(step, Open | Send)
            step = steps.throw(ConnectionFailed("refused")) if asks else steps.send(None)

    with pytest.raises(ServerUnreachable):
        wait_for_it()


@pytest.mark.parametrize(("status", "kind"), [(404, ServerRefused), (401, AuthError)])
def test_a_workspace_that_is_gone_ends_the_watch(status: int, kind: type[Exception]) -> None:
    """What will not come back by waiting is an error at once."""
    steps = ColoringWatch(PATH, lambda: 0.0).steps()
    assert isinstance(next(steps), Open)

    with pytest.raises(kind):
        steps.send(Response(status, {}, json.dumps({"detail": "no"}).encode()))


def test_closing_the_steps_leaves_nothing_open() -> None:
    """A watch can be closed at any step."""
    steps = ColoringWatch(PATH, lambda: 0.0).steps()
    next(steps)

    steps.close()

    assert Close() == Close()
