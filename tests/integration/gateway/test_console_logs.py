"""What a run printed, as the wandb client reads it."""

from typing import Any

import pytest

from tests.integration.gateway.conftest import Client
from tests.integration.gateway.run_reading import LINES, log_as_sdk, log_as_wandb

READ = """query Q($run: String!, $first: Int, $after: String, $last: Int) {
  project(name: "digits", entityName: "main") { run(name: $run) { logLineCount
    logLines(first: $first, after: $after, last: $last, useImprovedPagination: true) {
      edges { node { number timestamp level label line } cursor }
      pageInfo { endCursor hasNextPage } } } } }"""


@pytest.fixture(params=["own", "theirs"])
def run(request: pytest.FixtureRequest, client: Client) -> str:
    """The same lines, printed under our own SDK and under the wandb client."""
    if request.param == "own":
        log_as_sdk()
    else:
        log_as_wandb(client)
    return str(request.param)


def lines(client: Client, run: str, **variables: Any) -> list[dict[str, Any]]:
    page = client.ask(READ, run=run, **variables)["project"]["run"]["logLines"]
    return [edge["node"] for edge in page["edges"]]


def test_lines_have_their_number_time_level_and_text(client: Client, run: str) -> None:
    """Lines count from 0 in their order; only what went to stderr has a level."""
    time = "2027-01-15T08:00:00.250000Z"

    assert lines(client, run) == [
        {"number": place, "timestamp": time, "level": level, "label": "", "line": text}
        for place, (text, level) in enumerate(zip(LINES, ("", "error", ""), strict=True))
    ]


def test_pages_follow_each_other(client: Client, run: str) -> None:
    """A page goes on behind the cursor of the one before, and the last one says so."""
    found, after, more = [], None, True
    while more:
        answer = client.ask(READ, run=run, first=2, after=after)["project"]["run"]
        found += [edge["node"]["line"] for edge in answer["logLines"]["edges"]]
        after, more = answer["logLines"]["pageInfo"].values()

    assert tuple(found) == LINES
    assert answer["logLineCount"] == len(LINES)


def test_the_last_lines_keep_their_numbers(client: Client, run: str) -> None:
    """A tail is in order, with the numbers that the lines have in the whole console."""
    assert [(line["number"], line["line"]) for line in lines(client, run, last=2)] == [
        (1, "second"),
        (2, "third"),
    ]
    assert lines(client, run, last=0) == []


def test_a_cursor_that_is_none_is_refused(client: Client) -> None:
    """A cursor of another list says what to send instead."""
    log_as_sdk()

    errors = client.post(READ, run="own", after="nonsense").json()["errors"]

    assert "after is no cursor" in errors[0]["message"]
