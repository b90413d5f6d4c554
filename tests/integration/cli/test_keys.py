"""`runhue keys` against a real server, and what a key of one project may log."""

import asyncio
import json
import uuid

import httpx
import pytest

import runhue
from runhue_server.stack import Stack
from tests.integration.cli.conftest import CommandLine
from tests.integration.public_api.running import Lab

pytestmark = pytest.mark.stack


def start(stack: Stack, key: str, project: str) -> httpx.Response:
    """Ask ingest for a writer of a new run."""
    wanted = {"project": project, "run": uuid.uuid4().hex, "writer": uuid.uuid4().hex, "started_at": 1.0}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{stack.ingest_url}/ingest/v1/runs", json=wanted, headers=headers, timeout=30)


def test_a_key_is_made_used_rotated_and_revoked(command_line: CommandLine, stack: Stack) -> None:
    """Each command prints what it did, and the server does as it says."""
    key = command_line("keys", "create", "ci", "--scope", "read").stdout.strip()
    [made] = [one for one in json.loads(command_line("keys", "list", "--json").stdout) if one["name"] == "ci"]
    rotated = json.loads(command_line("keys", "rotate", str(made["id"]), "--json").stdout)["key"]
    revoked = command_line("keys", "revoke", str(made["id"]))

    assert made["prefix"] == key[:8]
    assert "refused within 5 seconds" in revoked.stdout
    with runhue.Api(stack.api_url, rotated) as api:
        assert api.viewer().scopes == ("read",)
    with runhue.Api(stack.api_url, key) as api, pytest.raises(runhue.errors.AuthError):
        api.viewer()
    assert "revoked" in command_line("keys", "list").stdout


def test_a_key_of_one_project_logs_to_no_other(lab: Lab, stack: Stack, project: str) -> None:
    """Neither a run of another project nor a batch of another project's writer is taken."""
    lab.api.create_project(project)
    key = lab.api.create_key("trainer", ["ingest"], project=project)
    foreign = start(stack, stack.api_key, f"{project}-other").json()["writer_id"]
    heartbeat = f"{stack.ingest_url}/ingest/v1/writers/{foreign}/heartbeat"

    own, other = start(stack, key, project), start(stack, key, f"{project}-other")
    beat = httpx.post(heartbeat, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    assert own.status_code == 200
    assert (other.status_code, other.json()["code"]) == (403, "project_forbidden")
    assert (beat.status_code, beat.json()["code"]) == (404, "writer_not_found")


def test_async_calls_do_the_same(stack: Stack) -> None:
    """`AsyncApi` makes, lists, rotates and revokes keys."""

    async def life() -> list[bool]:
        async with runhue.AsyncApi(stack.api_url, stack.api_key) as api:
            key = await api.create_key("async", ["read"], expires_in_days=1)
            newest = (await api.keys())[0]
            other = await api.rotate_key(newest.id, overlap_hours=0)
            await api.revoke_key(newest.id)
            return [newest.expires_at is not None, other != key]

    assert asyncio.run(life()) == [True, True]
