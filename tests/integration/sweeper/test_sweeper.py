"""The sweeper finds work that nobody was woken for, and runs that fell silent."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from runhue_server.sweeper import loop
from runhue_server.sweeper.loop import Chore, run
from runhue_shared import db
from runhue_shared.db import colors, outbox
from runhue_shared.messages import Message, OutboxFilled
from runhue_shared.queue import redis_client
from runhue_shared.settings import Settings, settings
from tests.builders import batch_of, make_project, make_run, make_team, put_batch
from tests.waiting import eventually


@pytest.fixture
def sweeping(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sweeper at work in a thread."""
    monkeypatch.setenv("RUNHUE_SWEEP_INTERVAL", "0.05")
    settings.cache_clear()
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def queued(queue: str) -> list[str]:
    """Tasks that wait in a queue, with what they say."""
    bodies = redis_client().lrange(queue, 0, -1)
    assert isinstance(bodies, list)
    return [json.loads(body)["headers"]["task"] + json.loads(body)["headers"]["argsrepr"] for body in bodies]


def store_batch() -> None:
    """A batch in partition 8 that nobody was woken for, and an event that nobody published."""
    with db.transaction() as tx:
        found = make_run(tx, make_project(tx, make_team(tx)))
        put_batch(tx, found, batch_of([(0, {"loss": 1.0})]))
        outbox.append(tx, found.team_id, found.project_id, "run", "{}")


def test_work_without_a_wake_up_is_found(sweeping: None) -> None:
    """Batches and events that were committed without a message get one, once while it waits."""
    store_batch()

    assert eventually(lambda: bool(queued("aggregation")) and bool(queued("coloring")))
    assert queued("aggregation") == ["aggregation.log_batch_stored[{'part': 8}]"]
    assert queued("coloring") == ["coloring.outbox_filled[{}]"]


def test_wiped_redis_costs_latency_only(sweeping: None) -> None:
    """After FLUSHALL the work that waits is sent again."""
    store_batch()
    assert eventually(lambda: bool(queued("aggregation")))

    redis_client().flushall()

    assert eventually(lambda: bool(queued("aggregation")) and bool(queued("coloring")))


def test_stopped_partition_is_left_alone(server_settings: Settings) -> None:
    """A partition that someone must look at first is not woken."""
    store_batch()
    with db.transaction() as tx:
        tx.execute("UPDATE inbox_partition SET stopped_at = now()")

    assert loop.wake_for_batches() == []


def test_tails_are_offered_for_compaction(server_settings: Settings) -> None:
    """Partitions in which runs have tails are sent to be compacted."""
    with db.transaction() as tx:
        found = make_run(tx, make_project(tx, make_team(tx)))
        tx.execute("INSERT INTO run_tail VALUES (%s, %s, %s, 9, 9)", (found.id, found.team_id, found.part))

    assert [message.model_dump() for message in loop.wake_for_tails()] == [{"part": found.part}]


@pytest.fixture
def silent_run(server_settings: Settings) -> int:
    """A run whose last sign of life is ten minutes old, beside one that speaks."""
    with db.transaction() as tx:
        project_id = make_project(tx, make_team(tx))
        silent = make_run(tx, project_id, "silent", writers=2)
        make_run(tx, project_id, "speaking")
        tx.execute("UPDATE run SET heartbeat_at = now() - interval '10 minutes'")
        tx.execute(
            "UPDATE run_writer SET last_seen_at = now() - interval '9 minutes' WHERE run_id = %s",
            (silent.id,),
        )
    return silent.id


def states() -> dict[str, tuple[str, bool]]:
    """(state, whether it ended with its last heartbeat) by run."""
    with db.transaction() as tx:
        rows = tx.execute("SELECT public_id, state, coalesce(finished_at = heartbeat_at, false) FROM run")
        return {public_id: (state, ended) for public_id, state, ended in rows}


def test_silent_run_becomes_crashed_once(silent_run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence beyond the limit ends a run as of its last sign of life; doing it twice tells it once."""
    marked: list[list[int]] = []
    monkeypatch.setattr(colors, "mark_runs", lambda _tx, _project, ids: marked.append(list(ids)))

    messages = [[message.task for message in loop.crash_silent_runs()] for _ in range(2)]

    assert states() == {"silent": ("crashed", True), "speaking": ("running", False)}
    assert messages == [["coloring.outbox_filled", "coloring.scales_dirty"], []]
    assert marked == [[silent_run]]
    with db.transaction() as tx:
        events = [json.loads(event.payload) for event in outbox.oldest(tx, 10)]
    assert events == [{"type": "run", "run_id": "silent", "state": "crashed", "name": "silent"}]


def test_silent_run_that_was_to_be_preempted_was(silent_run: int) -> None:
    """A run that said it is about to be preempted, and then nothing, is preempted."""
    with db.transaction() as tx:
        tx.execute("UPDATE run SET state = 'preempting' WHERE id = %s", (silent_run,))

    loop.crash_silent_runs()

    assert states()["silent"] == ("preempted", True)


def test_one_writer_that_speaks_keeps_a_run_alive(silent_run: int) -> None:
    """A run of several processes is alive as long as one of them is."""
    with db.transaction() as tx:
        tx.execute("UPDATE run_writer SET last_seen_at = now() WHERE run_id = %s AND no = 2", (silent_run,))

    assert loop.crash_silent_runs() == []


def test_heartbeat_of_a_run_follows_its_writers(silent_run: int) -> None:
    """A running run shows when its writers last spoke; one that is silent keeps its time."""
    for _ in range(2):
        loop.note_heartbeats()

    with db.transaction() as tx:
        rows = tx.execute("SELECT public_id, heartbeat_at > now() - interval '1 minute' FROM run").fetchall()
    assert dict(rows) == {"silent": False, "speaking": True}


def test_heartbeats_wait_for_nobody(silent_run: int) -> None:
    """A run that folding has locked is left to the next time: who waits for many may deadlock."""
    with db.transaction() as tx:
        tx.execute("SELECT 1 FROM run WHERE id = %s FOR NO KEY UPDATE", (silent_run,))
        noting = threading.Thread(target=loop.note_heartbeats)
        noting.start()
        noting.join(5)

        waited = noting.is_alive()
    noting.join(5)

    assert not waited
    with db.transaction() as tx:
        rows = tx.execute("SELECT public_id, heartbeat_at > now() - interval '1 minute' FROM run").fetchall()
    assert dict(rows) == {"silent": False, "speaking": True}


def failing_then(results: list[list[Message] | Exception]) -> Callable[[], list[Message]]:
    """A chore that goes through `results`."""

    def do() -> list[Message]:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return do


def test_outage_is_logged_once_and_outlived(
    server_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chore that fails for a while says so at the start and at the end, and then works as before."""
    away = psycopg.OperationalError("away")
    chore = Chore(failing_then([away, away, away, [OutboxFilled()]]))

    for second in range(4):
        chore.sweep(float(second))

    logged = capsys.readouterr().out
    assert (logged.count("chore_failed"), logged.count("chore_works_again")) == (1, 1)
    assert queued("coloring") == ["coloring.outbox_filled[{}]"]


def test_patient_chore_waits_after_start_and_outage(server_settings: Settings) -> None:
    """Nobody is called silent before they had time to speak again."""
    done: list[float] = []
    results: list[list[Message] | Exception] = [[], psycopg.OperationalError("away"), []]
    do = failing_then(results)

    def note() -> list[Message]:
        done.append(now)
        return do()

    chore = Chore(note, interval=1.0, patience=10.0)
    for now in (float(second) for second in range(40)):
        chore.sweep(now)
        if not results:
            break

    assert done == [10.0, 11.0, 21.0]


def test_sweeper_outlives_a_database_that_is_away(sweeping: None, postgres_server: str) -> None:
    """Connections that are ended under the sweeper are made anew, and work is found as before."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'runhue'"
            )
            time.sleep(0.1)  # let it run into the next one
    store_batch()

    assert eventually(lambda: bool(queued("aggregation")), 20)
