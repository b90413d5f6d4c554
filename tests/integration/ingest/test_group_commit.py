"""Many senders at once, locks, and connections that die: what was answered 200 is there, once."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from runhue_shared import db
from runhue_shared.db import inbox
from runhue_shared.events import decode_batch
from runhue_shared.queue import redis_client
from runhue_shared.settings import Settings, settings
from tests.integration.ingest.sender import Sender
from tests.waiting import eventually

CLIENTS = 50
RECORDS = 40
RETRY_SECONDS = 0.1
KILL_SECONDS = 0.4
KILLS = 4
PATIENCE_SECONDS = 60.0


def send_shuffled(sender: Sender, writer_id: int) -> None:
    """Send `RECORDS` records in ranges that repeat, overlap and leave gaps, until all are durable."""
    rng = random.Random(writer_id)
    expected = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    with (client := sender.another()).http:
        while expected < RECORDS:
            assert time.monotonic() < deadline, f"{expected} of {RECORDS} records are durable"
            seq_lo = max(0, expected + rng.choice((0, 0, 0, 0, -3, 2)))
            answer = client.send_range(
                writer_id, seq_lo, max(seq_lo, min(seq_lo + rng.randrange(8), RECORDS - 1))
            )
            assert answer.status_code in (200, 409, 503), answer.text
            if answer.status_code == 200:
                expected = answer.json()["durable_seq"] + 1
            if answer.status_code == 503:
                time.sleep(RETRY_SECONDS)


def send_all_shuffled(sender: Sender, writer_ids: list[int]) -> None:
    """The same for many writers at once, each in a thread."""
    with ThreadPoolExecutor(len(writer_ids)) as pool:
        for done in [pool.submit(send_shuffled, sender, writer_id) for writer_id in writer_ids]:
            done.result()


def stored_seqs() -> dict[int, list[int]]:
    """Seqs in the inbox by writer, in the order of the inbox."""
    found: dict[int, list[int]] = {}
    with db.transaction() as tx:
        for writer_id, body in tx.execute("SELECT writer_id, body FROM inbox ORDER BY part, id"):
            batch = decode_batch(body, 1_000_000)
            found.setdefault(writer_id, []).extend(range(batch.seq_lo, batch.seq_hi + 1))
    return found


@contextmanager
def locked_writer(database_url: str, writer_id: int) -> Iterator[None]:
    """The writer's row locked from elsewhere, as folding does for a moment."""
    with psycopg.connect(database_url) as connection:
        assert inbox.lock_free_writers(connection, [writer_id])
        yield
        connection.rollback()


def test_every_record_is_durable_once(sender: Sender) -> None:
    """Fifty writers with repeats, overlaps and gaps end with each record once, in order."""
    writer_ids = [sender.new_writer(run=f"r{number % 7}") for number in range(CLIENTS)]

    send_all_shuffled(sender, writer_ids)

    assert stored_seqs() == {writer_id: list(range(RECORDS)) for writer_id in writer_ids}


def test_locked_writer_holds_nobody_else_up(sender: Sender, database_url: str) -> None:
    """While one writer is locked others are answered; its own batches follow in order when it is free."""
    held, free = sender.new_writer(), sender.new_writer()
    with ThreadPoolExecutor(1) as pool:
        with locked_writer(database_url, held):
            waiting = pool.submit(sender.send_range, held, 0, 2)
            answers = [sender.send_range(free, seq, seq).status_code for seq in range(5)]
            assert not waiting.done()

        assert waiting.result().json()["durable_seq"] == 2
    assert answers == [200] * 5
    assert stored_seqs()[held] == [0, 1, 2]


def hang_up(postgres_server: str) -> None:
    """Have Postgres end every connection of the test database."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'runhue' AND pid <> pg_backend_pid()"
        )


def test_connections_that_die_lose_and_repeat_nothing(sender: Sender, postgres_server: str) -> None:
    """Connections ended in mid-flight, again and again: every record is durable once."""
    writer_ids = [sender.new_writer() for _ in range(10)]
    done = threading.Event()

    def trouble() -> None:
        for _ in range(KILLS):
            hang_up(postgres_server)
            done.wait(KILL_SECONDS)

    troublemaker = threading.Thread(target=trouble)
    troublemaker.start()
    try:
        send_all_shuffled(sender, writer_ids)
    finally:
        done.set()
        troublemaker.join()

    assert stored_seqs() == {writer_id: list(range(RECORDS)) for writer_id in writer_ids}


@pytest.fixture
def closed_database(postgres_server: str) -> Iterator[Callable[[bool], None]]:
    """A switch: True lets nobody into the test database, False lets everyone in again."""

    def close(closed: bool) -> None:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE runhue ALLOW_CONNECTIONS {'false' if closed else 'true'}")
        if closed:
            hang_up(postgres_server)

    yield close
    close(False)


def test_database_that_is_away_is_503_until_it_is_back(
    sender: Sender, closed_database: Callable[[bool], None]
) -> None:
    """Batches, starts, heartbeats and readiness say 503 with Retry-After during an outage, and heal."""
    writer_id = sender.new_writer()
    closed_database(True)
    assert eventually(lambda: sender.send_range(writer_id, 0, 0).status_code == 503)

    refused = [sender.send_range(writer_id, 0, 0), sender.start(), sender.beat(writer_id)]
    ready = sender.http.get("/readyz")
    closed_database(False)

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(503, "unavailable")] * 3
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert (ready.status_code, ready.json()["postgres"]) == (503, "away")
    assert eventually(lambda: sender.send_range(writer_id, 0, 0).status_code == 200, 30)
    assert sender.http.get("/readyz").status_code == 200
    assert stored_seqs() == {writer_id: [0]}


def test_stored_batch_wakes_its_partition(sender: Sender) -> None:
    """A commit is followed by a wake-up on the aggregation queue."""
    sender.send_range(sender.new_writer(), 0, 0)

    assert eventually(lambda: redis_client().llen("aggregation") == 1)


@pytest.fixture
def redis_away(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name a socket that nobody listens on."""
    monkeypatch.setenv("RUNHUE_REDIS_URL", "unix:///nobody-listens-here.sock?db=0")
    settings.cache_clear()


def test_redis_that_is_away_costs_no_batch(redis_away: None, sender: Sender) -> None:
    """Without Redis batches are durable all the same, and the lost wake-ups are counted."""
    writer_id = sender.new_writer()
    before = wake_failures(sender)

    answers = [sender.send_range(writer_id, seq, seq).status_code for seq in range(3)]

    assert answers == [200] * 3
    assert stored_seqs() == {writer_id: [0, 1, 2]}
    assert eventually(lambda: wake_failures(sender) > before)
    assert sender.http.get("/readyz").json()["redis"] == "away"


def wake_failures(sender: Sender) -> float:
    lines = sender.http.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[1]) for line in lines if line.startswith("runhue_ingest_wake_failures_total")
    )


def test_health_is_told(sender: Sender) -> None:
    """A running service is alive and ready, and needs no key to say so."""
    del sender.http.headers["authorization"]

    assert sender.http.get("/healthz").json() == {"status": "alive"}
    assert sender.http.get("/readyz").json() == {"status": "ready", "postgres": "ok", "redis": "ok"}
    assert "runhue_ingest_batches_total" in sender.http.get("/metrics").text
