"""What the client posts to `file_stream`: taken once, exactly, whatever is sent again."""

import json
import math
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runhue_server.gateway.service import Gateway
from runhue_shared import db
from tests.integration.gateway.conftest import key_of, serving
from tests.integration.gateway.posting import (
    CONSOLE,
    EVENTS,
    HISTORY,
    SUMMARY,
    Poster,
    chunk,
    console_of,
    refused_of,
    row,
    rows,
    state_of,
    stored_rows,
    zipped,
)


@pytest.fixture
def key(url: str) -> str:
    """A key of team `main` that logs and reads."""
    return key_of("main", "ingest", "read")


@pytest.fixture
def poster(url: str, key: str) -> Iterator[Poster]:
    """A client that began run r1."""
    made = Poster(url, key)
    with made.http:
        made.begin()
        yield made


def steps(run: str = "r1") -> list[int]:
    return [one["_step"] for one in stored_rows(run)]


def test_lines_become_rows_at_their_steps(poster: Poster) -> None:
    """Each line of history is a row at its `_step`, with its values as they were."""
    answer = poster.log([row(0, loss=0.5), row(7, loss=0.25, note="x", ok=True, none=None)])

    assert answer.json() == {"exitcode": None, "limits": {}}
    assert stored_rows() == [
        {"_step": 0, "loss": 0.5},
        {"_step": 7, "loss": 0.25, "none": None, "note": "x", "ok": True},
    ]


def test_a_request_sent_again_changes_nothing(poster: Poster) -> None:
    """The same lines at the same offset count once, also after what followed them."""
    for _ in range(3):
        poster.log(rows(0, 4))
    poster.log(rows(5, 9), 5)
    poster.log(rows(0, 4))

    assert steps() == list(range(10))
    assert stored_rows()[3] == {"_step": 3, "v": 3 / 7}


def test_lines_that_overlap_what_is_durable_are_cut(poster: Poster) -> None:
    """Of a chunk that begins below the mark only the new lines go on."""
    poster.log(rows(0, 5))
    poster.log(rows(3, 8), 3)

    assert steps() == list(range(9))
    with db.transaction() as tx:
        assert tx.execute("SELECT sum(durable_seq + 1) FROM run_writer").fetchall() == [(9,)]


def test_values_are_exact(poster: Poster) -> None:
    """Floats keep their bits and ints all their digits; NaN and the infinities are numbers."""
    line = (
        '{"_step":0,"tiny":5e-324,"third":0.3333333333333333,"minus_zero":-0.0,"go_minus_zero":-0,'
        '"big":1180591620717411303424,"past":9007199254740993,"float":1.18e+21,"nan":NaN,"inf":Infinity,'
        '"low":-Infinity,"words":"NaN","huge":1e400,"one":1,"one_float":1.0,"twice":1,"twice":2}'
    )
    poster.log([line])

    (stored,) = stored_rows()
    assert struct.pack("<d", stored["minus_zero"]) == struct.pack("<d", -0.0)
    assert struct.pack("<d", stored["go_minus_zero"]) == struct.pack("<d", -0.0)
    assert math.isnan(stored["nan"])
    assert math.isnan(stored["words"])
    expected = {"big": 2**70, "past": 2**53 + 1, "float": 1.18e21, "inf": math.inf, "low": -math.inf}
    expected |= {"tiny": 5e-324, "third": 1 / 3, "huge": math.inf, "one": 1, "one_float": 1.0, "twice": 2}
    assert {key: stored[key] for key in expected} == expected
    assert type(stored["big"]) is int
    assert type(stored["float"]) is float
    assert type(stored["one"]) is int
    assert type(stored["one_float"]) is float


def test_nested_values_are_flat_and_remember_where_they_came_from(poster: Poster) -> None:
    """A nested dict becomes dotted keys, told apart from keys that have dots themselves."""
    poster.log([row(0, deep={"x": {"y": 1}}, **{"a.b": 2, "weird key!": 3}), row(1, deep={"z": 4})])

    assert stored_rows()[0] == {"_step": 0, "a.b": 2, "deep.x.y": 1, "weird key!": 3}
    with db.transaction() as tx:
        found = tx.execute("SELECT name, path FROM nested_key ORDER BY name").fetchall()
    assert found == [("deep.x.y", '["deep", "x", "y"]'), ("deep.z", '["deep", "z"]')]


def test_a_row_without_a_step_takes_its_line_number(poster: Poster) -> None:
    """A line without `_step` is at the step of its place in the file."""
    poster.log(['{"v":1}', '{"v":2}'], 4)

    assert stored_rows() == [{"_step": 4, "v": 1}, {"_step": 5, "v": 2}]


def test_what_can_never_be_stored_is_counted_and_the_rest_goes_on(poster: Poster) -> None:
    """Lines that are no objects, impossible steps and keys, and too deep values are counted by reason."""
    deep = json.loads("[" * 70 + "]" * 70)
    poster.log(
        [
            "no json",
            "[1]",
            '{"a":' * 3000 + "1" + "}" * 3000,
            '{"_step":-1,"v":1}',
            row(4, deep=deep, v=4),
            row(5, **{"": 1, "v": 5}),
            row(6, **{"k" * 501: 1, "v": 6}),
            '{"_step":7,"v":7,"s":"\\ud800","\\udc00":1}',
        ]
    )
    poster.log(rows(8, 8), 8)

    found = {one["_step"]: one for one in stored_rows()}
    assert [found[step]["v"] for step in (4, 5, 6, 7)] == [4, 5, 6, 7]
    assert found[7]["s"] == "\\ud800"
    assert refused_of() == {
        "line_unreadable": 2,
        "json_too_deep": 2,
        "step_out_of_range": 1,
        "key_empty": 1,
        "key_too_long": 1,
    }


def test_a_body_that_cannot_be_read_costs_only_itself(poster: Poster) -> None:
    """A body that is no JSON is counted; the client is not told to stop, so what follows is taken."""
    assert poster.post_body("r1", b"{not json").status_code == 200
    poster.log(rows(0, 0))

    assert steps() == [0]
    assert refused_of() == {"body_unreadable": 1}


def test_bodies_may_be_gzip_and_bombs_are_bounded(poster: Poster) -> None:
    """A compressed body is taken; one that unpacks to more than any request has is counted, not held."""
    body = json.dumps({"files": chunk(HISTORY, rows(0, 9))}).encode()
    bomb = zipped(b" " * (65 * 1024 * 1024))
    gz = {"Content-Encoding": "gzip"}

    assert poster.post_body("r1", zipped(body), **gz).status_code == 200
    assert poster.post_body("r1", bomb, **gz).status_code == 200

    assert steps() == list(range(10))
    assert refused_of() == {"body_too_large": 1}


def test_a_post_of_fifty_thousand_rows_is_taken_whole(poster: Poster) -> None:
    """What the client sends at most at once is durable in one answer, in batches of bounded size."""
    lines = [row(step, loss=step / 3, acc=1 - step / 7, note="n" * 100) for step in range(50_000)]
    started = time.monotonic()
    poster.log(lines)
    assert time.monotonic() - started < 20

    assert steps() == list(range(50_000))
    with db.transaction() as tx:
        (batches,) = tx.execute("SELECT received FROM run_writer").fetchall()[0]
    assert batches > 1


def test_console_lines_are_replaced_when_said_again(poster: Poster) -> None:
    """A line said again under its number is replaced; stderr and time are told by the line itself."""
    poster.post(files=chunk(CONSOLE, ["2026-11-21T20:32:22.612354 10%", "ERROR 2026-11-21T20:32:23 oops"]))
    poster.post(files=chunk(CONSOLE, ["2026-11-21T20:32:24.000000 100%"]))
    poster.post(
        files=chunk(CONSOLE, ['{"ts":"2026-11-21T20:32:25","level":"error","label":"n0","content":"e"}'], 2)
    )

    assert console_of() == [("stdout", "100%"), ("stderr", "oops"), ("stderr", "e")]
    with db.transaction() as tx:
        times = tx.execute("SELECT logged_at, label FROM run_console ORDER BY ord").fetchall()
    assert times == [(1795293144.0, None), (1795293143.0, None), (1795293145.0, "n0")]


def test_system_samples_are_at_their_time(poster: Poster) -> None:
    """A line of events is a row of the system stream at its milliseconds, under the client's names."""
    sample = {"system.cpu": 7.5, "_wandb": True, "_timestamp": 1.7952931423980517e09, "_runtime": 0.08}
    poster.post(files=chunk(EVENTS, [json.dumps(sample)]))

    assert stored_rows(stream="system") == [{"_step": 1795293142398, "system.cpu": 7.5}]


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (1, "failed"), (3, "failed")])
def test_the_exit_code_says_how_the_run_ended(poster: Poster, code: int, state: str) -> None:
    """The last request comes with rows and how the process ended; sent again it changes nothing."""
    for _ in range(2):
        poster.log(rows(0, 2), complete=True, exitcode=code)

    assert steps() == [0, 1, 2]
    assert state_of() == (state, code)


def test_a_preempted_run_says_so(poster: Poster) -> None:
    """A run that is about to be preempted is preempting, and preempted once it fails."""
    poster.post(preempting=True)
    assert state_of() == ("preempting", None)

    poster.post(complete=True, exitcode=1)
    assert state_of() == ("preempted", 1)


def test_lines_after_the_end_make_the_run_run_again(poster: Poster) -> None:
    """New lines after `complete` are taken, and the run is running; old ones sent again do not wake it."""
    poster.log(rows(0, 2), complete=True, exitcode=0)
    poster.log(rows(0, 2), complete=True, exitcode=0)
    poster.post()
    assert state_of() == ("finished", 0)

    poster.log(rows(3, 4), 3)

    assert steps() == list(range(5))
    assert state_of() == ("running", None)


def test_a_heartbeat_brings_a_crashed_run_back(poster: Poster) -> None:
    """A run that was thought dead is running once its client speaks."""
    with db.transaction() as tx:
        tx.execute("UPDATE run SET state = 'crashed'")

    assert poster.post().status_code == 200

    assert state_of() == ("running", None)


def test_a_stop_is_told(poster: Poster) -> None:
    """A run that is to stop hears it with its next request, and with a heartbeat."""
    with db.transaction() as tx:
        tx.execute("UPDATE run SET stop_requested = true")

    assert poster.log(rows(0, 0)).json()["stopped"] is True
    assert poster.post().json()["stopped"] is True


def test_a_run_nobody_began_is_made(url: str, key: str) -> None:
    """Lines of a run that is not there make it: a 404 would lose the whole run."""
    poster = Poster(url, key)
    with poster.http:
        poster.log(rows(0, 1), run="new")

    assert steps("new") == [0, 1]


def test_what_is_for_good_is_said_so(poster: Poster, url: str) -> None:
    """A bad key is 401, a key without the scope 403, another team 404, a deleted run 410."""
    with Poster(url, "0" * 40).http as bad:
        assert bad.post("/files/main/digits/r1/file_stream", json={}).status_code == 401
    with Poster(url, key_of("main", "read")).http as reader:
        assert reader.post("/files/main/digits/r1/file_stream", json={}).status_code == 403
    assert poster.http.post("/files/others/digits/r1/file_stream", json={}).status_code == 404
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")
    assert poster.post(files=chunk(HISTORY, rows(0, 0))).status_code == 410


def test_unknown_files_are_counted_and_ignored(poster: Poster, gateway: Gateway) -> None:
    """A file of a newer client costs nothing but a count."""
    poster.post(files={**chunk("wandb-news.jsonl", ["{}"]), **chunk(HISTORY, rows(0, 0))})

    gateway.unknown.flush()
    assert steps() == [0]
    with db.transaction() as tx:
        assert tx.execute("SELECT kind, name FROM gateway_unknown").fetchall() == [
            ("path", "wandb-news.jsonl")
        ]


def test_two_gateways_may_serve_one_run(poster: Poster, key: str) -> None:
    """The same chunks through two gateways at once are stored once each."""
    with serving(Gateway()) as second_url:
        second = Poster(second_url, key)
        with second.http, ThreadPoolExecutor(4) as pool:
            for start in range(0, 60, 10):
                sent = [
                    pool.submit(client.log, rows(start, start + 9), start)
                    for client in (poster, second, poster, second)
                ]
                assert {one.result().status_code for one in sent} == {200}

    assert steps() == list(range(60))
    with db.transaction() as tx:
        assert tx.execute("SELECT durable_seq FROM run_writer").fetchall() == [(59,)]


def test_clients_of_a_shared_run_have_marks_of_their_own(url: str, key: str) -> None:
    """In shared mode each client numbers its own lines; rows of one step are one row."""
    first, second = Poster(url, key, "client-a"), Poster(url, key, "client-b")
    with first.http, second.http:
        first.begin("shared")
        second.begin("shared")
        first.log([row(0, a=1), row(1, a=2)], run="shared")
        second.log([row(0, b=3)], run="shared")
        second.log([row(0, b=3)], run="shared")
        first.post("shared", complete=True, exitcode=0)

    assert stored_rows("shared") == [{"_step": 0, "a": 1, "b": 3}, {"_step": 1, "a": 2}]
    assert state_of("shared") == ("finished", 0)


def test_an_offline_run_began_and_ended_when_its_lines_say(poster: Poster) -> None:
    """A run that is sent later has the times of its own clock."""
    lines = [
        json.dumps({"_step": step, "_timestamp": 1.7e9 + step, "_runtime": 2.0 + step}) for step in range(5)
    ]
    summary = [json.dumps({"_wandb": {"runtime": 9}})]
    poster.log(lines)
    poster.post(files=chunk(SUMMARY, summary), complete=True, exitcode=0)

    assert state_of() == ("finished", 0)
    with db.transaction() as tx:
        found = tx.execute("SELECT started_at, extract(epoch FROM finished_at)::float8 FROM run").fetchall()
    assert found == [(1.7e9 - 2.0, 1.7e9 + 7.0)]


def test_a_locked_writer_delays_and_loses_nothing(poster: Poster) -> None:
    """While someone holds the writer's row, a request waits; then it is durable."""
    held, freed = threading.Event(), threading.Event()

    def hold() -> None:
        with db.transaction() as tx:
            tx.execute("SELECT 1 FROM run_writer FOR UPDATE")
            held.set()
            freed.wait(20)

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(hold)
        held.wait(20)
        sent = pool.submit(poster.log, rows(0, 3))
        assert not sent.done()
        freed.set()
        holder.result()
        assert sent.result().status_code == 200

    assert steps() == [0, 1, 2, 3]
