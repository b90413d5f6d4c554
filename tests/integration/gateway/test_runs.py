"""One run and lists of runs, as the wandb client asks for them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from runhue_shared import db
from tests.builders import make_run
from tests.integration.gateway.conftest import Client
from tests.integration.gateway.run_reading import BIG, log_as_sdk, log_as_wandb

LIGHT = """id tags name displayName sweepName state group jobType commit readOnly createdAt heartbeatAt
  description notes historyLineCount projectId user { name username }"""
FULL = LIGHT + " config systemMetrics summaryMetrics historyKeys"
RUN = """query Run($name: String!) { project(name: "digits", entityName: "main") { run(name: $name) {
  FIELDS host stopped updatedAt duration eventsLineCount logLineCount wandbConfig(keys: ["t"])
  project { name entityName } runInfo { program args os python cpuCount git { commit } } } } }"""
LIST = """query Runs($first: Int) { project(name: "digits", entityName: "main") { runCount
  runs(first: $first) { edges { node { FIELDS } } } } }"""


def read(client: Client, name: str) -> Any:
    return client.ask(RUN.replace("FIELDS", FULL), name=name)["project"]["run"]


def test_a_run_of_the_wandb_client_is_read_as_it_was_told(client: Client) -> None:
    """Every field says what the client said, JSON in JSON as the client reads it."""
    run_id = log_as_wandb(client)

    run = read(client, "theirs")

    told = {
        key: run[key] for key in ("id", "name", "displayName", "state", "tags", "notes", "group", "jobType")
    }
    assert told == {
        "id": run_id, "name": "theirs", "displayName": "by wandb", "state": "finished", "tags": ["t"],
        "notes": "n", "group": "g", "jobType": "j",
    }  # fmt: skip
    assert (run["commit"], run["host"], run["sweepName"], run["readOnly"], run["stopped"]) == (
        "abc", "box", None, False, False,
    )  # fmt: skip
    assert run["createdAt"].endswith("Z")
    assert len(run["createdAt"]) == len("2027-01-15T08:00:00Z")
    assert int(run["projectId"]) > 0
    assert run["user"] == {"name": "main", "username": "main"}
    assert run["project"] == {"name": "digits", "entityName": "main"}
    config = json.loads(run["config"])
    assert config["opt"] == {"value": {"name": "adam"}}
    assert config["none"] == {"value": None}
    assert config["_wandb"]["value"]["t"] == {"1": [1]}
    assert json.loads(run["wandbConfig"]) == {"t": {"1": [1]}}
    summary = json.loads(run["summaryMetrics"])
    assert (summary["loss"], summary["deep"], summary["best"], summary["_step"]) == (
        0.05,
        {"x": {"y": 2}},
        0.99,
        7,
    )
    assert json.loads(run["systemMetrics"])["system.cpu"] == 7.5
    assert (run["historyLineCount"], run["eventsLineCount"], run["logLineCount"]) == (4, 1, 3)
    assert run["historyKeys"]["lastStep"] == 7
    assert run["runInfo"] == {
        "program": "train.py", "args": ["--fast"], "os": "Linux", "python": "3.12", "cpuCount": 2,
        "git": {"commit": "abc"},
    }  # fmt: skip


def test_a_run_of_our_own_sdk_is_read_alike(client: Client) -> None:
    """A run that no wandb client saw has all the fields of one, and counts as begun."""
    log_as_sdk()

    run = read(client, "own")

    assert (run["displayName"], run["state"], run["tags"], run["group"]) == ("by sdk", "finished", ["t"], "g")
    assert (run["host"], run["commit"], run["user"]["username"]) == ("desk", "def", "main")
    assert json.loads(run["config"]) == {
        "lr": {"value": 0.1}, "opt": {"value": {"name": "adam"}}, "none": {"value": None},
    }  # fmt: skip
    summary = json.loads(run["summaryMetrics"])
    assert (summary["loss"], summary["big"], summary["best"], summary["_step"]) == (0.05, BIG, 0.99, 7)
    assert json.loads(run["wandbConfig"]) == {"t": {}}
    assert json.loads(run["systemMetrics"]) == {}
    assert (run["historyLineCount"], run["eventsLineCount"], run["logLineCount"]) == (4, 0, 3)
    assert run["historyKeys"]["keys"]["loss"]["typeCounts"] == [{"type": "number", "count": 4}]
    assert run["runInfo"]["args"] == ["train.py"]


def test_a_run_that_is_not_there_is_null(client: Client) -> None:
    """Unknown and deleted runs and names that no run can have are null, not errors."""
    log_as_sdk()
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")

    assert [read(client, name) for name in ("own", "nobody", "", "nul\0")] == [None] * 4


def test_other_teams_see_nothing(client: Client, other_team: Client) -> None:
    """A key reads no run of a team that it does not reach."""
    log_as_sdk()

    assert other_team.ask(RUN.replace("FIELDS", FULL), name="own") == {"project": None}


@pytest.fixture
def fifty(client: Client) -> None:
    """A project of 50 runs with rows, beside one of the wandb client."""
    log_as_wandb(client)
    with db.transaction() as tx:
        project = tx.execute("SELECT id FROM project").fetchall()[0][0]
        metric = tx.execute("SELECT id FROM metric WHERE folded = 'loss'").fetchall()[0][0]
        for number in range(49):
            run = make_run(tx, project, f"r{number}", writers=0)
            tx.execute(
                "INSERT INTO run_metric (team_id, run_id, metric_id, type, n, first_step, last_step,"
                " last_ord, last) VALUES (%s, %s, %s, 'number', 1, 0, 0, 0, %s)",
                (run.team_id, run.id, metric, number),
            )


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that any connection executes meanwhile."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def noting(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        statements.append(query if isinstance(query, str) else repr(query))
        return execute(self, query, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", noting)
        yield statements


def asked(client: Client, monkeypatch: pytest.MonkeyPatch, fields: str, first: int) -> list[str]:
    client.ask(LIST.replace("FIELDS", "name"), first=1)  # the key is known from here on
    with counting(monkeypatch) as statements:
        nodes = client.ask(LIST.replace("FIELDS", fields), first=first)["project"]["runs"]["edges"]
    assert len(nodes) == first
    # Other threads work too: they look keys up and keep heartbeats.
    return [
        told for told in statements if told.startswith("SELECT") and "run" in told and "api_key" not in told
    ]


def test_a_page_costs_the_same_for_two_runs_and_for_fifty(
    client: Client, fifty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked of runs, the number of statements does not grow with the page."""
    assert len(asked(client, monkeypatch, FULL, 50)) == len(asked(client, monkeypatch, FULL, 2))


def test_a_light_page_reads_no_config_and_no_summary(
    client: Client, fifty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a list does not show is not read."""
    light, full = ("\n".join(asked(client, monkeypatch, fields, 50)) for fields in (LIGHT, FULL))

    assert "client_summary" in full
    assert "SELECT id, config" in full
    assert "client_summary" not in light
    assert "SELECT id, config" not in light
