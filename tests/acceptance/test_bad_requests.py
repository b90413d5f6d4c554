"""Requests that mean nothing: each is refused with what is wrong and what to do, and changes nothing."""

import json
import secrets
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.acceptance.bad_input import PROJECT, Doors, nested, refused

pytestmark = pytest.mark.stack

RUN = f"/api/v1/projects/main/{PROJECT}/runs/target"
RUNS = f"/api/v1/projects/main/{PROJECT}/runs"
INVALID = "invalid_request"
DEEP = '{"config": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}"
HALF = "\\ud800"
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def target(shared_doors: Doors) -> Doors:
    """Run `target`, with a name, a tag and a config that no refused request may change."""
    writer = shared_doors.writer("target", name="untouched", tags=["a"])
    assert shared_doors.wire.send_rows(writer, [(0, {"loss": 0.5})]).status_code == 200
    shared_doors.settled("target")
    shared_doors.api.patch(RUN, json={"config": {"lr": 1}}).raise_for_status()
    return shared_doors


class Row(NamedTuple):
    """A body that is refused, and how."""

    body: Any  # bytes and text are sent as they are, the rest as JSON
    field: str | None
    code: str = INVALID
    status: int = 422
    limit: int | None = None


def sent(body: Any) -> bytes:  # of a Row
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return text if isinstance(text, bytes) else text.encode()


NO_JSON = {
    "words": Row("hello", "body"),
    "cut JSON": Row('{"name": "a', "body"),
    "no UTF-8": Row(b'{"name": "\xff"}', "body"),
    "nothing": Row("", "body"),
    "null": Row("null", "body"),
    "a list": Row("[]", "body"),
    "100,000 deep": Row("[" * 100_000, "body", limit=64),
    "integer of 5,000 digits": Row('{"config": {"a": ' + "1" * 5000 + "}}", "body"),
    "half a surrogate pair": Row(f'{{"notes": "{HALF}"}}', "body"),
    "over 1 MB": Row({"notes": "x" * MEBIBYTE}, "body", "body_too_large", 413, MEBIBYTE),
}
EDITS = {
    **NO_JSON,
    "config 100,000 deep": Row(DEEP, "body", limit=64),
    "half a pair in a config value": Row(f'{{"config": {{"a": {{"b": ["{HALF}"]}}}}}}', "body"),
    "half a pair in a config key": Row(f'{{"config": {{"{HALF}": 1}}}}', "body"),
    "half a pair in a summary": Row(f'{{"summary": {{"a": "x{HALF}y"}}}}', "body"),
    "half a pair among keys to remove": Row(f'{{"remove_config": ["{HALF}"]}}', "body"),
    "unknown field": Row({"colour": 1}, "colour"),
    "name of no type": Row({"name": 5}, "name"),
    "name null": Row({"name": None}, "name"),
    "name empty": Row({"name": ""}, "name"),
    "name blank": Row({"name": " \n"}, "name"),
    "name of 513 characters": Row({"name": "x" * 513}, "name"),
    "NUL in the name": Row({"name": "a\0b"}, "name"),
    "NUL in notes": Row({"notes": "a\0b"}, "notes"),
    "NUL in a tag": Row({"tags": ["ok", "a\0"]}, "tags.1"),
    "tags as text": Row({"tags": "a"}, "tags"),
    "number among tags": Row({"tags": [1]}, "tags.0"),
    "257 tags": Row({"tags": ["x"] * 257}, "tags"),
    "config as a list": Row({"config": []}, "config"),
    "config null": Row({"config": None}, "config"),
    "config key of 501 characters": Row({"config": {"k" * 501: 1}}, "k" * 501, "key_too_long", limit=500),
    "nested config key": Row({"config": {"a": {"k" * 499: 1}}}, f"a.{'k' * 499}", "key_too_long", limit=500),
    "summary key with NUL": Row({"summary": {"a\0": 1}}, "a\0", "key_has_nul"),
    "keys to remove as text": Row({"remove_summary": "a"}, "remove_summary"),
    "group as a number": Row({"group": 5}, "group"),
    "job type as a bool": Row({"job_type": True}, "job_type"),
}


@pytest.mark.parametrize("row", EDITS.values(), ids=EDITS)
def test_edit_of_a_run(doors: Doors, target: Doors, row: Row) -> None:
    """A refused edit names its field and leaves the run as it was."""
    answer = doors.api.patch(RUN, content=sent(row.body), headers={"Content-Type": "application/json"})

    refused(answer, row.status, row.code, row.field, row.limit)
    run = target.get("/runs/target")
    assert (run["name"], run["tags"], run["config"], run["notes"]) == ("untouched", ["a"], {"lr": 1}, None)
    assert run["summary"]["loss"] == 0.5


STARTS = {
    "words": Row("hello", "body"),
    "no UTF-8": Row(b'{"project": "\xff"}', "body"),
    "a list": Row("[]", "body"),
    "nothing": Row("", "body"),
    "100,000 deep": Row("[" * 100_000, "body"),
    "metadata 100,000 deep": Row(DEEP.replace("config", "metadata"), "body"),
    "metadata 65 deep": Row({"metadata": {"a": nested(64)}}, "metadata", limit=64),
    "unknown field": Row({"colour": 1}, "colour"),
    "no project": Row({"project": ...}, "project"),
    "project null": Row({"project": None}, "project"),
    "NUL in the project": Row({"project": "a\0b"}, "project"),
    "project of dots": Row({"project": ".."}, "project"),
    "project with a slash": Row({"project": "a/b"}, "project"),
    "project of 129 characters": Row({"project": "p" * 129}, "project", limit=128),
    "NUL in the run": Row({"run": "a\0b"}, "run"),
    "run as a number": Row({"run": 5}, "run"),
    "run empty": Row({"run": ""}, "run"),
    "NUL in the name": Row({"name": "\0"}, "name"),
    "NUL in a tag": Row({"tags": ["a\0"]}, "tags"),
    "tags as text": Row({"tags": "abc"}, "tags"),
    "writer in capitals": Row({"writer": "A" * 32}, "writer"),
    "started at true": Row({"started_at": True}, "started_at"),
    "resume as it likes": Row({"resume": "perhaps"}, "resume"),
    "metadata of 2 MB": Row({"metadata": {"a": "x" * 2 * MEBIBYTE}}, "metadata", limit=MEBIBYTE),
    "5 MB": Row({"notes": "x" * 5 * MEBIBYTE}, "body", "body_too_large", 413, 4 * MEBIBYTE),
    "another team": Row({"team": "them"}, "team", "team_not_found", 404),
    "run that must be there": Row({"resume": "must"}, "run", "run_not_found", 404),
    "run that must not be there": Row({"run": "target", "resume": "never"}, "run", "run_exists", 409),
}


@pytest.mark.parametrize("row", STARTS.values(), ids=STARTS)
def test_start_of_a_run(doors: Doors, target: Doors, row: Row) -> None:
    """A refused start names its field and makes nothing."""
    before = target.get("/runs")["total"]
    good = {"project": PROJECT, "run": "made", "writer": secrets.token_hex(16), "started_at": 1.0}
    body = row.body
    if isinstance(body, dict):
        body = {name: value for name, value in {**good, **body}.items() if value is not ...}

    answer = doors.wire.http.post("/ingest/v1/runs", content=sent(body))

    refused(answer, row.status, row.code, row.field, row.limit)
    assert target.get("/runs")["total"] == before


@pytest.mark.parametrize("field", ["project", "run", "name", "notes", "metadata"])
def test_half_a_surrogate_pair_in_a_start(doors: Doors, field: str) -> None:
    """Half a character is called that."""
    good = {"project": PROJECT, "run": "made", "writer": secrets.token_hex(16), "started_at": 1.0}
    value = f'{{"a": "{HALF}"}}' if field == "metadata" else f'"{HALF}"'
    body = json.dumps({**good, field: 0}).replace(f'"{field}": 0', f'"{field}": {value}')

    answer = doors.wire.http.post("/ingest/v1/runs", content=body)

    refused(answer, 422, INVALID, "body")
    assert "half a surrogate pair" in answer.json()["detail"]


PROJECTS = {
    "number": Row({"name": 5}, "name"),
    "nothing": Row({}, "name"),
    "blank": Row({"name": " "}, "name"),
    "dots": Row({"name": ".."}, "name"),
    "slash": Row({"name": "a/b"}, "name"),
    "NUL": Row({"name": "a\0"}, "name"),
    "line": Row({"name": "a\n"}, "name"),
    "too long": Row({"name": "p" * 129}, "name"),
    "more": Row({"name": "p", "color": 1}, "color"),
}


@pytest.mark.parametrize("row", PROJECTS.values(), ids=PROJECTS)
def test_new_project(doors: Doors, row: Row) -> None:
    """A name that no address could hold is refused."""
    refused(doors.api.post("/api/v1/projects", json=row.body), row.status, row.code, row.field, row.limit)


def test_sql_is_text(doors: Doors, target: Doors) -> None:
    """What looks like SQL is a name like any other, in every place."""
    name = "'; DROP TABLE run; --"
    assert doors.api.post("/api/v1/projects", json={"name": name}).status_code in (201, 409)
    writer = doors.wire.new_writer(project=name, run=name, name=name, tags=[name], group=name)
    assert doors.wire.send_rows(writer, [(0, {name: 1.0})]).status_code == 200

    url = f"/api/v1/projects/main/{quote(name, safe='')}/runs"
    found = doors.api.get(url, params={"filter": json.dumps({"tags": name, "group": name})}).json()

    assert [run["id"] for run in found["runs"]] == [name]
    assert target.get("/runs", search=name)["total"] == 0
    assert target.get("/runs/target")["name"] == "untouched"


QUERIES: list[tuple[str, str | None, str, int]] = [
    (f"{RUNS}?cursor=garbage", "cursor", "invalid_cursor", 422),
    (f"{RUNS}?cursor=W10", "cursor", "invalid_cursor", 422),
    (f"{RUNS}?cursor={'A' * 50_000}", "cursor", "invalid_cursor", 422),
    (f"{RUNS}?limit=0", "limit", INVALID, 422),
    (f"{RUNS}?limit=1000000000", "limit", INVALID, 422),
    (f"{RUNS}?limit={'9' * 5000}", "limit", INVALID, 422),
    (f"{RUNS}?limit=true", "limit", INVALID, 422),
    (f"{RUNS}?search=[", "search", "invalid_filter", 422),
    (f"{RUNS}?search=(((a{{1,100}}){{1,100}}){{1,100}})", "search", "invalid_filter", 422),
    (f"{RUNS}?search=a%00", "search", INVALID, 422),
    (f"{RUNS}?search={'a' * 1001}", "search", INVALID, 422),
    (f"{RUNS}?filter={{", "filter", "invalid_filter", 422),
    (f"{RUNS}?filter=[]", "filter", "invalid_filter", 422),
    (f"{RUNS}?filter={'[' * 50_000}", "filter", "invalid_filter", 422),
    (f'{RUNS}?filter={{"duration":{"1" * 5000}}}', "filter", "invalid_filter", 422),
    (f'{RUNS}?filter={{"$where":1}}', "filter.$where", "invalid_filter", 422),
    (f'{RUNS}?filter={{"colour":1}}', "filter.colour", "invalid_filter", 422),
    (f'{RUNS}?filter={{"name":{{"$regex":"("}}}}', "name", "invalid_filter", 422),
    (f'{RUNS}?filter={{"name":{{"$regex":5}}}}', "filter.name.$regex", "invalid_filter", 422),
    (f'{RUNS}?filter={{"name":{{"$in":"a"}}}}', "filter.name.$in", "invalid_filter", 422),
    (f'{RUNS}?filter={{"name":{{"$exists":1}}}}', "filter.name.$exists", "invalid_filter", 422),
    (f'{RUNS}?filter={{"created_at":"x"}}', "filter.created_at", "invalid_filter", 422),
    (f'{RUNS}?filter={{"name":"{HALF}"}}', "filter.name", "invalid_filter", 422),
    (f"{RUNS}?order=colour", "order", "invalid_filter", 422),
    (f"{RUNS}?columns=colour", "columns", "invalid_filter", 422),
    (f"{RUNS}?page=2", "page", "unknown_parameter", 422),
    (f"{RUN}/rows?limit=10001", "limit", INVALID, 422),
    (f"{RUN}/rows?from=many", "from", INVALID, 422),
    (f"{RUN}/rows?after={2**63}", "after", INVALID, 422),
    (f"{RUN}/rows?keys=", "keys", INVALID, 422),
    (f"{RUN}/rows?keys=[1]", "keys", INVALID, 422),
    (f"{RUN}/rows?format=xml", "format", INVALID, 422),
    (f"{RUN}/history?points=0", "points", INVALID, 422),
    (f"{RUN}/console?after=-{2**70}", "after", INVALID, 422),
    ("/api/v1/projects?cursor=garbage", "cursor", "invalid_cursor", 422),
    ("/api/v1/projects/main/nobody", "project", "project_not_found", 404),
    ("/api/v1/projects/them/digits", "project", "project_not_found", 404),
    ("/api/v1/projects/main/a%00b", None, INVALID, 422),
    (f"{RUNS}/nobody", "run", "run_not_found", 404),
    (f"{RUNS}/{'r' * 5000}", "run", "run_not_found", 404),
    ("/api/v1/workspaces/999999999", "workspace", "workspace_not_found", 404),
    ("/api/v1/workspaces/default", "workspace", INVALID, 422),
    (f"/api/v1/workspaces/{2**63}", "workspace", INVALID, 422),
    ("/api/v1/legends/nobody", "legend_id", "legend_not_found", 404),
    ("/api/v1/nothing", None, "not_found", 404),
]


@pytest.mark.parametrize(("url", "field", "code", "status"), QUERIES, ids=[row[0][-60:] for row in QUERIES])
def test_question(doors: Doors, target: Doors, url: str, field: str | None, code: str, status: int) -> None:
    """A question that means nothing is refused by name."""
    refused(doors.api.get(url), status, code, field)
