"""Runs deleted, stopped and put into another state by the wandb client's ids; all of it said twice."""

from typing import Any

import httpx
import pytest

from runhue_server.gateway import ids
from runhue_shared import db
from runhue_shared.settings import Settings
from tests.integration.gateway.artifact_logging import Logger
from tests.integration.gateway.conftest import Client, key_of
from tests.integration.gateway.run_reading import log_as_sdk
from tests.integration.storage.logged_run import log_run

DELETE = """mutation D($id: ID!, $all: Boolean) {
  deleteRun(input: {id: $id, deleteArtifacts: $all}) { clientMutationId } }"""
STOP = "mutation S($id: ID!) { stopRun(input: {id: $id}) { success } }"
STATE = "mutation U($input: UpdateRunStateInput!) { updateRunState(input: $input) { success } }"
READ = 'query R { project(name: "digits") { run(name: "own") { state stopped } } }'


@pytest.fixture
def run(client: Client) -> str:
    """The GraphQL id of a run that finished."""
    return ids.encode("Run", log_as_sdk())


def state_of(run: str) -> Any:
    with db.transaction() as tx:
        return tx.execute(
            "SELECT state, exit_code, finished_at IS NOT NULL, stop_requested, deleted_at"
            " FROM run WHERE id = %s",
            (ids.decode("Run", run),),
        ).fetchall()[0]


def events() -> list[str]:
    with db.transaction() as tx:
        rows = tx.execute("SELECT payload FROM outbox WHERE payload LIKE '%state%' ORDER BY id")
        return [payload for (payload,) in rows]


def put(run: str, state: str) -> None:
    with db.transaction() as tx:
        tx.execute("UPDATE run SET state = %s WHERE id = %s", (state, ids.decode("Run", run)))


def test_a_deleted_run_is_gone_once(client: Client, run: str) -> None:
    """The second request changes nothing and is no error; the key's run cannot be read any more."""
    assert client.ask(DELETE, id=run) == {"deleteRun": {"clientMutationId": None}}
    first, told = state_of(run), events()

    assert client.ask(DELETE, id=run, all=True) == {"deleteRun": {"clientMutationId": None}}

    assert client.ask(READ)["project"]["run"] is None
    assert first[4] is not None
    assert state_of(run) == first
    assert [payload for payload in told if '"deleted"' in payload] == told[-1:]
    assert events() == told


def test_a_run_is_asked_to_stop(client: Client, run: str) -> None:
    """Asking again is the same wish."""
    for _ in range(2):
        assert client.ask(STOP, id=run) == {"stopRun": {"success": True}}

    assert client.ask(READ)["project"]["run"] == {"state": "finished", "stopped": True}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("running", "pending"), ("failed", "pending"), ("crashed", "pending"), ("preempted", "pending"),
        ("pending", "failed"), ("running", "failed"),
    ],
)  # fmt: skip
def test_a_run_changes_its_state_where_there_is_a_way(
    client: Client, run: str, before: str, after: str
) -> None:
    """A failed run has ended, a pending one has not; saying it again keeps it, with one event."""
    put(run, before)
    told = len(events())

    for _ in range(2):
        assert client.ask(STATE, input={"id": run, "state": after}) == {"updateRunState": {"success": True}}

    assert state_of(run)[:3] == (after, None, after == "failed")
    assert len(events()) == told + 1


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("finished", "pending", "the run is finished, and from there it cannot become pending"),
        ("killed", "failed", "it can from pending, running"),
        (
            "running",
            "finished",
            "a run cannot be put into state 'finished'; use one of ['failed', 'pending']",
        ),
        ("preempting", "failed", "cannot become failed"),
    ],
)
def test_a_run_keeps_its_state_where_there_is_no_way(
    client: Client, run: str, before: str, after: str, told: str
) -> None:
    """The refusal says which states there is a way from."""
    put(run, before)

    errors = client.post(STATE, input={"id": run, "state": after}).json()["errors"]

    assert told in errors[0]["message"]
    assert state_of(run)[0] == before


CHANGES = [(DELETE, {}), (STOP, {}), (STATE, {"input": {"state": "failed"}})]


@pytest.mark.parametrize(("query", "variables"), CHANGES)
def test_only_keys_that_log_to_the_team_change_its_runs(
    client: Client, other_team: Client, run: str, query: str, variables: dict[str, Any]
) -> None:
    """Another team's key finds no run under the id, and one that only reads may not change it."""
    put(run, "running")
    before = state_of(run)
    reader = Client(client.url, key_of("main", "read"))
    given = {"id": run, "input": {**variables.get("input", {}), "id": run}}
    with reader.http:
        answers = [asker.post(query, **given).json() for asker in (other_team, reader)]

    assert ["errors" in answer for answer in answers] == [True, True]
    assert "scopes" in answers[1]["errors"][0]["message"]
    assert state_of(run) == before


@pytest.mark.parametrize(("query", "variables"), CHANGES)
def test_an_id_that_is_no_runs_is_refused(client: Client, query: str, variables: dict[str, Any]) -> None:
    """Nothing happens, and the message names the id."""
    for run_id in ("nonsense", "", ids.encode("Run", 999_999), ids.encode("Project", 1), None):
        given = {"id": run_id, "input": {**variables.get("input", {}), "id": run_id}}

        errors = client.post(query, **given).json()["errors"]

        assert "there is no run with the id" in errors[0]["message"]


def test_artifacts_of_several_runs_go_with_the_last(client: Client, server_settings: Settings) -> None:
    """Two runs that log the same content make one artifact; to delete one of them takes it from nobody."""
    first = log_run(server_settings)
    second = log_run(server_settings, run="r2")
    with httpx.Client(timeout=30, trust_env=False) as plain:
        logger = Logger(client, plain)
        artifact = logger.log("ds", {"a": b"1"})
        again = Logger(client, plain, run="r2").create("ds", {"a": b"1"}, clientID="second")
        assert again["id"] == artifact

        client.ask(DELETE, id=ids.encode("Run", first.id), all=True)
        assert logger.contents(artifact) == {"a": b"1"}
        client.ask(DELETE, id=ids.encode("Run", second.id), all=True)
        assert logger.contents(artifact) == {}
