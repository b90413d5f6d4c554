"""Lists of runs: what passes, in which order, page by page."""

import json
import math
from typing import Any

import httpx
import pytest

from runhue_server.api.models_runs import Runs
from runhue_shared import db
from runhue_shared.db import filtering
from tests.integration.api.stored import Stored


def ids(api: httpx.Client, project: Stored, **params: Any) -> list[str]:
    answer = api.get(f"{project.url}/runs", params=params)
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in Runs.model_validate(answer.json()).model_dump()["runs"]]


def pages(api: httpx.Client, project: Stored, **params: Any) -> list[list[str]]:
    """Ids of every page."""
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        page = api.get(
            f"{project.url}/runs", params={**params, **({"cursor": cursor} if cursor else {})}
        ).json()
        found.append([run["id"] for run in page["runs"]])
        cursor = page["next"]
        if cursor is None:
            return found


def test_run_has_what_the_reference_names(api: httpx.Client, project: Stored) -> None:
    """A list shows a run's attributes, and of config and summary only the columns asked for."""
    project.add_run(
        "r1",
        config={"lr": 0.1, "model.layers": 3},
        logged={"loss": math.nan, "acc": 2**53 + 2, "_step": 9},
        manual={"best": [1, "x"]},
        name="first",
        tags=["a"],
        group_name="g",
    )

    plain = api.get(f"{project.url}/runs").json()
    some = api.get(f"{project.url}/runs", params={"columns": "config.lr,summary.LOSS"}).json()["runs"][0]
    everything = api.get(f"{project.url}/runs", params={"columns": "*"}).json()["runs"][0]

    run = Runs.model_validate(plain).runs[0]
    assert (run.id, run.name, run.team, run.project, run.group) == ("r1", "first", "ours", "mnist", "g")
    assert (run.config, run.summary, run.created_at, run.last_step) == ({}, {}, 1000.0, 9)
    assert plain["total"] == 1
    assert (some["config"], some["summary"]) == ({"lr": 0.1}, {"loss": "NaN"})
    assert everything["config"] == {"lr": 0.1, "model.layers": 3}
    assert everything["summary"] == {"loss": "NaN", "acc": float(2**53 + 2), "_step": 9.0, "best": [1, "x"]}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("-created_at", "dcba"),
        ("created_at", "abcd"),
        ("+name", "dcab"),
        ("-name", "bacd"),
        ("config.lr", "abcd"),
        ("-config.lr", "bacd"),
        ("summary.loss", "cabd"),
        ("-summary.LOSS", "acbd"),
        ("duration", "abcd"),
        ("-state", "badc"),
    ],
)
def test_order(api: httpx.Client, project: Stored, order: str, expected: str) -> None:
    """Numbers come before texts, whatever has no value comes last in both directions, ties go by id."""
    project.add_run("a", name="z", config={"lr": 1}, logged={"loss": 0.5}, created_at=1, state="running")
    project.add_run("b", name="z", config={"lr": 2}, logged={"loss": "x"}, created_at=2, state="running")
    project.add_run("c", name="b", config={"lr": "x"}, logged={"loss": 3}, manual={"loss": -1}, created_at=3)
    project.add_run("d", name="a", logged={"loss": math.nan}, created_at=4)

    assert ids(api, project, order=order) == list(expected)


@pytest.mark.parametrize(
    "order", ["created_at", "-name", "config.lr", "-config.lr", "-summary.loss", "duration"]
)
def test_paging_neither_repeats_nor_skips_ties(api: httpx.Client, project: Stored, order: str) -> None:
    """Pages of three over runs that tie in every way are the whole list in its order."""
    values: list[Any] = [1, 1, 1, "x", "x", True, None, math.nan, 1.5, "x", 1]
    for position, value in enumerate(values):
        project.add_run(f"r{position:02}", name="same", config={"lr": value}, logged={"loss": value})

    walked = pages(api, project, order=order, limit=3)

    assert [run for page in walked for run in page] == ids(api, project, order=order)
    assert [len(page) for page in walked] == [3, 3, 3, 2]


def test_filter_search_and_total(api: httpx.Client, project: Stored) -> None:
    """Filter and search join; the total counts all that pass, not the page."""
    for number in range(5):
        project.add_run(f"run{number}", config={"lr": number}, name="good" if number % 2 else "bad")

    answer = api.get(
        f"{project.url}/runs",
        params={"filter": json.dumps({"config.lr": {"$gte": 1}}), "search": "^good$|0$", "limit": 1},
    ).json()

    assert answer["total"] == 2
    assert [run["id"] for run in answer["runs"]] == ["run3"]


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"filter": "{"}, "invalid_filter", "filter"),
        ({"filter": '{"colour": 1}'}, "invalid_filter", "filter.colour"),
        ({"filter": '{"name": {"$regex": "("}}'}, "invalid_filter", "name"),
        ({"search": "["}, "invalid_filter", "search"),
        ({"order": "colour"}, "invalid_filter", "order"),
        ({"order": "tags"}, "invalid_filter", "order"),
        ({"order": ""}, "invalid_filter", "order"),
        ({"columns": "lr"}, "invalid_filter", "columns"),
        ({"columns": "name"}, "invalid_filter", "columns"),
        ({"limit": "0"}, "invalid_request", "limit"),
        ({"limit": "many"}, "invalid_request", "limit"),
        ({"cursor": "x"}, "invalid_cursor", "cursor"),
        ({"cursor": "W10"}, "invalid_cursor", "cursor"),
        ({"search": "a\0"}, "invalid_request", "search"),
        ({"page": "2"}, "unknown_parameter", "page"),
    ],
)
def test_refusals(api: httpx.Client, project: Stored, params: dict[str, str], code: str, field: str) -> None:
    """Input that means nothing is refused by name, with what to do."""
    answer = api.get(f"{project.url}/runs", params=params)

    problem = answer.json()
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["field"]) == (code, field)
    assert problem["fix"]


def test_unknown_parameter_lists_the_known_ones(api: httpx.Client, project: Stored) -> None:
    """A misspelled parameter is not ignored: the answer lists those that the route knows."""
    problem = api.get(f"{project.url}/runs", params={"sort": "name"}).json()

    assert problem["fix"] == "this route knows: columns, cursor, filter, limit, order, search"


def test_cursor_of_another_order_is_refused(api: httpx.Client, project: Stored) -> None:
    """A cursor belongs to its order, and forged places are refused like any other."""
    for number in range(3):
        project.add_run(f"r{number}")
    cursor = api.get(f"{project.url}/runs", params={"limit": 1, "order": "name"}).json()["next"]

    other = api.get(f"{project.url}/runs", params={"limit": 1, "order": "-name", "cursor": cursor})

    assert other.json()["code"] == "invalid_cursor"


def test_a_filter_that_takes_too_long(
    api: httpx.Client, project: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter cannot hold a connection for long: it is refused with the limit."""
    monkeypatch.setattr(filtering, "FILTER_TIMEOUT", "1ms")
    for number in range(300):
        project.add_run(f"r{number}")
    backtracking = {"name": {"$regex": r"^(.*)(.*)(.*)\1\2\3x$"}}

    answer = api.get(f"{project.url}/runs", params={"filter": json.dumps(backtracking)})

    assert (answer.status_code, answer.json()["code"]) == (422, "filter_too_slow")


def test_deleting_is_idempotent(api: httpx.Client, project: Stored) -> None:
    """A deleted run is gone from every answer; deleting it again says so and changes nothing."""
    project.add_run("r1")

    first = api.delete(f"{project.url}/runs/r1")
    second = api.delete(f"{project.url}/runs/r1")

    assert (first.json(), second.json()) == ({"deleted": True}, {"deleted": False})
    assert api.get(f"{project.url}/runs/r1").json()["code"] == "run_not_found"
    assert ids(api, project) == []
    assert api.get(project.url).json()["runs"] == 0
    with db.transaction() as tx:
        events = tx.execute("SELECT payload::json ->> 'state' FROM outbox WHERE type = 'run'").fetchall()
    assert events == [("deleted",)]


def test_stop_is_what_writers_are_told(api: httpx.Client, project: Stored) -> None:
    """Asking a run to stop sets what its writers hear of with their next batch."""
    run_id = project.add_run("r1", state="running")

    answer = api.post(f"{project.url}/runs/r1/stop")

    assert answer.json() == {"stop_requested": True}
    with db.transaction() as tx:
        assert tx.execute("SELECT stop_requested FROM run WHERE id = %s", (run_id,)).fetchone() == (True,)
