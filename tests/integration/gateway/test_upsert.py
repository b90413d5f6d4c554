"""`upsertBucket`: runs begin, and what is told of them changes."""

import json
from collections.abc import Iterator
from typing import Any, LiteralString

import pytest

from runhue_shared import db
from runhue_shared.db import documents, media_settings, run_clients
from tests.integration.gateway.conftest import key_of
from tests.integration.gateway.posting import (
    ALERT,
    UPSERT,
    Poster,
    refused_of,
    rows,
    run_id,
    state_of,
    stored_rows,
)


@pytest.fixture
def poster(url: str) -> Iterator[Poster]:
    """A client of team `main`."""
    made = Poster(url, key_of("main", "ingest", "read"))
    with made.http:
        yield made


def stored(columns: LiteralString, run: str = "r1") -> tuple[Any, ...]:
    with db.transaction() as tx:
        return tx.execute(f"SELECT {columns} FROM run WHERE public_id = %s", (run,)).fetchall()[0]


def writers_of(run: str = "r1") -> int:
    with db.transaction() as tx:
        return int(
            tx.execute("SELECT count(*) FROM run_writer WHERE run_id = %s", (run_id(run),)).fetchall()[0][0]
        )


def test_a_run_is_there_when_it_is_answered(poster: Poster) -> None:
    """The project and the run are made, and the answer has what the client cannot do without."""
    bucket = poster.begin(
        displayName="first",
        notes="hello",
        groupName="g1",
        jobType="train",
        tags=["t1", "t1"],
        config={"lr": {"value": 0.1}, "_wandb": {"value": {"t": {"5": "0.31.0"}}}},
    )

    assert bucket["name"] == "r1"
    assert bucket["displayName"] == "first"
    assert bucket["project"]["name"] == "digits"
    assert bucket["project"]["entity"]["name"] == "main"
    assert bucket["historyLineCount"] == 0
    config = json.loads(bucket["config"])
    assert config["lr"]["value"] == 0.1
    assert config["_wandb"]["value"] == {"t": {"5": "0.31.0"}}
    assert stored("name, notes, group_name, job_type, tags, config, state") == (
        "first",
        "hello",
        "g1",
        "train",
        ["t1"],
        '{"lr":0.1}',
        "running",
    )


def test_a_run_without_a_name_gets_a_readable_one(poster: Poster) -> None:
    """What the client shows is words, the same when it asks again."""
    name = poster.begin()["displayName"]

    assert name.count("-") == 2
    assert poster.begin()["displayName"] == name


def test_beginning_sent_again_is_one_session(poster: Poster) -> None:
    """The same request again, before any line, makes no second writer; after lines a process is new."""
    poster.begin()
    poster.begin()
    assert writers_of() == 1

    poster.log(rows(0, 1))
    poster.begin()
    assert writers_of() == 2


def test_null_leaves_a_thing_unchanged(poster: Poster) -> None:
    """A later update with the config only changes the config, and begins no session."""
    poster.begin(displayName="first", tags=["a"], config={"lr": {"value": 1}})
    poster.log(rows(0, 0))
    poster.change(config={"late": {"value": 5}})

    assert stored("name, tags") == ("first", ["a"])
    assert json.loads(str(stored("config")[0])) == {"lr": 1, "late": 5}
    assert writers_of() == 1


def test_the_public_api_edits_by_id(poster: Poster) -> None:
    """An update by id sends the whole config: keys that are missing go. It is no session."""
    node = poster.begin(config={"a": {"value": 1}, "b": {"value": 2}})["id"]
    poster.log(rows(0, 0), complete=True, exitcode=0)
    said = {"id": node, "config": '{"b":{"value":3,"desc":null}}', "tags": [], "notes": "n"}
    answer = poster.ask(UPSERT, **said)

    assert answer["upsertBucket"]["bucket"]["id"] == node
    assert json.loads(str(stored("config")[0])) == {"b": 3}
    assert stored("notes, tags") == ("n", [])
    assert state_of() == ("finished", 0)


def test_a_summary_edited_by_id_wins(poster: Poster) -> None:
    """What the public API sets in the summary wins over what was logged."""
    node = poster.begin()["id"]
    poster.log(rows(0, 1))
    stored_rows()

    poster.ask(UPSERT, id=node, summaryMetrics='{"v":9.5,"best":NaN}')

    with db.transaction() as tx:
        summary = documents.summary_of_run(tx, run_id())
    assert summary["v"] == 9.5
    assert summary["best"] != summary["best"]


def test_the_clients_own_config_defines_metrics_and_charts(poster: Poster) -> None:
    """`m` becomes metric definitions, `visualize` and class labels settings of media, sessions add to `e`."""
    own: dict[str, Any] = {
        "e": {"w1": {"os": "Linux"}},
        "m": [{"1": "epoch", "6": [3]}, {"2": "val/*", "5": 1, "6": [1, 2], "7": [1, 4], "8": 2}],
        "visualize": {"pr": {"panel_type": "Vega2", "panel_config": {"panelDefId": "wandb/line/v0"}}},
        "mask/class_labels": {"img_wandb_delimeter_p": {"type": "mask", "key": "p", "value": {"0": "bg"}}},
    }
    poster.begin(config={"_wandb": {"value": own}})
    poster.change(config={"_wandb": {"value": {"e": {"w2": {"os": "Mac"}}, "m": []}}})

    with db.transaction() as tx:
        definitions = dict(tx.execute("SELECT name, definition FROM metric_definition").fetchall())
        settings = {(one.kind, one.key): one.value for one in media_settings.of_run(tx, run_id())}
        kept = run_clients.wandb_config(tx, run_id())
    assert json.loads(definitions["val/*"]) == {
        "step_metric": "epoch",
        "summary": ["min", "best"],
        "goal": "maximize",
        "hidden": True,
    }
    assert settings["chart", "pr"] == own["visualize"]["pr"]
    assert settings["mask_classes", "img_wandb_delimeter_p"]["value"] == {"0": "bg"}
    assert kept["e"] == {"w1": {"os": "Linux"}, "w2": {"os": "Mac"}}
    assert kept["m"] == own["m"]


def test_a_config_that_is_too_large_does_not_end_the_training(poster: Poster) -> None:
    """What of a config cannot be kept is counted on the run's page; the rest is there."""
    poster.begin(config={"lr": {"value": 1}, "blob": {"value": "x" * 1_100_000}})

    assert json.loads(str(stored("config")[0])) == {"lr": 1}
    assert refused_of() == {"config_too_large": 1}


def test_a_used_id_goes_on_with_the_same_run(poster: Poster) -> None:
    """A process that takes an id again, without resume, deletes nothing; its lines are new ones."""
    poster.begin()
    poster.log(rows(0, 3), complete=True, exitcode=0)
    stored_rows()

    bucket = poster.begin()
    assert bucket["historyLineCount"] == 4
    poster.log(rows(4, 5), 4)
    poster.post(files={"wandb-events.jsonl": {"offset": 0, "content": ['{"_timestamp":1.7e9,"system.x":1}']}})

    assert [one["_step"] for one in stored_rows()] == list(range(6))
    assert stored_rows(stream="system") == [{"_step": 1_700_000_000_000, "system.x": 1}]
    assert state_of() == ("running", None)


def test_a_run_is_made_in_the_state_that_is_asked_for(poster: Poster) -> None:
    """The public API makes runs that are pending; a process that begins makes one running."""
    poster.change("r2", state="pending")
    assert stored("state", "r2") == ("pending",)

    poster.begin("r2")
    assert stored("state", "r2") == ("running",)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"name": "a/b"}, 400),
        ({"name": None}, 400),
        ({"project": "a:b"}, 400),
        ({"config": "[1]"}, 400),
        ({"entity": "others"}, 404),
        ({"id": "UnVuOjk5OQ==", "name": None}, 404),
    ],
)
def test_what_cannot_be_is_said_at_once(poster: Poster, said: dict[str, str | None], status: int) -> None:
    """A run that cannot be made is refused with a message, and leaves nothing."""
    variables = {"project": "digits", "name": "r9", "host": "vm", **said}
    answer = poster.http.post("/graphql", json={"query": UPSERT, "variables": variables})

    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["message"]
    with db.transaction() as tx:
        assert tx.execute("SELECT count(*) FROM run").fetchall() == [(0,)]


def test_a_deleted_run_is_not_begun_again(poster: Poster) -> None:
    """Its id stays taken, and the user is told."""
    poster.begin()
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")

    answer = poster.http.post(
        "/graphql", json={"query": UPSERT, "variables": {"project": "digits", "name": "r1", "host": "vm"}}
    )

    assert answer.status_code == 400
    assert "deleted" in answer.json()["errors"][0]["message"]


def test_an_alert_is_kept_once_in_its_time(poster: Poster) -> None:
    """An alert of the same title within the wait is the same one."""
    poster.begin()
    said = {"entityName": "main", "projectName": "digits", "runName": "r1", "title": "t", "text": "x"}
    for wait in (60_000, 60_000, 0):
        answer = poster.ask(ALERT, **said, severity="WARN", waitDuration=wait)
        assert answer["notifyScriptableRunAlert"]["success"] is True

    with db.transaction() as tx:
        assert tx.execute("SELECT title, text, level FROM run_alert").fetchall() == [("t", "x", "warn")] * 2
