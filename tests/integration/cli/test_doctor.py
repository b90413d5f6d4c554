"""`runhue doctor` finds planted faults, and nothing where there are none."""

import json
from collections.abc import Iterator

import psycopg
import pytest
import redis

from runhue._cli.checks import Check, clock_check
from runhue_server.doctor import postgres_checks, queue_check, redis_checks
from runhue_server.stack import Stack
from tests.builders import make_team
from tests.integration.cli.conftest import CommandLine
from tests.integration.public_api.running import until

pytestmark = pytest.mark.stack


def states(command_line: CommandLine, *arguments: str) -> tuple[int, dict[str, str]]:
    """Exit code and state of each check; each one that is not ok has a fix."""
    done = command_line("doctor", "--json", *arguments)
    checks = json.loads(done.stdout)
    assert all(check["fix"] for check in checks if check["state"] != "ok")
    return done.returncode, {check["name"]: check["state"] for check in checks}


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_sound_machine(stack: Stack, command_line: CommandLine) -> None:
    """Everything is ok, on the client's side and the server's, and the exit code is 0."""
    command_line.environ["RUNHUE_DATABASE_URL"] = stack.database_url
    command_line.environ["RUNHUE_REDIS_URL"] = stack.redis_url

    code, found = states(command_line)

    assert {name: state for name, state in found.items() if state != "ok"} == {}
    assert {"api", "ingest ready", "clock", "api key", "schema", "redis", "partitions"} <= found.keys()
    assert code == 0
    assert "✓ api key: team main" in command_line("doctor", "--no-server").stdout


def test_a_server_that_is_away(command_line: CommandLine) -> None:
    """An address where nobody listens is a failure."""
    code, found = states(command_line, "--host", "http://127.0.0.1:9")

    assert (code, found["api"]) == (1, "failure")


def test_a_wrong_key(command_line: CommandLine) -> None:
    """A key that the server does not know is a failure."""
    command_line.environ["RUNHUE_API_KEY"] = "w" * 40

    code, found = states(command_line)

    assert (code, found["api key"], found["api"]) == (1, "failure", "ok")


def test_a_redis_that_is_away(stack: Stack, command_line: CommandLine) -> None:
    """While Redis is stopped, its checks fail and those of Postgres do not."""
    command_line.environ |= {
        "RUNHUE_DATABASE_URL": stack.database_url,
        "RUNHUE_REDIS_URL": "redis://127.0.0.1:9",
    }

    code, found = states(command_line)

    assert (code, found["redis"], found["postgres"]) == (1, "failure", "ok")


def test_an_evicting_redis(stack: Stack) -> None:
    """A Redis that may drop keys is a failure."""
    client = redis.Redis.from_url(stack.redis_url)
    client.config_set("maxmemory-policy", "allkeys-lru")

    found = by_name(redis_checks(stack.redis_url))

    client.config_set("maxmemory-policy", "noeviction")
    client.close()
    assert found["redis"].state == "failure"
    assert "allkeys-lru" in found["redis"].found


def test_a_queue_that_nobody_serves(stack: Stack) -> None:
    """Many wake-ups that wait are a warning."""
    unserved = unserved_redis(stack.redis_url)
    client = redis.Redis.from_url(unserved)
    client.rpush("coloring", *(b"x" for _ in range(1001)))

    found = queue_check(unserved)

    client.delete("coloring")
    client.close()
    assert (found.state, "coloring 1001" in found.found) == ("warning", True)


def unserved_redis(url: str) -> str:
    """Another database of the same server, in which no worker looks for work."""
    return f"{url.partition('?')[0]}?db=5"


def test_a_stopped_partition_and_old_batches(stack: Stack) -> None:
    """A partition that stopped is a failure with its reason; batches that wait long are a warning."""
    with psycopg.connect(stack.database_url) as connection:
        team = make_team(connection, "doctor")
        part = team * 8
        connection.execute(
            "INSERT INTO inbox_partition (part, team_id, stopped_at, stop_reason)"
            " VALUES (%s, %s, now(), 'half of its batches are bad')",
            (part, team),
        )
        connection.execute(
            "INSERT INTO inbox"
            " (part, team_id, run_id, writer_id, seq_lo, seq_hi, codec, crc, received_at, body)"
            " VALUES (%s, %s, 1, 1, 0, 0, 1, 0, now() - interval '1 hour', '')",
            (part, team),
        )

    found = by_name(postgres_checks(stack.database_url))

    with psycopg.connect(stack.database_url) as connection:
        connection.execute("DELETE FROM inbox WHERE part = %s", (part,))
        connection.execute("DELETE FROM team WHERE name = 'doctor'")
        connection.execute("DELETE FROM inbox_partition WHERE part = %s", (part,))
    assert found["partitions"].state == "failure"
    assert "half of its batches are bad" in found["partitions"].found
    assert found["inbox"].state == "warning"


def test_an_empty_database(stack: Stack) -> None:
    """A database without our schema is a failure that names the command."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE doctor_empty")

    found = by_name(postgres_checks(_other_database(stack.database_url, "doctor_empty")))

    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE doctor_empty WITH (FORCE)")
    assert (found["schema"].state, found["schema"].fix) == ("failure", "run `runhue migrate`")


def test_addresses_that_are_missing_or_wrong() -> None:
    """No address and an address where nobody listens are failures, without a password in the text."""
    missing = by_name(postgres_checks("")) | by_name(redis_checks(""))
    wrong = by_name(postgres_checks("postgresql://me:secret@127.0.0.1:9/runhue"))

    assert {check.state for check in (*missing.values(), *wrong.values())} == {"failure"}
    assert "secret" not in wrong["postgres"].found


def test_a_skewed_clock(stack: Stack) -> None:
    """A clock that is an hour off is a warning that says by how much."""
    until(lambda: clock_check(stack.api_url).state == "ok")

    found = clock_check(stack.api_url, lambda: 0.0)

    assert found.state == "warning"
    assert "behind the server" in found.found


def _other_database(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name)
