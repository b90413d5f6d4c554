"""What the wandb client reads of a run: rows, samples, keys, console lines, media settings."""

import math
from typing import Any

import pytest

from runhue_shared import db
from runhue_shared.db import client_history, console, media_settings, nested_keys
from runhue_shared.events import ConsoleLine, MediaSetting
from runhue_shared.settings import Settings, settings
from tests.builders import Row, Run, batch_of, make_project, make_run, make_team
from tests.integration.aggregation.folding import compact, folded, rows_of


@pytest.fixture
def run(server_settings: Settings) -> Run:
    """A run with two writers."""
    with db.transaction() as tx:
        return make_run(tx, make_project(tx, make_team(tx)), writers=2)


IMAGE = {"_type": "image-file", "path": "a.png", "size": 3}


@pytest.fixture
def logged(run: Run) -> Run:
    """Ten rows, of which every second one holds `acc`; nested keys of two depths, and one with a real dot."""
    rows: list[Row] = [
        (
            step,
            {"loss": step / 3, "deep.x.y": step, "deep.z": True, "g.h": "s", "img": IMAGE}
            | ({"acc": math.nan if step == 4 else 2**60 + step} if step % 2 == 0 else {}),
        )
        for step in range(10)
    ]
    with db.transaction() as tx:
        paths = {"deep.x.y": ["deep", "x", "y"], "deep.z": ["deep", "z"]}
        nested_keys.add(tx, run.team_id, run.id, paths)
        nested_keys.add(tx, run.team_id, run.id, paths)
    folded(run, batch_of(rows))
    return run


def read(run: Run, *given: Any, **named: Any) -> list[dict[str, Any]]:
    with db.snapshot() as tx:
        return client_history.rows_for_client(tx, run.id, *given, **named)


def sample(run: Run, *given: Any, **named: Any) -> list[dict[str, Any]]:
    with db.snapshot() as tx:
        return client_history.sampled_rows(tx, run.id, *given, **named)


def test_rows_are_nested_as_they_were_logged(logged: Run) -> None:
    """Nested keys come back nested, dotted ones dotted, ints exact, media whole."""
    row = read(logged, 2, 3)[0]

    assert row == {
        "_step": 2,
        "loss": 2 / 3,
        "acc": 2**60 + 2,
        "deep": {"x": {"y": 2}, "z": True},
        "g.h": "s",
        "img": IMAGE,
    }
    assert math.isnan(read(logged, 4, 5)[0]["acc"])


def test_a_page_ends_before_its_last_step(logged: Run) -> None:
    """The first step is included, the last is not, and no more rows come than asked."""
    assert [row["_step"] for row in read(logged, 2, 6)] == [2, 3, 4, 5]
    assert [row["_step"] for row in read(logged, 2, 6, 3)] == [2, 3, 4]


def test_rows_of_keys_hold_all_of_them(logged: Run) -> None:
    """With keys, rows that lack one are left out, and values come flat under the keys as asked."""
    rows = read(logged, 1, 9, 2, keys=["_step", "acc", "deep.x.y", "_step"])

    assert rows[0] == {"_step": 2, "acc": 2**60 + 2, "deep.x.y": 2}
    assert [row["_step"] for row in rows] == [2, 4]
    assert read(logged, keys=["loss", "nothing"]) == []
    assert read(logged, 3, 4, keys=["deep"]) == [{"deep": {"x": {"y": 3}, "z": True}}]


@pytest.mark.parametrize("compacted", [False, True])
def test_samples_are_spread_evenly(logged: Run, compacted: bool) -> None:
    """The first and the last row are among them, and the same rows give the same samples."""
    if compacted:
        with db.transaction() as tx:
            tx.execute("UPDATE run_tail SET rows = 100000")
        compact(logged)
        assert rows_of("SELECT count(*) FROM tail") == [(0,)]

    assert [row["_step"] for row in sample(logged, 4)] == [0, 3, 6, 9]
    assert sample(logged, 500) == read(logged) or math.isnan(sample(logged, 500)[4]["acc"])
    assert [row["_step"] for row in sample(logged, 3, ["_step", "acc"])] == [0, 4, 8]
    assert [row["_step"] for row in sample(logged, 9, ["_step", "acc"], 3, 8)] == [4, 6]
    assert [row["_step"] for row in sample(logged, 1)] == [9]
    assert sample(logged, 9, ["nothing"]) == []


def test_system_rows_are_events(run: Run) -> None:
    """The machine's samples come with their time and the client's mark, without a step."""
    system = batch_of([(1000 * at, {"system.cpu": float(at)}) for at in range(5)]).rows
    folded(run, batch_of(seq_hi=4, system=system))

    with db.snapshot() as tx:
        events = client_history.events_for_client(tx, run.id, 2)

    assert events == [
        {"system.cpu": 0.0, "_timestamp": 0.0, "_wandb": True},
        {"system.cpu": 4.0, "_timestamp": 4.0, "_wandb": True},
    ]


def test_history_keys_count_by_type(logged: Run) -> None:
    """Each key's points by type, and the last step."""
    with db.snapshot() as tx:
        found = client_history.history_keys(tx, logged.id)

    assert found["lastStep"] == 9
    assert found["keys"]["acc"]["typeCounts"] == [{"type": "number", "count": 5}]
    assert found["keys"]["img"]["typeCounts"] == [{"type": "image-file", "count": 10}]
    assert found["keys"]["_step"]["monotonic"]


def line(seq: int, number: int, text: str, **parts: Any) -> ConsoleLine:
    return ConsoleLine(seq, parts.pop("stream", "stdout"), float(seq), text, number, **parts)


def test_a_line_said_again_is_replaced(run: Run) -> None:
    """Of the sayings of one number the latest stands, in one batch and over several."""
    folded(run, batch_of(seq_hi=3, console=[line(0, 0, "a"), line(1, 1, "b"), line(2, 1, "c")]))
    folded(
        run,
        batch_of(
            seq_lo=4, seq_hi=5, console=[line(4, 0, "A", label="rank0"), line(5, 2, "err", stream="stderr")]
        ),
    )

    with db.transaction() as tx:
        lines = console.client_lines(tx, run.id, -1, 10)
        page = console.client_lines(tx, run.id, lines[0].cursor, 1)
        tail = console.last_client_lines(tx, run.id, 2)
        count = console.count_lines(tx, run.id)

    assert [(one.number, one.line, one.level, one.label) for one in lines] == [
        (0, "A", "info", "rank0"),
        (1, "c", "info", None),
        (2, "err", "error", None),
    ]
    assert page == lines[1:2]
    assert tail == lines[1:]
    assert count == 3


def test_an_older_saying_that_comes_late_is_dropped(run: Run) -> None:
    """Whatever order batches of two folds have, the later saying stands."""
    folded(run, batch_of(seq_hi=1, console=[line(1, 7, "late"), line(0, 7, "early")]))
    with db.transaction() as tx:
        tx.execute("UPDATE run_writer SET applied_seq = -1")

    folded(run, batch_of(console=[line(0, 7, "early")]))

    assert rows_of("SELECT line FROM run_console") == [("late",)]


def chart(seq: int, key: str, **value: Any) -> MediaSetting:
    return MediaSetting(seq, "chart", key, value)


def test_the_latest_media_setting_stands(run: Run) -> None:
    """Of two sayings the greater place in the run's order wins; through the API comes after both."""
    folded(run, batch_of(media=[chart(0, "pr", a=2)]), 2)
    folded(run, batch_of(seq_hi=1, media=[chart(1, "pr", a=1), chart(0, "roc", b=1)]), 1)

    with db.transaction() as tx:
        assert [(one.key, one.value) for one in media_settings.of_run(tx, run.id)] == [
            ("pr", {"a": 2}),
            ("roc", {"b": 1}),
        ]
        assert media_settings.set_media(tx, run.team_id, run.id, [("chart", "pr", {"a": 3})]) == []
        assert media_settings.set_media(tx, run.team_id, run.id, [("chart", "pr", {"a": 3})]) == []
        assert [one.value for one in media_settings.of_run(tx, run.id)] == [{"a": 3}, {"b": 1}]
    assert rows_of("SELECT writer_count FROM run") == [(3,)]


def test_media_settings_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large ones, odd keys and too many are counted as refused; the others are kept."""
    monkeypatch.setenv("RUNHUE_MAX_CONFIG_BYTES", "1024")
    monkeypatch.setattr(media_settings, "MAX_PER_RUN", 2)
    settings.cache_clear()
    said = [chart(0, "big", a="x" * 2000), chart(0, "a\0b"), chart(0, "1"), chart(0, "2"), chart(0, "3")]

    folded(run, batch_of(media=said))

    assert rows_of("SELECT key FROM media_setting ORDER BY key") == [("1",), ("2",)]
    assert rows_of("SELECT code, count FROM run_rejection ORDER BY code") == [
        ("key_has_nul", 1),
        ("media_setting_too_large", 1),
        ("too_many_media_settings", 1),
    ]
