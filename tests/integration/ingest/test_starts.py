"""Starting writers: new runs, resumed runs, many processes of one run."""

import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runhue_server.aggregation.fold import fold_partition
from runhue_shared import db
from runhue_shared.db import colors, documents, outbox, projects, runs
from runhue_shared.db.metrics import MetricIds
from runhue_shared.run_names import readable_name
from runhue_shared.settings import Settings, settings
from tests.integration.ingest.sender import Sender
from tests.waiting import eventually, somebody_waits_for

WRITER = "ab" * 16


def run_row(*columns: str) -> tuple[Any, ...]:
    """Columns of the only run."""
    with db.transaction() as tx:
        return tx.execute(f"SELECT {', '.join(columns)} FROM run").fetchall()[0]


def test_first_writer_makes_project_and_run(sender: Sender, server_settings: Settings) -> None:
    """A start names a project and a run that need not exist, and gets everything needed to write."""
    answer = sender.start(
        writer=WRITER, name="first try", notes="n", tags=["b", "a", "b"], group="g", job_type="t"
    ).json()

    with db.transaction() as tx:
        project = projects.project_named(tx, 1, "digits")
        found = runs.run_named(tx, 1, "r1")
    assert project is not None
    assert (project.runs, project.running) == (1, 1)
    assert found is not None
    assert (found.name, found.state, found.notes, found.tags) == ("first try", "running", "n", ["b", "a"])
    assert answer == {
        "writer_id": 1,
        "run": "r1",
        "name": "first try",
        "team": "main",
        "project": "digits",
        "url": f"http://127.0.0.1:{server_settings.api_port}/main/digits/runs/r1",
        "resumed": False,
        "next_seq": 0,
        "last_step": -1,
        "runtime": 0.0,
        "flush_interval_ms": server_settings.flush_interval_ms,
        "max_batch_bytes": server_settings.max_batch_bytes,
    }


def test_nameless_run_gets_a_readable_name(sender: Sender) -> None:
    """The name is made of the run's id, so that client and server agree on it."""
    answer = sender.start(run="x7").json()

    assert answer["name"] == readable_name("x7")


def test_same_writer_gets_the_same_answer(sender: Sender) -> None:
    """A start that is sent again makes nothing new, and says where the writer stands."""
    first = sender.start(writer=WRITER, resume="never").json()
    sender.send_range(first["writer_id"], 0, 4)

    again = sender.start(writer=WRITER, resume="never").json()

    assert again == {**first, "next_seq": 5}
    assert run_row("writer_count") == (1,)


def test_processes_that_start_at_once_are_numbered(sender: Sender) -> None:
    """Fifty processes that start the same new run get numbers 1 to 50 of one run."""
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: sender.start(), range(50)))

    assert {answer.status_code for answer in answers} == {200}
    with db.transaction() as tx:
        numbers = tx.execute("SELECT no, id FROM run_writer ORDER BY no").fetchall()
        assert tx.execute("SELECT count(*) FROM run").fetchall() == [(1,)]
    assert [no for no, _ in numbers] == list(range(1, 51))
    assert {writer_id for _, writer_id in numbers} == {answer.json()["writer_id"] for answer in answers}


def test_resume_must_needs_a_run(sender: Sender) -> None:
    """`must` without the run is 404 and leaves nothing behind."""
    answer = sender.start(resume="must")

    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
    with db.transaction() as tx:
        assert tx.execute("SELECT count(*) FROM run").fetchall() == [(0,)]


def test_resume_never_needs_none(sender: Sender) -> None:
    """`never` with the run there is 409."""
    sender.new_writer()

    answer = sender.start(resume="never")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "run_exists", "run")


@pytest.mark.parametrize(
    ("resume", "resumed"), [("allow", True), ("must", True), ("auto", True), (None, False)]
)
def test_run_that_is_over_runs_again(sender: Sender, resume: str | None, resumed: bool) -> None:
    """Another writer of a finished run sets it back to running, whatever way it asked."""
    sender.new_writer()
    with db.transaction() as tx:
        tx.execute(
            "UPDATE run SET state = 'failed', exit_code = 1, finished_at = now(), stop_requested = true"
        )

    answer = sender.start(resume=resume).json()

    assert answer["resumed"] is resumed
    assert run_row("state", "exit_code", "finished_at", "stop_requested") == ("running", None, None, False)


def test_resumed_writer_learns_where_the_run_stands(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step and runtime count batches that are durable and not folded; config and summary come along."""
    monkeypatch.setattr("runhue_server.intake.starts.FOLD_SECONDS", 0.1)
    first = sender.new_writer()
    sender.send_rows(first, [(3, {"loss": 1.0, "_runtime": 2.5}), (41, {"loss": 1.0, "_runtime": 1.5})])
    sender.send_rows(first, [(7, {"note": "text only"})], seq_lo=2)
    with db.transaction() as tx:
        documents.edit_config(tx, 1, {"lr": 0.1, "clip": math.inf})
        documents.edit_summary(tx, 1, {"best": 3})

    answer = sender.start(resume="must").json()

    assert (answer["last_step"], answer["runtime"]) == (41, 2.5)
    assert answer["config"] == {"lr": 0.1, "clip": "Infinity"}
    assert answer["summary"] == {"best": 3}


def test_resumed_writer_is_told_of_one_moment(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is folded while the answer is made counts once it is durable, folded or not."""
    monkeypatch.setattr("runhue_server.intake.starts.FOLD_SECONDS", 0.1)
    first = sender.new_writer()
    sender.send_rows(first, [(41, {"loss": 1.0})])
    answers: list[Any] = []
    resuming = threading.Thread(target=lambda: answers.append(sender.start(resume="must").json()))

    with db.transaction() as tx:
        (part,) = tx.execute("SELECT part FROM inbox").fetchone() or (0,)
        fold_partition(tx, part, MetricIds(), settings())
        tx.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        resuming.start()
        assert eventually(lambda: somebody_waits_for("inbox"))
    resuming.join(20)

    assert answers[0]["last_step"] == 41


def test_later_writer_changes_what_it_names(sender: Sender) -> None:
    """A writer that joins a run sets the attributes it gives and leaves the others."""
    sender.new_writer(name="old", notes="kept", tags=["a"])

    sender.start(name="new", tags=["b"])

    assert run_row("name", "notes", "tags") == ("new", "kept", ["b"])


def test_deleted_run_keeps_its_id(sender: Sender) -> None:
    """A run that was deleted is gone for every way of starting."""
    sender.new_writer()
    with db.transaction() as tx:
        runs.mark_deleted(tx, 1, "r1")

    answers = [sender.start(resume=resume) for resume in (None, "allow", "must", "never")]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "run_deleted")] * 4


def test_other_team_is_not_found(sender: Sender) -> None:
    """A key starts runs of its own team only; naming that team is fine."""
    own = sender.start(team="main")
    other = sender.start(team="others")

    assert own.status_code == 200
    assert (other.status_code, other.json()["code"], other.json()["field"]) == (404, "team_not_found", "team")


def test_start_is_announced(sender: Sender) -> None:
    """Subscribers hear of a new run by an event in the outbox, committed with it."""
    sender.new_writer(name="brisk-otter-1")

    with db.transaction() as tx:
        (event,) = outbox.oldest(tx, 10)
    assert (event.project_id, event.type) == (1, "run")
    assert json.loads(event.payload) == {
        "type": "run",
        "run_id": "r1",
        "state": "running",
        "name": "brisk-otter-1",
    }


@pytest.mark.parametrize(
    ("change", "field", "limit"),
    [
        ({"project": ...}, "project", None),
        ({"project": 3}, "project", None),
        ({"project": ""}, "project", None),
        ({"project": "a/b"}, "project", None),
        ({"project": "p" * 129}, "project", 128),
        ({"run": "a/b"}, "run", None),
        ({"run": "a\nb"}, "run", None),
        ({"run": "r" * 129}, "run", 128),
        ({"run": ".."}, "run", None),
        ({"writer": "AB" * 16}, "writer", None),
        ({"writer": "ab"}, "writer", None),
        ({"name": "n" * 129}, "name", 128),
        ({"group": "\0"}, "group", None),
        ({"tags": ["t"] * 65}, "tags", 64),
        ({"tags": ["t" * 65]}, "tags", 64),
        ({"tags": [1]}, "tags", None),
        ({"metadata": {"m": "x" * 2**20}}, "metadata", 2**20),
        ({"resume": "perhaps"}, "resume", None),
        ({"colour": 1}, "colour", None),
    ],
)
def test_bad_field_is_named(sender: Sender, change: dict[str, Any], field: str, limit: int | None) -> None:
    """A field that breaks a rule is named with its limit and a way out."""
    answer = sender.start(**change)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert (problem["field"], problem.get("limit")) == (field, limit)
    assert problem["fix"]


def test_metadata_is_bounded_in_depth(sender: Sender) -> None:
    """Metadata nested deeper than allowed is refused, also when it is absurdly deep."""
    deep = [
        sender.http.post(
            "/ingest/v1/runs", content=b'{"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        )
        for depth in (100, 100_000)
    ]

    assert [answer.status_code for answer in deep] == [422, 422]


def test_new_run_is_marked_for_coloring(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scales of the project hear of a run that starts."""
    marked: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(colors, "mark_runs", lambda _tx, project, ids: marked.append((project, list(ids))))

    sender.new_writer()

    assert marked == [(1, [1])]


def test_crashed_run_that_speaks_is_running(sender: Sender) -> None:
    """A batch or a heartbeat from a run thought crashed brings it back, and subscribers hear of it."""
    writer_id = sender.new_writer()
    states = []
    speaks: list[Callable[[], httpx.Response]] = [
        lambda: sender.beat(writer_id),
        lambda: sender.send_range(writer_id, 0, 0),
    ]
    for speak in speaks:
        with db.transaction() as tx:
            tx.execute("UPDATE run SET state = 'crashed', finished_at = now()")
            tx.execute("DELETE FROM outbox")
        assert speak().status_code == 200
        sender.beat(writer_id)  # the batch's answer does not wait for it
        states.append(run_row("state", "finished_at"))
        with db.transaction() as tx:
            assert [json.loads(event.payload)["state"] for event in outbox.oldest(tx, 9)] == ["running"]

    assert states == [("running", None)] * 2
