"""Going on with a run: what the client learns before, and rows taken back."""

import json
from collections.abc import Iterator

import pytest

from runhue_shared import db
from tests.integration.gateway.conftest import key_of
from tests.integration.gateway.posting import (
    CONSOLE,
    EVENTS,
    REWIND,
    SUMMARY,
    Poster,
    chunk,
    folding,
    row,
    rows,
    stored_rows,
)

OWN = {"value": {"t": {"5": "0.31.0"}, "cli_version": "0.31.0"}}


@pytest.fixture
def poster(url: str) -> Iterator[Poster]:
    """A client of team `main`, beside workers that fold."""
    made = Poster(url, key_of("main", "ingest", "read"))
    with folding(), made.http:
        yield made


def rewind(poster: Poster, step: float, metric: str = "_step") -> dict[str, object]:
    answer = poster.ask(REWIND, runName="r1", project="digits", metricName=metric, metricValue=step)
    bucket: dict[str, object] = answer["rewindRun"]["rewoundRun"]
    return bucket


def test_what_is_not_there_is_null(poster: Poster) -> None:
    """A run that is not there is null, in a project that is."""
    poster.begin("other")

    assert poster.resume() is None


def test_a_resuming_client_learns_where_the_run_stands(poster: Poster) -> None:
    """Counts, tails, summary and config are there as soon as the rows were taken, and exact."""
    poster.begin(displayName="first", tags=["x"], config={"a": {"value": 1}, "_wandb": OWN})
    files = {
        **chunk(CONSOLE, ["2026-11-21T20:32:22 a line"]),
        **chunk(EVENTS, ['{"system.cpu":1.5,"_wandb":true,"_timestamp":1.7e9,"_runtime":0.5}']),
        **chunk(SUMMARY, ['{"_step":9,"v":NaN,"_wandb":{"runtime":9}}']),
    }
    poster.log([row(0, v=1, deep={"x": 1}), row(9, v=float("nan"), deep={"x": 2})])
    poster.post(files=files, complete=True, exitcode=0)

    bucket = poster.resume()
    assert bucket is not None
    assert (bucket["historyLineCount"], bucket["eventsLineCount"], bucket["logLineCount"]) == (2, 1, 1)
    (tail,) = json.loads(bucket["historyTail"])
    assert json.loads(tail)["_step"] == 9
    assert json.loads(tail)["deep"] == {"x": 2}
    (event,) = json.loads(bucket["eventsTail"])
    assert json.loads(event)["system.cpu"] == 1.5
    summary = json.loads(bucket["summaryMetrics"], parse_constant=pytest.fail)
    assert summary["_step"] == 9
    assert json.loads(bucket["config"])["a"]["value"] == 1
    assert json.loads(bucket["wandbConfig"]) == {"t": {"5": "0.31.0"}}
    assert (bucket["displayName"], bucket["tags"]) == ("first", ["x"])


def test_a_run_without_rows_has_empty_tails(poster: Poster) -> None:
    """A run that only began is there, and stands at nothing."""
    poster.begin()

    bucket = poster.resume()
    assert bucket is not None
    assert (bucket["historyTail"], bucket["eventsTail"], bucket["historyLineCount"]) == ("[]", "[]", 0)


def test_where_a_run_stands_is_exact_or_asked_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows wait to be folded the client is told to come again: a step would be logged twice."""
    monkeypatch.setattr("runhue_server.gateway.resume.FOLD_SECONDS", 0.2)
    poster = Poster(url, key_of("main", "ingest", "read"))
    with poster.http:
        poster.begin()
        poster.log(rows(0, 3))
        said = {
            "query": 'query($n: String){model(name:"digits"){bucket(name:$n){id}}}',
            "variables": {"n": "r1"},
        }
        answer = poster.http.post("/graphql", json=said)

        assert answer.status_code == 503
        assert "Retry-After" in answer.headers


def test_a_resumed_session_goes_on_counting(poster: Poster) -> None:
    """Its files go on at the counts it was told; nothing is lost and nothing is taken twice."""
    poster.begin()
    poster.log(rows(0, 2), complete=True, exitcode=1)
    bucket = poster.resume()
    assert bucket is not None
    poster.begin()
    poster.log(rows(3, 5), bucket["historyLineCount"])
    poster.log(rows(3, 5), bucket["historyLineCount"])

    assert [one["_step"] for one in stored_rows()] == list(range(6))


def test_a_rewind_takes_rows_back(poster: Poster) -> None:
    """Rows after the step are gone, and the client goes on at the count it is told."""
    poster.begin()
    poster.log(rows(0, 5), complete=True, exitcode=0)

    bucket = rewind(poster, 2.0)
    assert bucket["historyLineCount"] == 3
    poster.begin()
    poster.log([row(3, v="new")], 3)

    assert [one["v"] for one in stored_rows()] == [0, 1 / 7, 2 / 7, "new"]


def test_a_rewind_sent_again_is_one(poster: Poster) -> None:
    """The reply may be lost: the second answer is the first."""
    poster.begin()
    poster.log(rows(0, 5))

    assert [rewind(poster, 1)["historyLineCount"] for _ in range(3)] == [2, 2, 2]


def test_a_rewind_to_nothing_is_refused(poster: Poster) -> None:
    """Only a step says how far to go back, and the run must be there."""
    poster.begin()
    for said in (
        {"runName": "r1", "metricName": "loss", "metricValue": 1.0},
        {"runName": "r1", "metricName": "_step", "metricValue": -1.0},
        {"runName": "none", "metricName": "_step", "metricValue": 1.0},
    ):
        answer = poster.http.post(
            "/graphql", json={"query": REWIND, "variables": {"project": "digits", **said}}
        )
        assert answer.status_code in (400, 404), answer.text


def test_lines_of_an_earlier_session_may_come_late(poster: Poster) -> None:
    """What a lost process had under way before a resume does not take lines from the new one."""
    poster.begin()
    poster.log(rows(0, 4))
    poster.begin()
    poster.log(rows(3, 4), 3)
    poster.log(rows(5, 9), 5)

    assert [one["_step"] for one in stored_rows()] == list(range(10))
    with db.transaction() as tx:
        assert tx.execute("SELECT count(*) FROM run_writer").fetchall() == [(2,)]
