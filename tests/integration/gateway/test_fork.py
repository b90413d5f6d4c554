"""Forks: a run begins with its parent's rows."""

from collections.abc import Iterator

import pytest

from runhue_server.gateway import fork
from tests.integration.gateway.conftest import key_of
from tests.integration.gateway.posting import UPSERT, Poster, folding, row, rows, state_of, stored_rows

IMAGE = {
    "_type": "image-file",
    "path": "media/images/a_2.png",
    "sha256": "0" * 64,
    "size": 3,
    "format": "png",
}


@pytest.fixture
def poster(url: str) -> Iterator[Poster]:
    """A client of team `main`, beside workers that fold; run r1 has rows 0..5."""
    made = Poster(url, key_of("main", "ingest", "read"))
    with folding(), made.http:
        made.begin()
        lines = [*rows(0, 1), row(2, v=2**70, deep={"x": 1}, image=IMAGE, s="text"), *rows(3, 5)]
        made.log(lines, complete=True, exitcode=0)
        yield made


def forked_at(step: float, run: str = "r1") -> dict[str, object]:
    return {"_wandb": {"value": {"branch_point": {"run_id": run, "step": step}}}}


def test_a_fork_begins_with_its_parents_rows(poster: Poster) -> None:
    """Rows up to the step are the parent's, value for value; what the fork logs follows."""
    poster.begin("child", config=forked_at(2))
    poster.log([row(3, v=0.5)], run="child", complete=True, exitcode=0)

    parent = stored_rows()
    assert stored_rows("child") == [*parent[:3], {"_step": 3, "v": 0.5}]
    assert type(stored_rows("child")[2]["v"]) is int
    assert stored_rows("child")[2]["image"] == IMAGE
    assert state_of("child") == ("finished", 0)
    assert len(stored_rows()) == 6


def test_a_fork_asked_for_again_copies_once(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that took longer than the client waits goes on where it was, page by page."""
    monkeypatch.setattr(fork, "VALUES_AT_ONCE", 1)
    monkeypatch.setattr(fork, "COPY_SECONDS", 0.0)
    said = {"project": "digits", "name": "child", "host": "vm"}
    statuses = set()
    for _ in range(3):
        answer = poster.http.post(
            "/graphql",
            json={"query": UPSERT, "variables": {**said, "config": '{"_wandb":{"value":{"branch_point":'
                  '{"run_id":"r1","step":4}}}}'}},
        )  # fmt: skip
        statuses.add(answer.status_code)
    monkeypatch.setattr(fork, "COPY_SECONDS", 20.0)
    poster.begin("child", config=forked_at(4))
    poster.begin("child", config=forked_at(4))

    assert 503 in statuses
    assert stored_rows("child") == stored_rows()[:5]


def test_a_fork_of_nothing_is_refused(poster: Poster) -> None:
    """A parent that is not there is said so, and no run is left."""
    said = {"project": "digits", "name": "child", "host": "vm"}
    config = '{"_wandb":{"value":{"branch_point":{"run_id":"none","step":1}}}}'
    answer = poster.http.post("/graphql", json={"query": UPSERT, "variables": {**said, "config": config}})

    assert answer.status_code == 404
    assert "fork" in answer.json()["errors"][0]["message"]
    assert poster.resume("child") is None
