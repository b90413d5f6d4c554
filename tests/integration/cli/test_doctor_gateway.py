"""`runhue doctor --gateway`: what clients asked the gateway for in vain."""

import json

import httpx
import pytest

from runhue_server.stack import Stack
from tests.integration.cli.conftest import CommandLine
from tests.waiting import eventually

pytestmark = pytest.mark.stack

QUESTION = (
    """query LookAhead($team: String) { viewer { username futureField } futureThing(team: $team) { name } }"""
)


def ask(stack: Stack) -> httpx.Response:
    """A newer client asks for what we do not know."""
    return httpx.post(
        f"{stack.api_url}/graphql",
        json={"query": QUESTION, "variables": {"team": "main"}, "operationName": "LookAhead"},
        auth=("api", stack.api_key),
        headers={"User-Agent": "wandb-core"},
    )


def test_what_was_asked_in_vain_is_listed(stack: Stack, command_line: CommandLine) -> None:
    """The answer is soft, what it left out is counted by name and client, for people and for programs."""
    answers = [ask(stack) for _ in range(3)]

    def listed() -> dict[str, int]:
        done = command_line("doctor", "--gateway", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return {
            one["name"]: one["count"] for one in json.loads(done.stdout) if one["operation"] == "LookAhead"
        }

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json()["data"]["viewer"]["username"] for answer in answers] == ["main"] * 3
    assert eventually(lambda: sorted(listed().values()) == [3, 3], seconds=30), listed()
    assert any("futureField" in name for name in listed())
    assert any("futureThing" in name for name in listed())
    shown = command_line("doctor", "--gateway")
    assert shown.returncode == 0
    assert "futureField" in shown.stdout


def test_it_needs_an_admin_key(stack: Stack, command_line: CommandLine) -> None:
    """A key that may only log is told so."""
    made = command_line("keys", "create", "logger", "--scope", "ingest", "--json")
    command_line.environ["RUNHUE_API_KEY"] = json.loads(made.stdout)["key"]

    done = command_line("doctor", "--gateway")

    assert done.returncode == 1
    assert "admin" in done.stderr
