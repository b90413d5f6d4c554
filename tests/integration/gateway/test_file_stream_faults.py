"""Trouble that passes: the client is asked to come again, and nothing is lost or taken twice."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from psycopg_pool import PoolTimeout

from runhue_server.gateway import file_stream, submit
from runhue_server.gateway.service import Gateway
from runhue_server.intake import liveness
from runhue_server.intake.problems import InboxFull, SequenceGap, WriterNotFound
from runhue_server.web import auth
from runhue_shared import db
from tests.integration.gateway.conftest import key_of
from tests.integration.gateway.posting import HISTORY, Poster, chunk, row, rows, state_of, stored_rows

DROPPING = frozenset({400, 401, 402, 403, 404, 409, 410, 413, 422, 501})
"""After one of these the client throws away all that follows, and ends as if all were well."""


@pytest.fixture
def poster(url: str) -> Iterator[Poster]:
    """A client that began run r1."""
    made = Poster(url, key_of("main", "ingest", "read"))
    with made.http:
        made.begin()
        yield made


def insist(poster: Poster, seconds: float = 40.0, **said: Any) -> list[int]:
    """Post as the client does, until it is taken; the statuses."""
    statuses: list[int] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = poster.post(**said)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            return statuses
        assert answer.status_code not in DROPPING, answer.text
        time.sleep(min(float(answer.headers.get("Retry-After", 0.2)), 0.2))
    raise AssertionError(f"never taken: {statuses}")


ERRORS = {
    "server away": psycopg.OperationalError("gone"),
    "connection lost": psycopg.InterfaceError("closed"),
    "no connection": PoolTimeout("none free"),
    "deadlock": psycopg.errors.DeadlockDetected("two wait"),
    "a fault of ours": RuntimeError("bug"),
    "another": KeyError("bug"),
    "stale": SequenceGap(3, 4),
    "no writer": WriterNotFound(1),
    "full": InboxFull("full", 1),
}
PLACES = {
    "the key": (auth.KeyCache, "look_up"),
    "the run": (file_stream, "find_session"),
    "the batch": (submit.Submitter, "submit"),
    "what is beside it": (file_stream, "_keep_beside"),
    "a heartbeat": (liveness, "hear"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_passing_fault_is_never_a_reason_to_stop(
    poster: Poster, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whatever fails wherever, the answer makes the client send the same again, and then it is taken once."""
    heartbeat = place == "a heartbeat"
    for post, error in enumerate(ERRORS):
        said = {} if heartbeat else {"files": chunk(HISTORY, rows(post, post), post)}
        with monkeypatch.context() as broken:
            broken.setattr(*PLACES[place], failing(ERRORS[error]))
            auth.key_cache.cache_clear()
            answer = poster.post(**said)
            assert answer.status_code in (429, 500, 503), f"{error}: {answer.text}"
            assert float(answer.headers["Retry-After"]) > 0
        auth.key_cache.cache_clear()
        assert poster.post(**said).status_code == 200

    assert [one["_step"] for one in stored_rows()] == ([] if heartbeat else list(range(len(ERRORS))))


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_arguments: object, **_more: object) -> None:
        raise error

    return fail


def test_a_fault_after_rows_were_stored_costs_no_row(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept after the rows may fail: the rows are durable, and that is what is answered."""
    monkeypatch.setattr(file_stream, "_count", failing(psycopg.OperationalError("gone")))
    poster.log([*rows(0, 2), "no json"])

    assert [one["_step"] for one in stored_rows()] == [0, 1, 2]


@contextmanager
def database_away(server: str) -> Iterator[None]:
    """Nobody can connect to the database meanwhile, and who was connected is not any more."""
    with psycopg.connect(server, autocommit=True) as other:
        other.execute("ALTER DATABASE runhue ALLOW_CONNECTIONS false")
        try:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'runhue'")
            yield
        finally:
            other.execute("ALTER DATABASE runhue ALLOW_CONNECTIONS true")


def test_a_database_that_is_away_is_waited_for(poster: Poster, postgres_server: str) -> None:
    """While the database is away every answer says when to come again; then the rows are there once."""
    poster.log(rows(0, 1))
    with database_away(postgres_server):
        for said in ({"files": chunk(HISTORY, rows(2, 3), 2)}, {}):
            answer = poster.post(**said)
            assert answer.status_code == 503, answer.text
            assert "Retry-After" in answer.headers
    assert insist(poster, files=chunk(HISTORY, rows(2, 3), 2), complete=True, exitcode=0)[-1] == 200

    assert [one["_step"] for one in stored_rows()] == [0, 1, 2, 3]
    assert state_of() == ("finished", 0)


def test_connections_that_break_under_way_lose_and_repeat_nothing(
    poster: Poster, postgres_server: str
) -> None:
    """Connections die at any moment, also between a commit and its answer; each row is there once."""
    taken = iter(range(100))
    posts = 15
    progress = [-1]

    def log() -> None:
        for post in range(posts):
            insist(poster, files=chunk(HISTORY, rows(post * 5, post * 5 + 4), post * 5))
            progress[0] = next(taken)

    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_server, autocommit=True) as other:
        logging = pool.submit(log)
        while not logging.done():
            before = progress[0]
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'runhue'")
            while progress[0] == before and not logging.done():
                time.sleep(random.uniform(0, 0.03))
        logging.result()

    assert [one["_step"] for one in stored_rows()] == list(range(posts * 5))
    with db.transaction() as tx:
        assert tx.execute("SELECT max(durable_seq) FROM run_writer").fetchall() == [(posts * 5 - 1,)]


def test_a_client_that_hangs_up_finds_its_rows_stored_once(poster: Poster) -> None:
    """A reply that is lost makes the client send the same again, while the first may still be under way."""
    lines = [row(step, v=step, text="x" * 200) for step in range(2000)]
    for timeout in (0.05, 0.1, 0.2, 0.4):
        try:
            poster.http.post(
                "/files/main/digits/r1/file_stream", json={"files": chunk(HISTORY, lines)}, timeout=timeout
            )
        except httpx.TimeoutException:
            continue
    poster.log(lines)

    assert [one["_step"] for one in stored_rows()] == list(range(2000))


def test_a_full_inbox_turns_posts_away(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When rows come faster than they are folded the client is told to wait."""
    monkeypatch.setattr(gateway.load, "_inbox_depth", gateway.settings.inbox_high_water_rows + 1)
    monkeypatch.setattr(gateway.load, "measure", lambda: None)

    answer = poster.post(files=chunk(HISTORY, rows(0, 0)))

    assert answer.status_code == 429
    assert float(answer.headers["Retry-After"]) > 0
