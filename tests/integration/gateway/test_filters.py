"""The wandb client's filters and orders, over runs of the database."""

import json
from typing import Any

import pytest

from runhue_server.gateway.run_filters import postgres_pattern
from runhue_shared import db
from runhue_shared.db import documents, run_clients
from runhue_shared.db.run_clients import RunClient
from tests.builders import make_project, make_run
from tests.integration.gateway.conftest import Client

LIST = """query Runs($filters: JSONString, $order: String, $first: Int, $after: String) {
  project(name: "digits", entityName: "main") {
    runCount(filters: $filters)
    runs(filters: $filters, order: $order, first: $first, after: $after) {
      totalCount edges { node { name } cursor } pageInfo { endCursor hasNextPage }
    }
  }
}"""


@pytest.fixture
def runs(client: Client) -> None:
    """Four runs: a and b of the wandb client, c and d of our own SDK."""
    with db.transaction() as tx:
        team = tx.execute("SELECT id FROM team WHERE name = 'main'").fetchall()[0][0]
        project = make_project(tx, team)
        for place, name in enumerate("abcd"):
            run = make_run(tx, project, name)
            tx.execute(
                "UPDATE run SET name = %s, state = %s, group_name = %s, job_type = %s, tags = %s,"
                " created_at = to_timestamp(1800000000.5 + %s), heartbeat_at = to_timestamp(1800000100),"
                " started_at = 1800000000, metadata = %s WHERE id = %s",
                (
                    f"brave-run-{place}",
                    ["running", "finished", "crashed", "finished"][place],
                    ["g1", "g1", None, "g2"][place],
                    ["train", None, "eval", "eval"][place],
                    [["x", "y"], ["y"], [], ["z"]][place],
                    60 * place,
                    json.dumps({"host": f"own{place}"}, separators=(",", ":")),
                    run.id,
                ),
            )
            if name in "ab":
                run_clients.tell(tx, team, run.id, RunClient(username="ann", host="box"))
            documents.edit_config(
                tx,
                run.id,
                {
                    "lr": [0.1, 0.2, 0.3, "0.1"][place],
                    "opt": {"name": ["adam", "sgd", "adam", None][place], "value": place},
                    "a.b": place % 2 == 0,
                    **({"only": None} if name == "c" else {}),
                },
            )
            documents.edit_summary(tx, run.id, {"acc": [0.5, 0.9, None, 0.7][place], "deep": {"x": place}})


def found(client: Client, filters: Any = None, order: str | None = None) -> str:
    answer = client.ask(LIST, filters=json.dumps({} if filters is None else filters), order=order)["project"]
    names = "".join(edge["node"]["name"] for edge in answer["runs"]["edges"])
    assert answer["runCount"] == answer["runs"]["totalCount"] == len(names)
    return names


FILTERS: list[tuple[Any, str]] = [
    ({}, "abcd"),
    ({"name": "b"}, "b"),
    ({"name": {"$in": ["a", "d", "nothing"]}}, "ad"),
    ({"displayName": "brave-run-2"}, "c"),
    ({"display_name": {"$regex": "run-[12]$"}}, "bc"),
    ({"displayName": {"$regex": "(?i)^BRAVE\\b.*\\b3\\z"}}, "d"),
    ({"displayName": {"$regex": "(?P<any>run)-\\x30"}}, "a"),
    ({"displayName": {"$regex": "\\Qbrave-run\\E-[^01]"}}, "cd"),
    ({"displayName": {"$not": {"$regex": "0"}}}, "bcd"),
    ({"state": "finished"}, "bd"),
    ({"state": {"$ne": "finished"}}, "ac"),
    ({"state": {"$nin": ["finished", "crashed"]}}, "a"),
    ({"group": "g1"}, "ab"),
    ({"group": None}, "c"),
    ({"group": {"$exists": False}}, "c"),
    ({"jobType": "eval"}, "cd"),
    ({"job_type": {"$exists": True}}, "acd"),
    ({"tags": "y"}, "ab"),
    ({"tags": {"$in": ["x", "z"]}}, "ad"),
    ({"tags": {"$nin": ["y"]}}, "cd"),
    ({"username": "ann"}, "ab"),
    ({"user.username": "main"}, "cd"),
    ({"host": "box"}, "ab"),
    ({"host": "own2"}, "c"),
    ({"duration": {"$gte": 100}}, "abcd"),
    ({"duration": {"$lt": 100}}, ""),
    ({"createdAt": {"$gte": "2027-01-15T08:01:00Z"}}, "bcd"),
    ({"created_at": {"$gt": "2027-01-15T08:01:00"}}, "cd"),
    ({"created_at": {"$lte": "2027-01-15T08:01:00Z"}}, "ab"),
    ({"created_at": "2027-01-15T08:01:00Z"}, "b"),
    ({"created_at": {"$in": ["2027-01-15T08:01:00Z", "2027-01-15T08:00:00Z"]}}, "ab"),
    ({"created_at": {"$lt": "2027-01-15T08:01:00.4Z"}}, "a"),
    ({"heartbeatAt": {"$gt": "2027-01-15T08:01:39Z"}}, "abcd"),
    ({"config.lr": 0.1}, "a"),
    ({"config.lr.value": 0.1}, "a"),
    ({"config.lr": "0.1"}, "d"),
    ({"config.lr.value": {"$gt": 0.1, "$lte": 0.3}}, "bc"),
    ({"config.lr": {"$ne": 0.1}}, "bcd"),
    ({"config.opt.name": "adam"}, "ac"),
    ({"config.opt.value.name": "adam"}, "ac"),
    ({"config.opt.value": 2}, "c"),
    ({"config.opt.name": {"$in": ["sgd", None]}}, "bd"),
    ({"config.opt.value.name": {"$in": ["sgd", None]}}, "bd"),
    ({"config.a.b": True}, "ac"),
    ({"config.a.b.value": False}, "bd"),
    ({"config.only": {"$exists": True}}, "c"),
    ({"config.only.value": {"$exists": False}}, "abd"),
    ({"config.missing": None}, "abcd"),
    ({"config.missing.value": None}, "abcd"),
    ({"summary_metrics.acc": {"$gt": 0.6}}, "bd"),
    ({"summary_metrics.deep.x": {"$gte": 2}}, "cd"),
    ({"summary_metrics.acc": None}, "c"),
    ({"$and": [{"state": "finished"}, {"config.lr": 0.2}]}, "b"),
    ({"$or": [{"name": "a"}, {"tags": "z"}]}, "ad"),
    ({"$nor": [{"name": "a"}, {"tags": "z"}]}, "bc"),
    ({"$not": {"state": "finished"}}, "ac"),
    ({"state": "finished", "displayName": {"$regex": "3"}, "$or": [{"name": "b"}, {"name": "d"}]}, "d"),
    ({"displayName": "brave-run-1", "display_name": "brave-run-2"}, ""),
]


def test_a_filter_finds_the_runs_it_means(client: Client, runs: None) -> None:
    """Names, values and operators of the client mean what its documentation says, in lists and in counts."""
    told = [(filters, found(client, filters)) for filters, _ in FILTERS]

    assert told == FILTERS


ORDERS: list[tuple[str | None, str]] = [
    (None, "abcd"),
    ("+created_at", "abcd"),
    ("created_at", "abcd"),
    ("-created_at", "dcba"),
    ("-createdAt", "dcba"),
    ("-display_name", "dcba"),
    ("-heartbeat_at", "dcba"),
    ("+config.lr.value", "abcd"),
    ("-config.lr", "cbad"),
    ("-config.opt.value.value", "dcba"),
    ("-summary_metrics.acc", "bdac"),
    ("+summary_metrics.acc", "adbc"),
    ("+summary_metrics.deep.x", "abcd"),
    ("+state,-created_at", "cdba"),
    ("-state, +config.lr", "abdc"),
    ("+config.opt.name.value,-summary_metrics.acc", "acbd"),
]


def test_a_list_has_the_order_asked_for(client: Client, runs: None) -> None:
    """Lists sort by one field or several, runs without the value last."""
    assert [(order, found(client, order=order)) for order, _ in ORDERS] == ORDERS


def test_pages_follow_each_other_in_every_order(client: Client, runs: None) -> None:
    """Page after page gives what one page would."""
    assert [(order, paged(client, order)) for order, _ in ORDERS] == ORDERS


def paged(client: Client, order: str | None) -> str:
    names, cursor, more = "", None, True
    while more:
        page = client.ask(LIST, order=order, first=1, after=cursor)["project"]["runs"]
        names += "".join(edge["node"]["name"] for edge in page["edges"])
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return names


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"filters": "{"}, "not JSON"),
    ({"filters": '{"colour": 1}'}, "unknown field 'colour'; use one of: name, displayName"),
    ({"filters": '{"config.": 1}'}, "unknown field"),
    ({"filters": '{"$where": "1"}'}, "$where"),
    ({"filters": '{"state": {"$size": 1}}'}, "unknown operator '$size'"),
    ({"filters": '{"displayName": {"$regex": "(["}}'}, "brackets"),
    ({"filters": '{"displayName": {"$regex": "\\\\p{Greek}"}}'}, "escape"),
    ({"filters": '{"createdAt": {"$gt": "yesterday"}}'}, "is a time"),
    ({"filters": "[1]"}, "a filter is a JSON object"),
    ({"filters": '{"$and":' * 30 + "1" + "}" * 30}, "list of at least one filter"),
    ({"order": "-colour"}, "unknown field 'colour'"),
    ({"order": "+tags"}, "has no order"),
    ({"order": ",+".join(["state"] * 9)}, "9 fields"),
    ({"after": "nonsense"}, "after is no cursor"),
    ({"after": "WyJhIl0="}, "after is no cursor"),
]


def test_what_cannot_be_asked_is_refused_with_the_reason(client: Client, runs: None) -> None:
    """A filter, order or cursor that means nothing here is one refusal that says what would."""
    for variables, told in REFUSED:
        response = client.post(LIST, **variables)

        assert response.status_code == 200, variables
        assert all(told in error["message"] for error in response.json()["errors"]), response.text


def test_a_page_is_stable_while_runs_are_added(client: Client, runs: None) -> None:
    """A cursor is a place in the order: runs made meanwhile are neither repeated nor push others out."""
    first = client.ask(LIST, order="-created_at", first=2)["project"]["runs"]
    with db.transaction() as tx:
        project = tx.execute("SELECT id FROM project").fetchall()[0][0]
        make_run(tx, project, "e")
        tx.execute("UPDATE run SET created_at = to_timestamp(1900000000) WHERE public_id = 'e'")

    after = first["pageInfo"]["endCursor"]
    second = client.ask(LIST, order="-created_at", first=10, after=after)["project"]["runs"]

    assert [edge["node"]["name"] for edge in first["edges"]] == ["d", "c"]
    assert [edge["node"]["name"] for edge in second["edges"]] == ["b", "a"]
    assert second["pageInfo"]["hasNextPage"] is False


def test_every_part_of_a_pattern_is_said_in_the_words_of_postgres() -> None:
    """Inside brackets nothing but hexadecimal characters is rewritten."""
    assert postgres_pattern(r"(?is)a\b[\b\x5d]\x{263a}(?<n>\d)") == r"(?is)a\y[\b\]]☺(\d)"
    assert postgres_pattern("") == ""
