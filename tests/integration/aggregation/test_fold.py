"""Folding through the handlers, as the queue calls them."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runhue_server.aggregation import batches
from runhue_server.aggregation.fold import fold_partition
from runhue_server.aggregation.tasks import compact_tails, fold_log_batches
from runhue_shared import db
from runhue_shared.db import documents, history, partitions
from runhue_shared.db.metrics import MetricIds
from runhue_shared.events import (
    Alert,
    ConfigEdit,
    ConsoleLine,
    Finish,
    LogBatch,
    MetricDefinition,
    NumberBlock,
    Rows,
    RunAttributes,
    SummaryEdit,
)
from runhue_shared.messages import LogBatchStored, RunTailGrown
from runhue_shared.settings import Settings, settings
from runhue_shared.telemetry import HEARTBEAT_FILE
from tests.builders import Run, batch_of, make_project, make_run, make_team, put_batch


@pytest.fixture
def run(server_settings: Settings) -> Run:
    """A run with two writers."""
    with db.transaction() as tx:
        return make_run(tx, make_project(tx, make_team(tx)), writers=2)


def put(run: Run, batch: LogBatch, no: int = 1) -> None:
    with db.transaction() as tx:
        put_batch(tx, run, batch, no)


def put_body(run: Run, body: bytes, seq_lo: int = 0, seq_hi: int = 0) -> None:
    """Bytes that are durable and need not be a batch."""
    with db.transaction() as tx:
        tx.execute(
            "INSERT INTO inbox (part, team_id, run_id, writer_id, seq_lo, seq_hi, codec, crc, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, 1, 0, %s)",
            (run.part, run.team_id, run.id, run.writer_ids[0], seq_lo, seq_hi, body),
        )


def fold(run: Run) -> None:
    """Every handler runs twice."""
    for _ in range(2):
        fold_log_batches(LogBatchStored(part=run.part))


def compact(run: Run) -> None:
    for _ in range(2):
        compact_tails(RunTailGrown(part=run.part))


def rows_of(query: str) -> list[tuple[Any, ...]]:
    with db.transaction() as tx:
        return tx.execute(query).fetchall()


def metrics(run: Run, stream: history.Stream = "history") -> dict[str, history.RunMetric]:
    with db.transaction() as tx:
        return {found.name: found for found in history.metrics_of_run(tx, run.id, stream)}


def test_a_batch_is_folded_once(run: Run) -> None:
    """Rows count once however often the wake-up comes, and leave the inbox."""
    put(run, batch_of([(0, {"loss": 2.0}), (1, {"loss": 1.0})]))

    fold(run)

    found = metrics(run)["loss"]
    assert (found.n, found.last, found.fmin, found.fmin_step, found.fmax) == (2, 1.0, 1.0, 1, 2.0)
    assert rows_of("SELECT count(*) FROM inbox") == [(0,)]
    assert rows_of("SELECT applied_seq FROM run_writer WHERE no = 1") == [(1,)]
    assert rows_of("SELECT type, payload FROM outbox ORDER BY id") == [
        ("points", '{"type": "points", "runs": [{"run_id": "r1", "last_step": 1}]}'),
        ("keys", '{"type": "keys"}'),
    ]


def test_a_batch_that_waits_for_another_stays(run: Run) -> None:
    """A batch beyond a gap is not applied before the gap is filled."""
    put(run, batch_of([(5, {"loss": 5.0})], seq_lo=5))
    fold(run)
    assert metrics(run) == {}

    put(run, batch_of([(step, {"loss": float(step)}) for step in range(5)]))
    fold(run)

    assert metrics(run)["loss"].n == 6


def test_a_batch_cut_differently_adds_what_is_new(run: Run) -> None:
    """A batch that repeats applied records and goes on adds only the rest."""
    rows = [(step, {"loss": float(step)}) for step in range(10)]
    put(run, batch_of(rows[:6], console=[ConsoleLine(3, "stdout", 1.0, "hello")]))
    fold(run)

    put(run, batch_of(rows, console=[ConsoleLine(3, "stdout", 1.0, "hello")]))
    fold(run)

    assert metrics(run)["loss"].n == 10
    assert rows_of("SELECT line FROM run_console") == [("hello",)]
    with db.transaction() as tx:
        assert len(history.read_rows(tx, run.id)) == 10


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not zstd", "body is not zstd"),
        (None, "a step is negative"),
    ],
)
def test_a_bad_batch_is_buried_and_the_rest_applies(run: Run, body: bytes | None, reason: str) -> None:
    """A batch that cannot be read goes to dead letters; those around it are applied."""
    put(run, batch_of([(0, {"loss": 1.0})]))
    if body is None:
        put(run, batch_of([(-1, {"loss": 1.0})], seq_lo=1))
    else:
        put_body(run, body, 1, 1)
    put(run, batch_of([(2, {"loss": 3.0})], seq_lo=2))

    fold(run)

    assert metrics(run)["loss"].n == 2
    assert rows_of("SELECT applied_seq FROM run_writer WHERE no = 1") == [(2,)]
    [(found,)] = rows_of("SELECT reason FROM dead_letter")
    assert reason in found
    assert rows_of("SELECT applied, dead FROM inbox_partition") == [(2, 1)]


BAD_ROWS = [
    (Rows(b"\0\0\0\0", b""), "do not go with"),
    (Rows(b"\x05\0\0\0", bytes(8)), "beyond seq_hi"),
    (Rows(bytes(4), bytes(8), [NumberBlock(["a"], b"")]), "do not make"),
    (Rows(bytes(4), bytes(8), [NumberBlock(["a"], bytes(8), rows=b"\x07\0\0\0")]), "do not ascend"),
    (Rows(bytes(4), bytes(8), [NumberBlock(["a"], bytes(8), kinds=b"\x02")]), "masks"),
    (Rows(bytes(4), bytes(8), [NumberBlock(["a"], bytes(8), kinds=b"\x01", big=[(0, 9, "1")])]), "outside"),
]


@pytest.mark.parametrize(("rows", "reason"), BAD_ROWS)
def test_rows_that_contradict_themselves_are_buried(run: Run, rows: Rows, reason: str) -> None:
    """Columns whose lengths or positions do not match are poison, not a crash and not a wrong point."""
    put(run, LogBatch(0, 0, rows=rows))

    fold(run)

    [(found,)] = rows_of("SELECT reason FROM dead_letter")
    assert reason in found
    assert metrics(run) == {}


def test_poison_that_only_postgres_sees_is_found_by_halves(run: Run) -> None:
    """Of many batches applied together only the one that Postgres refuses is buried."""
    for seq in range(9):
        alert = Alert(seq, "bad" if seq == 4 else "good", "")
        put(run, batch_of([(seq, {"loss": 1.0})], seq, alerts=[alert]))
    with db.transaction() as tx:
        tx.execute("ALTER TABLE run_alert ADD CONSTRAINT planted CHECK (title <> 'bad')")
    try:
        fold(run)
    finally:
        with db.transaction() as tx:
            tx.execute("ALTER TABLE run_alert DROP CONSTRAINT planted")

    assert rows_of("SELECT seq_lo FROM dead_letter") == [(4,)]
    assert metrics(run)["loss"].n == 8
    assert rows_of("SELECT count(*) FROM run_alert") == [(8,)]


def test_a_schema_that_does_not_fit_is_no_batchs_fault(run: Run) -> None:
    """Batches folded before their migration, or after a later one, wait; none is buried for it."""
    put(run, LogBatch(0, 0, console=[ConsoleLine(0, "stdout", 0.0, "line")]))
    with db.transaction() as tx:
        tx.execute("ALTER TABLE run_console RENAME COLUMN line TO text")
    try:
        with pytest.raises(psycopg.errors.UndefinedColumn):
            fold_log_batches(LogBatchStored(part=run.part))
    finally:
        with db.transaction() as tx:
            tx.execute("ALTER TABLE run_console RENAME COLUMN text TO line")

    assert rows_of("SELECT count(*) FROM dead_letter") == [(0,)]
    fold(run)
    assert rows_of("SELECT line FROM run_console") == [("line",)]


def test_a_partition_with_too_many_bad_batches_stops(run: Run) -> None:
    """When half of a hundred batches are bad nothing is drained; the partition waits to be resumed."""
    for seq in range(100):
        put_body(run, b"broken", seq, seq)

    fold(run)

    assert rows_of("SELECT count(*) FROM inbox") == [(100,)]
    assert rows_of("SELECT count(*) FROM dead_letter") == [(0,)]
    [(stopped, reason)] = rows_of("SELECT stopped_at IS NOT NULL, stop_reason FROM inbox_partition")
    assert stopped
    assert reason.startswith("100 of 100 batches could not be applied")


def test_a_stopped_partition_goes_on_when_resumed(run: Run) -> None:
    """Batches that came while the partition was stopped are folded after it is resumed."""
    with db.transaction() as tx:
        partitions.stop_partition(tx, run.part, "testing")
    put(run, batch_of([(0, {"loss": 1.0})]))
    fold(run)
    assert metrics(run) == {}

    with db.transaction() as tx:
        assert partitions.resume_partition(tx, run.part)
    fold(run)

    assert metrics(run)["loss"].n == 1


def test_a_partition_in_use_is_left_alone(run: Run) -> None:
    """While another worker holds the partition a wake-up does nothing; the next one folds."""
    put(run, batch_of([(0, {"loss": 1.0})]))
    with db.transaction() as tx:
        assert partitions.try_lock(tx, run.part)
        fold(run)
        assert metrics(run) == {}

    fold(run)

    assert metrics(run)["loss"].n == 1


def test_a_fold_cut_off_leaves_nothing_half_written(run: Run) -> None:
    """When the database connection dies in the middle, everything is as before, and folds later."""
    put(run, batch_of([(0, {"loss": 1.0})], config=[ConfigEdit(0, {"lr": 1})]))
    with db.transaction() as tx:
        tx.execute(
            "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        tx.execute("CREATE TRIGGER planted BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION planted()")
    try:
        with pytest.raises(psycopg.OperationalError):
            fold_log_batches(LogBatchStored(part=run.part))
        assert metrics(run) == {}
        assert rows_of("SELECT count(*) FROM tail") == [(0,)]
        assert rows_of("SELECT config FROM run") == [("{}",)]
        assert rows_of("SELECT count(*) FROM dead_letter") == [(0,)]
    finally:
        with db.transaction() as tx:
            tx.execute("DROP TRIGGER planted ON outbox")
            tx.execute("DROP FUNCTION planted")

    fold(run)

    assert metrics(run)["loss"].n == 1
    assert rows_of("SELECT config FROM run") == [('{"lr":1}',)]


def test_keys_beyond_the_limit_are_counted_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run has at most so many metrics; the rest of each row is kept, and what is not is said."""
    monkeypatch.setenv("RUNHUE_MAX_KEYS_PER_RUN", "4")
    settings.cache_clear()
    put(run, batch_of([(0, {"a": 1, "b": 2})]))
    fold(run)

    put(run, batch_of([(1, {"a": 3, "c": 1, "d": 1, "e": 1})], seq_lo=1))
    fold(run)

    assert len(metrics(run)) == 4
    assert metrics(run)["a"].n == 2
    [(code, count)] = rows_of("SELECT code, count FROM run_rejection")
    assert (code, count) == ("too_many_keys", 2)


def test_odd_keys(run: Run) -> None:
    """A key with NUL or too long is refused by name; every other key is kept as it is."""
    put(run, batch_of([(0, {"": 1, "a\0b": 2, "x" * 501: 3, "é\n🙂": 4, "_STEP": 9})]))

    fold(run)

    assert metrics(run).keys() == {"_step", "", "é\n🙂"}
    assert metrics(run)["_step"].last == 0
    assert rows_of("SELECT code, field, count FROM run_rejection ORDER BY code") == [
        ("key_has_nul", "a\ufffdb", 1),
        ("key_reserved", "_STEP", 1),
        ("key_too_long", "x" * 100, 1),
    ]


def test_names_are_one_by_casefold_and_shown_as_first_spelled(run: Run) -> None:
    """`My-Metric` and `my-metric` are one metric."""
    put(run, batch_of([(0, {"My-Metric": 1.0}), (1, {"my-metric": 2.0})]))

    fold(run)

    assert metrics(run)["My-Metric"].n == 2


def test_system_rows_are_another_stream(run: Run) -> None:
    """System samples do not mix with history, also under one name."""
    system = batch_of([(1_700_000_000_000, {"loss": 50.0})]).rows
    put(run, batch_of([(0, {"loss": 1.0})], system=system))

    fold(run)

    assert metrics(run)["loss"].last == 1.0
    assert metrics(run, "system")["loss"].last == 50.0
    with db.transaction() as tx:
        assert history.read_rows(tx, run.id, stream="system") == [{"_step": 1_700_000_000_000, "loss": 50.0}]


def test_config_edits_by_key_later_wins(run: Run) -> None:
    """Whatever order two writers' edits are folded in, per key the later place in the order stands."""
    put(run, batch_of(config=[ConfigEdit(0, {"lr": 2, "b": "x"})]), no=2)
    fold(run)
    first = [ConfigEdit(0, {"lr": 1, "deep": {"er": math.nan}}), ConfigEdit(1, removed=["b"])]
    put(run, batch_of(config=first, seq_hi=1), no=1)
    fold(run)

    assert rows_of("SELECT config FROM run") == [('{"lr":2,"b":"x","deep":{"er":NaN}}',)]
    assert rows_of("SELECT path, type FROM run_config ORDER BY path") == [
        ("b", "string"),
        ("deep.er", "number"),
        ("lr", "number"),
    ]


def test_a_config_that_would_be_too_large_is_refused_alone(run: Run) -> None:
    """The edit is refused and counted; the rest of the batch applies."""
    edits = [ConfigEdit(0, {"big": "x" * 2**20}), ConfigEdit(1, {"lr": 1})]
    put(run, batch_of([(0, {"loss": 1.0})], config=edits, seq_hi=2))

    fold(run)

    assert rows_of("SELECT config FROM run") == [('{"lr":1}',)]
    assert rows_of("SELECT code, count FROM run_rejection") == [("config_too_large", 1)]
    assert metrics(run)["loss"].n == 1


def test_values_nested_too_deep_are_refused_by_name(run: Run) -> None:
    """A value below the depth limit is kept, one beyond it is refused, in config as in rows."""
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    put(run, batch_of([(0, {"loss": 1.0, "deep": deep})], config=[ConfigEdit(0, {"deep": deep, "lr": 1})]))

    fold(run)

    assert rows_of("SELECT config FROM run") == [('{"lr":1}',)]
    assert rows_of("SELECT code, field, count FROM run_rejection") == [("json_too_deep", "deep", 2)]
    assert metrics(run).keys() == {"_step", "loss"}


def test_summary_by_hand_wins_over_logged_values(run: Run) -> None:
    """The summary is the latest logged values, what definitions add, and manual values over both."""
    rows: list[Any] = [(0, {"acc": 0.9, "loss": 3}), (1, {"acc": 0.8, "loss": 2})]
    definitions = [
        MetricDefinition(1, "ac*", summary=["max", "mean", "first"]),
        MetricDefinition(0, "loss", summary=["none"]),
    ]
    put(run, batch_of(rows, metrics=definitions, summary=[SummaryEdit(1, {"best": {"acc": 1}})]))
    fold(run)
    with db.transaction() as tx:
        documents.edit_summary(tx, run.id, {"acc": 7})

        summary = documents.summary_of_run(tx, run.id)

    assert summary == {
        "_step": 1,
        "acc": 7,
        "acc.max": 0.9,
        "acc.mean": pytest.approx(0.85),
        "acc.first": 0.9,
        "best": {"acc": 1},
    }
    assert rows_of("SELECT m.folded, s.type, s.number FROM run_summary s JOIN metric m ON m.id = s.metric_id"
                   " ORDER BY m.folded") == [("acc", "number", 7.0), ("best.acc", "number", 1.0)]  # fmt: skip


def test_api_edits_are_later_than_everything_so_far(run: Run) -> None:
    """An edit by the API wins over records of writers that were there before it."""
    with db.transaction() as tx:
        documents.edit_config(tx, run.id, {"lr": 9}, ["gone"])
        documents.edit_attributes(tx, run.id, {"name": "mine", "tags": ["a"], "notes": None})
    edits = [ConfigEdit(0, {"lr": 1, "gone": 1, "x": 2})]
    put(run, batch_of(config=edits, attributes=[RunAttributes(0, name="theirs", job_type="train")]))

    fold(run)

    assert rows_of("SELECT config, name, job_type FROM run") == [('{"lr":9,"x":2}', "mine", "train")]


def test_an_edit_that_is_too_large_changes_nothing(run: Run) -> None:
    """The API is told which limit an edit would break."""
    with db.transaction() as tx, pytest.raises(documents.EditRefused) as refused:
        documents.edit_config(tx, run.id, {"big": "x" * 2**20})

    assert refused.value.code == "config_too_large"
    assert refused.value.limit == 2**20


def test_console_and_alerts_are_kept_in_order(run: Run) -> None:
    """Lines come back by their place in the run's order; NUL is shown as the replacement character."""
    lines = [ConsoleLine(0, "stdout", 1.0, "a\0"), ConsoleLine(1, "stderr", 2.0, "b")]
    put(run, batch_of(console=lines, alerts=[Alert(1, "title", "text", "warn", 3.0)], seq_hi=1))

    fold(run)

    assert rows_of("SELECT stream, line FROM run_console ORDER BY ord") == [
        ("stdout", "a\ufffd"),
        ("stderr", "b"),
    ]
    assert rows_of("SELECT title, text, level, raised_at FROM run_alert") == [("title", "text", "warn", 3.0)]


def test_a_transaction_takes_what_a_worker_can_do_in_time(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Many lines in few bytes are left to further transactions, and the worker shows that it lives."""
    monkeypatch.setattr(batches, "DECODED_BYTES", 10 * batches.RECORD_BYTES)
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (0, 0))
    monkeypatch.setenv(HEARTBEAT_FILE, str(beat))
    for number in range(4):
        lines = [ConsoleLine(7 * number + at, "stdout", 0.0, "line") for at in range(7)]
        put(run, LogBatch(7 * number, 7 * number + 6, console=lines))

    with db.transaction() as tx:
        fold_partition(tx, run.part, MetricIds(), settings())

    assert rows_of("SELECT max(applied_seq) FROM run_writer") == [(13,)]
    assert beat.stat().st_mtime > 0
    fold(run)
    fold(run)
    assert rows_of("SELECT count(*) FROM run_console") == [(28,)]


def test_a_run_ends_with_its_last_open_writer(run: Run) -> None:
    """While a writer is open the run runs; then its state is the worst of its writers."""
    put(run, batch_of(finish=[Finish(0, 1, "failed", 1_700_000_100.0)]), no=1)
    fold(run)
    assert rows_of("SELECT state FROM run") == [("running",)]

    put(run, batch_of(finish=[Finish(0, 0, "finished", 1_700_000_200.0)]), no=2)
    fold(run)

    assert rows_of("SELECT state, exit_code, extract(epoch FROM finished_at)::int FROM run") == [
        ("failed", 1, 1_700_000_200)
    ]


def test_a_run_resumed_after_a_failure_may_finish(run: Run) -> None:
    """What an earlier session came to does not count against a later one."""
    put(run, batch_of(finish=[Finish(0, 1, "failed", 1_700_000_100.0)]), no=1)
    put(run, batch_of(finish=[Finish(0, 1, "failed", 1_700_000_100.0)]), no=2)
    fold(run)
    with db.transaction() as tx:
        tx.execute("UPDATE run SET state = 'running', writer_count = 3")
        (third,) = tx.execute(
            "INSERT INTO run_writer (team_id, run_id, writer, no, part, started_at)"
            " SELECT team_id, id, 'third', 3, part, 0 FROM run RETURNING id"
        ).fetchall()[0]
    again = run._replace(writer_ids=(*run.writer_ids, third))

    put(again, batch_of(finish=[Finish(0, 0, "finished", math.nan)]), no=3)
    fold(run)

    assert rows_of("SELECT state, exit_code FROM run") == [("finished", 0)]


def test_a_run_resumed_before_its_killed_session_is_folded_may_finish(run: Run) -> None:
    """The session was over when the next one joined, however late its end is folded."""
    put(run, batch_of(finish=[Finish(0, -1, "killed", 1_700_000_100.0)]), no=1)
    with db.transaction() as tx:
        tx.execute("UPDATE run_writer SET joined_at = now(), last_seen_at = now() WHERE no = 2")

    put(run, batch_of(finish=[Finish(0, 0, "finished", 1_700_000_200.0)]), no=2)
    fold(run)

    assert rows_of("SELECT state, exit_code FROM run") == [("finished", 0)]


def test_a_large_batch_is_compacted(run: Run) -> None:
    """50,000 rows in one batch fold, compact, and read back to the last bit."""
    rows = [(step, {"loss": step / 7, "epoch": step // 1000}) for step in range(50_000)]
    put(run, batch_of(rows))
    fold(run)

    compact(run)

    assert rows_of("SELECT count(*) FROM tail") == [(0,)]
    assert rows_of("SELECT count(*) FROM run_tail") == [(0,)]
    assert metrics(run)["loss"].n == 50_000
    with db.transaction() as tx:
        assert history.read_rows(tx, run.id, ["loss"], 49_990)[-1] == {"_step": 49_999, "loss": 49_999 / 7}
        assert history.read_rows(tx, run.id, from_step=1000, limit=1) == [
            {"_step": 1000, "loss": 1000 / 7, "epoch": 1}
        ]
        [series] = history.read_reduced(tx, [run.id], "loss", points=100)
        assert (series.bucket, series.n, len(series.start)) == (512, 50_000, 98)
        [(blocks,)] = tx.execute("SELECT count(*) FROM series_lod").fetchall()
        assert blocks > 0


def read_exactly(tx: db.Transaction, run: Run) -> None:
    history.read_series(tx, run.id, ["loss"])


def read_a_chart(tx: db.Transaction, run: Run) -> None:
    history.read_reduced(tx, [run.id], "loss", points=100)


@pytest.mark.parametrize(("table", "read"), [("series_chunk", read_exactly), ("series_lod", read_a_chart)])
def test_corrupt_bytes_are_never_points(
    run: Run, table: str, read: Callable[[db.Transaction, Run], None]
) -> None:
    """A chunk or block that does not match its checksum is an error that names it, not wrong values."""
    put(run, batch_of([(step, {"loss": step / 7}) for step in range(20_000)]))
    fold(run)
    compact(run)
    with db.transaction() as tx:
        tx.execute(f"UPDATE {table} SET body = set_byte(body, 60, get_byte(body, 60) # 1)")

    with db.transaction() as tx, pytest.raises(RuntimeError, match=f"{table} .*does not match its checksum"):
        read(tx, run)


def test_a_corrupt_chunk_does_not_stop_others(run: Run) -> None:
    """A run whose chunk is corrupt keeps its tail and says why; the partition goes on."""
    put(run, batch_of([(step, {"loss": step / 7}) for step in range(9_000)]))
    fold(run)
    compact(run)
    with db.transaction() as tx:
        tx.execute("UPDATE series_chunk SET crc = crc + 1")
    put(run, batch_of([(step, {"loss": step / 7}) for step in range(9_000, 18_000)], seq_lo=9_000))
    fold(run)

    compact(run)

    assert rows_of("SELECT rows FROM run_tail") == [(9_000,)]
    assert rows_of("SELECT code FROM run_rejection") == [("chunk_corrupt",)]


def test_a_deleted_run_takes_nothing_more(run: Run) -> None:
    """Batches of a deleted run leave the inbox without effect."""
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")
    put(run, batch_of([(0, {"loss": 1.0})]))

    fold(run)

    assert rows_of("SELECT count(*) FROM inbox") == [(0,)]
    assert metrics(run) == {}


def test_the_greatest_step_is_kept(run: Run) -> None:
    """Step 2**63 - 1 is a step as any other, before and after compaction."""
    last = 2**63 - 1
    rows: list[Any] = [(step, {"loss": 1.0}) for step in range(9_000)]
    put(run, batch_of([*rows, (last, {"loss": 2.0})]))
    fold(run)

    compact(run)

    assert metrics(run)["_step"].last_value == last
    with db.transaction() as tx:
        assert history.read_rows(tx, run.id, ["loss"], last) == [{"_step": last, "loss": 2.0}]
        [series] = history.read_reduced(tx, [run.id], "loss", points=10)
        assert series.n == 9_001
