"""Summaries that clients keep themselves, folded through the handlers."""

import math
from typing import Any

import pytest

from runhue_shared import db
from runhue_shared.db import documents
from runhue_shared.events import Finish, LogBatch, MetricDefinition, Rewind, SummarySeen
from runhue_shared.settings import Settings, settings
from tests.builders import Row, Run, batch_of, make_project, make_run, make_team
from tests.integration.aggregation.folding import (
    client_summary,
    folded,
    make_client,
    manual,
    metrics,
    rows_of,
    summary,
)


@pytest.fixture
def run(server_settings: Settings) -> Run:
    """A run with two writers of one client."""
    with db.transaction() as tx:
        made = make_run(tx, make_project(tx, make_team(tx)), writers=2)
    make_client(made, 1)
    make_client(made, 2)
    return made


def seen(seq: int, **values: Any) -> LogBatch:
    return batch_of(seq_lo=seq, seq_hi=seq, summary_seen=[SummarySeen(seq, values)])


def test_a_summary_that_was_logged_is_no_manual_value(run: Run) -> None:
    """Latest values, NaN, nested keys, statistics and media are the run's own; only the snapshot is kept."""
    image = {"_type": "image-file", "path": "a.png", "size": 3}
    said = SummarySeen(
        1,
        {
            "loss": {"min": 0.5, "mean": 0.75},
            "deep": {"x": {"y": 2}},
            "nan": math.nan,
            "whole": 3,
            "img": image,
            "_step": 1,
            "_runtime": 4.5,
            "_wandb": {"runtime": 4},
        },
    )
    rows: list[Row] = [
        (0, {"loss": 1.0}),
        (1, {"loss": 0.5, "deep.x.y": 2, "nan": math.nan, "whole": 3.0, "img": image}),
    ]
    definition = MetricDefinition(0, "loss", summary=["min", "mean"])

    folded(run, batch_of(rows, summary_seen=[said], metrics=[definition]))

    assert manual(run) == {}
    assert rows_of("SELECT count(*) FROM run_summary") == [(0,)]
    sent = client_summary(run)
    assert (sent["_wandb"], sent["deep"], sent["img"]) == ({"runtime": 4}, {"x": {"y": 2}}, image)
    assert math.isnan(sent["nan"])


def test_what_differs_is_set_by_hand_until_it_is_logged(run: Run) -> None:
    """A value of the summary that nobody logged is manual; once history says the same, it is no more."""
    folded(
        run,
        batch_of([(0, {"loss": 1.0})], summary_seen=[SummarySeen(0, {"loss": 1.0, "best": 7, "_step": 0})]),
    )
    assert manual(run) == {"best": 7}
    assert summary(run)["best"] == 7

    folded(run, batch_of([(1, {"best": 7})], seq_lo=1))

    assert manual(run) == {}
    assert summary(run)["best"] == 7


def test_a_key_that_the_client_drops_is_removed(run: Run) -> None:
    """What an earlier summary set and this one lacks is gone."""
    folded(run, seen(0, best=7, kept="x"))
    assert manual(run) == {"best": 7, "kept": "x"}

    folded(run, seen(1, kept="x"))

    assert manual(run) == {"kept": "x"}
    assert client_summary(run) == {"kept": "x"}


def test_an_edit_through_the_api_stays_until_the_client_changes_the_key(run: Run) -> None:
    """The client's unchanged value does not undo an edit made meanwhile; its next change does."""
    folded(run, seen(0, best=7, other=1))
    with db.transaction() as tx:
        documents.edit_summary(tx, run.id, {"best": 100}, ["other"])

    folded(run, seen(1, best=7, other=1))
    assert manual(run) == {"best": 100}
    assert client_summary(run) == {"best": 100}

    folded(run, seen(2, best=8, other=2))
    assert manual(run) == {"best": 8, "other": 2}
    assert client_summary(run) == {"best": 8, "other": 2}


def test_a_summary_behind_its_rows_sets_nothing(run: Run) -> None:
    """A value logged after the summary's own step is newer than what the summary says."""
    folded(
        run,
        batch_of(
            [(0, {"loss": 1.0}), (1, {"loss": 0.5})], summary_seen=[SummarySeen(0, {"loss": 1.0, "_step": 0})]
        ),
    )

    assert manual(run) == {}


def test_a_summary_ahead_of_its_rows_is_right_at_the_end(run: Run) -> None:
    """What the first rows will tell is not set by hand before them; what they do not tell is then."""
    folded(run, seen(0, loss=0.5, best=1, _step=1))
    assert manual(run) == {}

    folded(run, batch_of([(0, {"loss": 1.0}), (1, {"loss": 0.5})], seq_lo=1))
    assert manual(run) == {"best": 1}

    folded(run, batch_of([(2, {"loss": 0.25})], seq_lo=3))
    assert summary(run)["loss"] == 0.25


def test_a_summary_ahead_of_its_rows_waits_with_what_was_logged_before(run: Run) -> None:
    """A newer value of a logged metric is likely in a row on its way; at the latest the finish tells."""
    folded(run, batch_of([(0, {"loss": 1.0, "acc": 0.5})]))

    folded(run, seen(1, loss=0.1, acc=0.9, best=7, _step=9))
    assert manual(run) == {"best": 7}

    folded(run, batch_of([(9, {"loss": 0.1})], seq_lo=2))
    assert manual(run) == {"best": 7, "acc": 0.9}

    folded(run, seen(3, loss=0.05, acc=0.9, best=7, _step=12))
    assert manual(run) == {"best": 7, "acc": 0.9}

    folded(run, batch_of(seq_lo=4, finish=[Finish(4, 0, "finished", 1.0)]))
    assert manual(run) == {"best": 7, "acc": 0.9, "loss": 0.05}


def test_a_statistic_waits_for_its_definition(run: Run) -> None:
    """Clients tell what they defined after the first rows: until then a minimum is no manual value."""
    said = SummarySeen(0, {"loss": {"min": 1.0}, "_step": 0})
    folded(run, batch_of([(0, {"loss": 1.0})], summary_seen=[said]))
    assert manual(run) == {}

    folded(run, batch_of(seq_lo=1, metrics=[MetricDefinition(1, "loss", summary=["min"])]))
    assert (manual(run), summary(run)["loss.min"]) == ({}, 1.0)


def test_a_statistic_that_nobody_defined_is_set_at_the_end(run: Run) -> None:
    """A dict that only looks like a statistic is a manual value once the run ended."""
    said = SummarySeen(0, {"loss": {"min": 3.0}, "_step": 0})
    folded(run, batch_of([(0, {"loss": 1.0})], summary_seen=[said]))

    folded(run, batch_of(seq_lo=1, finish=[Finish(1, 0, "finished", 1.0)]))

    assert manual(run) == {"loss": {"min": 3.0}}


def test_clients_that_share_a_run_do_not_pin_each_others_values(run: Run) -> None:
    """What another client logged last stands, though this client's summary does not know it."""
    make_client(run, 1, "a")
    make_client(run, 2, "b")
    folded(run, batch_of([(0, {"loss": 1.0})], summary_seen=[SummarySeen(0, {"loss": 1.0, "_step": 0})]), 1)
    folded(run, batch_of([(0, {"loss": 2.0})], summary_seen=[SummarySeen(0, {"loss": 2.0, "_step": 0})]), 2)

    folded(run, seen(1, loss=1.0, mine="a", _step=0), 1)
    folded(run, seen(1, loss=2.0, _step=0), 2)

    assert manual(run) == {"mine": "a"}
    assert summary(run)["loss"] == 2.0
    assert client_summary(run) == {"loss": 2.0, "mine": "a", "_step": 0}


def test_the_later_summary_wins_whatever_comes_first(run: Run) -> None:
    """A summary of an older process that is folded late changes nothing."""
    folded(run, seen(0, best=2), 2)

    folded(run, seen(0, best=1, old=1), 1)

    assert manual(run) == {"best": 2}
    assert client_summary(run) == {"best": 2}


def test_a_summary_that_is_too_large_is_refused_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of values that do not fit the small ones are kept; the batch's rows are, and it is told once."""
    monkeypatch.setenv("RUNHUE_MAX_CONFIG_BYTES", "1024")
    settings.cache_clear()
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    values = {"big": "x" * 2000, "small": 1, "deep": deep}

    folded(run, batch_of([(0, {"loss": 1.0})], summary_seen=[SummarySeen(0, values)]))
    folded(run, batch_of(seq_lo=1, seq_hi=1, summary_seen=[SummarySeen(1, values | {"small": 2})]))

    assert manual(run) == {"small": 2}
    assert metrics(run)["loss"].last == 1.0
    assert rows_of("SELECT count(*) FROM dead_letter") == [(0,)]
    assert rows_of("SELECT code, count FROM run_rejection ORDER BY code") == [
        ("json_too_deep", 2),
        ("summary_too_large", 1),
    ]


def test_a_flat_and_a_nested_key_of_one_name(run: Run) -> None:
    """The least nested value of a name is the one, as in rows, so the other is no manual value."""
    folded(run, batch_of([(0, {"a.b": 2})], summary_seen=[SummarySeen(0, {"a": {"b": 1}, "a.b": 2})]))

    assert manual(run) == {}


def test_spellings_of_one_metric_are_no_manual_values(run: Run) -> None:
    """A client keeps My-Metric and my-metric apart; here they are one, and its last value was logged."""
    rows: list[Row] = [(0, {"My-Metric": 1.5}), (1, {"my-metric": 2.5})]
    values = {"My-Metric": 1.5, "my-metric": 2.5, "_step": 1}

    folded(run, batch_of(rows, summary_seen=[SummarySeen(0, values)]))

    assert manual(run) == {}


def test_a_rewind_forgets_what_clients_said_before(run: Run) -> None:
    """Snapshots and their manual values before a rewind are gone, also those that come late; edits stay."""
    folded(
        run,
        batch_of(
            [(0, {"loss": 1.0}), (5, {"loss": 5.0})], summary_seen=[SummarySeen(1, {"loss": 5.0, "best": 1})]
        ),
    )
    with db.transaction() as tx:
        documents.edit_summary(tx, run.id, {"note": "by hand"})

    folded(run, batch_of(rewind=[Rewind(0, 2)]), 2)
    folded(run, seen(2, best=9), 1)

    assert manual(run) == {"note": "by hand"}
    assert rows_of("SELECT count(*) FROM client_summary") == [(0,)]
    assert client_summary(run) == {"loss": 1.0, "_step": 0, "note": "by hand"}


def test_manual_values_are_typed_for_colors(run: Run) -> None:
    """A manual value of a client is a typed leaf by its metric, and goes with it."""
    folded(run, seen(0, best=7, deep={"x": "text"}))
    assert rows_of(
        "SELECT m.name, s.type, s.number FROM run_summary s JOIN metric m ON m.id = s.metric_id ORDER BY 1"
    ) == [("best", "number", 7.0), ("deep.x", "string", None)]

    folded(run, seen(1))

    assert rows_of("SELECT count(*) FROM run_summary") == [(0,)]


def test_a_summary_replaced_through_the_api(run: Run) -> None:
    """What differs is set by hand, what is missing removed; the client's own keys are left alone."""
    folded(
        run,
        batch_of(
            [(0, {"loss": 1.0})],
            summary_seen=[SummarySeen(0, {"loss": 1.0, "deep": {"x": 1}, "gone": 1, "_step": 0})],
        ),
    )

    with db.transaction() as tx:
        changed = documents.replace_client_summary(
            tx, run.id, {"loss": 0.1, "deep": {"x": 1}, "new": math.nan}
        )

    assert len(changed) > 0
    now = client_summary(run)
    assert math.isnan(now.pop("new"))
    assert now == {"loss": 0.1, "deep": {"x": 1}, "_step": 0}
    assert summary(run)["loss"] == 0.1


def test_the_summary_of_an_sdk_run_is_what_it_logged(run: Run) -> None:
    """Without a client's snapshot the client sees flat keys, media whole, and manual values over them."""
    image = {"_type": "image-file", "path": "a.png"}
    folded(run, batch_of([(3, {"deep.x": 1, "img": image, "_runtime": 2.5})]))
    with db.transaction() as tx:
        documents.edit_summary(tx, run.id, {"best": 4})
        both = documents.client_summaries_of_runs(tx, [run.id])

    assert both[run.id] == {
        "_wandb": {"runtime": 2},
        "_runtime": 2.5,
        "_step": 3,
        "deep.x": 1,
        "img": image,
        "best": 4,
    }
