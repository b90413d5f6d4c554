"""Runs against the real ingest service and database: what was logged is durable exactly once."""

import os
import threading
import time
from pathlib import Path

import psycopg
import pytest

import runhue
from runhue import errors
from runhue._sync import SyncProgress
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.cutting_proxy import CuttingProxy
from tests.integration.sdk.ingest_server import IngestServer, assert_contiguous, rows_in

pytestmark = pytest.mark.stack


def expected(count: int, first: int = 0) -> list[tuple[int, dict[str, object]]]:
    return [(step, {"loss": step / 7, "n": step}) for step in range(first, first + count)]


def test_everything_said_is_durable_at_finish(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Rows, config, summary, definitions, alerts, attributes and the end arrive, in order."""
    run = runhue.init(
        project="p", id="all", config={"lr": 0.1, "model": {"depth": 3}}, settings=run_settings()
    )
    for step in range(50):
        run.log({"loss": step / 7, "n": step})
    run.config["late"] = [1, 2]
    run.summary["best"] = 0.5
    run.summary["best"] = 0.25
    run.define_metric("loss", step_metric="n", summary="min,last", goal="minimize")
    run.alert("hot", "it burns", level="error")
    run.name = "better name"
    run.finish(exit_code=3)

    batches = [batch for _, batch in ingest.batches("all")]
    config = {key: value for batch in batches for edit in batch.config for key, value in edit.values.items()}
    assert ingest.rows("all") == expected(50)
    assert config == {"lr": 0.1, "model": {"depth": 3}, "late": [1, 2]}
    assert [edit.values for batch in batches for edit in batch.summary][-1] == {"best": 0.25}
    assert [(m.name, m.step_metric, m.summary, m.goal) for b in batches for m in b.metrics] == [
        ("loss", "n", ["min", "last"], "minimize")
    ]
    assert [(a.title, a.text, a.level) for b in batches for a in b.alerts] == [("hot", "it burns", "error")]
    assert [attributes.name for b in batches for attributes in b.attributes] == ["better name"]
    assert [(end.exit_code, end.state) for b in batches for end in b.finish] == [(3, "failed")]
    assert_contiguous(ingest.batches("all"))
    assert not Path(run.dir).exists()


def test_rows_arrive_while_training_goes_on(ingest: IngestServer, run_settings: RunSettings) -> None:
    """A row is durable soon after `log()`, long before the end; the open row waits."""
    run = runhue.init(project="p", id="live", settings=run_settings())
    run.log({"loss": 0.5})
    run.log({"open": 1}, commit=False)
    deadline = time.monotonic() + 15
    while not ingest.rows("live") and time.monotonic() < deadline:
        time.sleep(0.05)

    assert ingest.rows("live") == [(0, {"loss": 0.5})]
    run.finish()
    assert ingest.rows("live") == [(0, {"loss": 0.5}), (1, {"open": 1})]


def test_server_restarts_under_logging(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Killing the server again and again loses and doubles nothing, and `log()` never notices."""
    run = runhue.init(project="p", id="restarts", settings=run_settings(segment_bytes=20_000))
    for round_ in range(3):
        for step in range(round_ * 2000, (round_ + 1) * 2000):
            run.log({"loss": step / 7, "n": step})
        ingest.kill()
        ingest.start()
    run.finish()

    assert ingest.rows("restarts") == expected(6000)
    assert_contiguous(ingest.batches("restarts"))


def test_lost_replies_double_nothing(ingest: IngestServer, run_settings: RunSettings) -> None:
    """When the answer to a durable batch is lost, sending it again has no second effect."""
    proxy = CuttingProxy(ingest.port, share=0.3, seed=4)
    settings = run_settings(base_url=f"http://127.0.0.1:{proxy.port}")
    run = runhue.init(project="p", id="cuts", settings=settings)
    for step in range(3000):
        run.log({"loss": step / 7, "n": step})
        if step % 300 == 0:
            time.sleep(0.1)  # lets several batches leave
    run.finish()
    proxy.close()

    assert proxy.cut > 0
    assert ingest.rows("cuts") == expected(3000)
    assert_contiguous(ingest.batches("cuts"))


def test_run_begins_without_a_server(ingest: IngestServer, run_settings: RunSettings) -> None:
    """With the server away `init()` and `log()` work at once; what was logged is sent when it comes."""
    ingest.kill()
    began = time.monotonic()
    run = runhue.init(project="p", id="early", settings=run_settings())
    run.log({"loss": 0.0, "n": 0})
    took = time.monotonic() - began
    ingest.start()
    run.finish()

    assert took < 5
    assert ingest.rows("early") == expected(1)


def test_finish_gives_up_and_keeps_the_data(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Without a server `finish()` ends within its bound, and `sync` sends the spool later."""
    run = runhue.init(project="p", id="late", settings=run_settings(unreachable_timeout=0.5))
    ingest.kill()
    for step in range(10):
        run.log({"loss": step / 7, "n": step})
    began = time.monotonic()
    run.finish()
    took = time.monotonic() - began
    ingest.start()

    results = runhue.sync(run.dir, settings=run_settings())

    assert took < 10
    assert [(result.done, result.error) for result in results] == [(True, None)]
    assert ingest.rows("late") == expected(10)
    assert_contiguous(ingest.batches("late"))
    assert not Path(run.dir).exists()


def test_offline_run_is_sent_by_sync(ingest: IngestServer, run_settings: RunSettings) -> None:
    """An offline run talks to nobody; `sync` sends it whole, and again sends nothing."""
    ingest_settings = run_settings()
    run = runhue.init(project="p", id="off", settings=run_settings(mode="offline"), config={"lr": 1})
    for step in range(2000):
        run.log({"loss": step / 7, "n": step})
    run.finish()
    before = ingest.rows("off")
    progress: list[SyncProgress] = []

    first = runhue.sync(settings=ingest_settings, progress=progress.append)
    second = runhue.sync(settings=ingest_settings)

    assert before == []
    assert [result.done for result in first] == [True]
    assert progress[-1].sent == progress[-1].total
    assert second == []
    assert ingest.rows("off") == expected(2000)


def test_resumed_run_goes_on(ingest: IngestServer, run_settings: RunSettings) -> None:
    """`resume="must"` finds the run; one that is not there, or must not be, is refused."""
    with runhue.init(project="p", id="again", settings=run_settings(), config={"lr": 1}) as run:
        run.log({"loss": 0.5})
    with runhue.init(project="p", id="again", resume="must", settings=run_settings()) as second:
        assert second.resumed
        assert second.path == f"{second.team}/p/again"
        second.log({"loss": 0.25})

    assert len(ingest.rows("again")) == 2
    with pytest.raises(errors.ServerRefused) as missing:
        runhue.init(project="p", id="nowhere", resume="must", settings=run_settings())
    with pytest.raises(errors.ServerRefused) as taken:
        runhue.init(project="p", id="again", resume="never", settings=run_settings())
    assert (missing.value.code, taken.value.code) == ("run_not_found", "run_exists")


def test_wrong_key_goes_offline(ingest: IngestServer, run_settings: RunSettings) -> None:
    """A key that the server does not take stops sending, not training; the data wait in the spool."""
    run = runhue.init(project="p", id="stranger", settings=run_settings(api_key="0" * 40))
    run.log({"loss": 0.0, "n": 0})
    run.finish()

    assert ingest.rows("stranger") == []
    assert [result.done for result in runhue.sync(run.dir, settings=run_settings())] == [True]
    assert ingest.rows("stranger") == expected(1)


def test_threads_log_into_one_run(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Calls of several threads are all kept, each a step of its own."""
    run = runhue.init(project="p", id="threads", settings=run_settings())

    def work(number: int) -> None:
        for count in range(500):
            run.log({f"thread{number}": count})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()

    rows = ingest.rows("threads")
    assert [step for step, _ in rows] == list(range(2000))
    for number in range(4):
        assert [row[f"thread{number}"] for _, row in rows if f"thread{number}" in row] == list(range(500))


def test_forked_child_writes_by_itself(ingest: IngestServer, run_settings: RunSettings) -> None:
    """A child of a fork that logs becomes a writer of the same run; the parent's rows stay whole."""
    run = runhue.init(project="p", id="forked", settings=run_settings())
    run.log({"parent": 0}, step=0, commit=True)
    child = os.fork()
    if child == 0:
        run.log({"child": 1}, step=1, commit=True)
        run.finish()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    run.log({"parent": 2}, step=2, commit=True)
    run.finish()

    assert status == 0
    by_writer: dict[int, list[int]] = {}
    for writer, batch in ingest.batches("forked"):
        by_writer.setdefault(writer, []).extend(step for step, _ in rows_in(batch.rows))
    assert sorted(by_writer.values()) == [[0, 2], [1]]
    assert_contiguous(ingest.batches("forked"))


def test_forked_child_that_logs_nothing_leaves_no_trace(
    ingest: IngestServer, run_settings: RunSettings
) -> None:
    """Children that only load data make no writer and do not end the run."""
    run = runhue.init(project="p", id="loader", settings=run_settings())
    for _ in range(3):
        child = os.fork()
        if child == 0:
            run.finish()
            os._exit(0)
        os.waitpid(child, 0)
    run.log({"loss": 0.0, "n": 0})
    run.finish()

    assert ingest.rows("loader") == expected(1)
    assert ingest.query("SELECT count(*) FROM run_writer") == [(1,)]


def crash(run: runhue.Run) -> None:
    """Leave a run as a killed process would: nothing finished, its lock free."""
    writer = run._writer
    assert writer.sender
    assert writer.lock
    writer.sender.stop(timeout=10)
    writer.spool.close()
    writer.lock.release()
    run.finished = True
    run._on_finish(run)


def test_an_open_row_outlives_the_segments_after_it(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Segments go once they are durable, but not the one that an open row began in."""
    run = runhue.init(project="p", id="open", settings=run_settings(segment_bytes=500))
    for step in range(50):
        run.log({"loss": float(step)})
    run.log({"open": 1}, commit=False)
    for number in range(100):
        run.config[f"key{number}"] = number
    deadline = time.monotonic() + 20
    while "key99" not in str(ingest.batches("open")) and time.monotonic() < deadline:
        time.sleep(0.1)
    crash(run)
    left = len(list(Path(run.dir).glob("*.segment")))

    results = runhue.sync(run.dir, settings=run_settings())

    assert [result.error for result in results] == [None]
    assert left < 25
    assert ingest.rows("open") == [*((step, {"loss": float(step)}) for step in range(50)), (50, {"open": 1})]
    assert_contiguous(ingest.batches("open"))


def test_a_server_that_forgot_is_told_again(ingest: IngestServer, run_settings: RunSettings) -> None:
    """When the server falls back behind what it had confirmed, what the spool still holds is sent again."""
    run = runhue.init(project="p", id="forgot", settings=run_settings())
    for step in range(10):
        run.log({"loss": step / 7, "n": step})
    deadline = time.monotonic() + 20
    while len(ingest.rows("forgot")) < 10 and time.monotonic() < deadline:
        time.sleep(0.1)
    with psycopg.connect(ingest.database_url) as connection:
        connection.execute("DELETE FROM inbox")
        connection.execute("UPDATE run_writer SET durable_seq = -1")
    run.log({"loss": 10 / 7, "n": 10})
    run.finish()

    assert ingest.rows("forgot") == expected(11)
    assert_contiguous(ingest.batches("forgot"))
