"""Embedded Postgres and Valkey: data outlives restarts, kills and strangers' leftovers."""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from runhue_server.embedded.errors import (
    DataDirectoryLockedError,
    EvictionPolicyError,
    StackError,
    WrongMajorError,
)
from runhue_server.embedded.redis import check_policy
from runhue_server.stack import Stack

pytestmark = pytest.mark.stack

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")

HOLD_A_STACK = """
import json, sys, time
from pathlib import Path
from runhue_server.stack import Stack

with Stack(Path(sys.argv[1]), services=(), schema=False) as stack:
    print(json.dumps({"pids": stack.processes, "database": stack.database_url}), flush=True)
    time.sleep(600)
"""


def servers(data_dir: Path) -> Stack:
    return Stack(data_dir, services=(), schema=False)


def remember(database_url: str, value: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (value int)")
        connection.execute("INSERT INTO memory VALUES (%s)", (value,))


def remembered(database_url: str) -> list[int]:
    with psycopg.connect(database_url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM memory ORDER BY value")]


def wait_until_gone(pids: list[int], seconds: float = 20) -> None:
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], seconds)
    assert not alive


def hold_a_stack(data_dir: Path) -> tuple[subprocess.Popen[str], dict[str, int], str]:
    """A stack in a process of its own: that process, the pids it supervises, its database."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_STACK, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        told = json.loads(holder.stdout.readline())
    return holder, told["pids"], told["database"]


def test_data_outlives_a_stop_and_a_start(data_dir: Path) -> None:
    """What was committed, and what was put into Valkey, is there after a restart."""
    with servers(data_dir) as stack:
        remember(stack.database_url, 1)
        with contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
            client.set("kept", "yes")

    with servers(data_dir) as stack:
        assert remembered(stack.database_url) == [1]
        with contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
            assert client.get("kept") == b"yes"


def test_second_start_is_quick(data_dir: Path) -> None:
    """With the database made, both servers are ready within two seconds."""
    with servers(data_dir):
        pass

    started = time.monotonic()
    with servers(data_dir):
        assert time.monotonic() - started < 2


def test_killed_servers_come_back_with_their_data(data_dir: Path) -> None:
    """kill -9 of the postmaster and of Valkey: new processes, same addresses, same data."""
    with servers(data_dir) as stack:
        remember(stack.database_url, 1)
        with contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
            client.set("kept", "yes")
            client.execute_command("WAITAOF", 1, 0, 5000)  # type: ignore[no-untyped-call]  # redis-py

        killed = {name: stack.kill(name, signal.SIGKILL) for name in ("postgres", "valkey")}
        stack.wait_ready()

        assert all(stack.processes[name] != pid for name, pid in killed.items())
        assert remembered(stack.database_url) == [1]
        with contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
            assert client.get("kept") == b"yes"


def test_immediate_restart_of_postgres_recovers(data_dir: Path) -> None:
    """SIGQUIT (immediate shutdown) leaves recovery to the next start, which the supervisor makes."""
    with servers(data_dir) as stack:
        remember(stack.database_url, 1)
        old = stack.kill("postgres", signal.SIGQUIT)
        while stack.processes.get("postgres") in (old, None):
            time.sleep(0.02)
        stack.wait_ready()

        assert remembered(stack.database_url) == [1]


def test_busy_backend_does_not_hold_up_the_next_life(data_dir: Path) -> None:
    """A backend in a long computation does not notice that its postmaster died; it is ended."""
    with servers(data_dir) as stack:
        remember(stack.database_url, 1)
        with contextlib.closing(psycopg.connect(stack.database_url)) as connection:
            connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000000000)")
            time.sleep(0.3)
            stack.kill("postgres", signal.SIGKILL)

            stack.wait_ready(60)

        assert remembered(stack.database_url) == [1]


def test_postmaster_that_nobody_recorded_is_shut_down(data_dir: Path) -> None:
    """The record of processes may be lost; a server on our data is found by its directory."""
    holder, pids, database_url = hold_a_stack(data_dir)
    remember(database_url, 1)
    os.kill(holder.pid, signal.SIGSTOP)  # so that nothing restarts or stops
    (data_dir / "run" / "processes.json").unlink()
    (data_dir / "lock").unlink()

    with servers(data_dir) as stack:
        assert remembered(stack.database_url) == [1]
        assert stack.processes["postgres"] != pids["postgres"]

    holder.kill()
    holder.wait()


def test_start_after_the_supervisor_was_killed(data_dir: Path) -> None:
    """kill -9 of the supervisor alone: the next start ends what is left and has the data."""
    holder, pids, database_url = hold_a_stack(data_dir)
    remember(database_url, 1)
    holder.kill()
    holder.wait()

    with servers(data_dir) as stack:
        assert remembered(stack.database_url) == [1]
        wait_until_gone(list(pids.values()))


def test_start_after_everything_was_killed(data_dir: Path) -> None:
    """kill -9 of the supervisor, of every Postgres process and of Valkey: committed data is there."""
    holder, pids, database_url = hold_a_stack(data_dir)
    remember(database_url, 1)
    backends = psutil.Process(pids["postgres"]).children()
    for pid in (holder.pid, *pids.values(), *(backend.pid for backend in backends)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    holder.wait()

    with servers(data_dir) as stack:
        assert remembered(stack.database_url) == [1]


def test_servers_end_with_a_killed_supervisor(data_dir: Path) -> None:
    """On Linux the kernel tells the servers that their supervisor died; Postgres shuts down cleanly."""
    if sys.platform != "linux":
        pytest.skip("needs the parent-death signal")
    holder, pids, _ = hold_a_stack(data_dir)

    holder.kill()
    holder.wait()

    wait_until_gone(list(pids.values()))
    assert "database system is shut down" in (data_dir / "logs" / "postgres.log").read_text()


def test_second_stack_on_a_directory_is_refused(data_dir: Path) -> None:
    """The message names the process that holds the directory and what to do."""
    with (
        servers(data_dir),
        pytest.raises(DataDirectoryLockedError, match=rf"in use by pid {os.getpid()}.*--data-dir"),
    ):
        servers(data_dir).start()


def test_data_of_another_major_is_refused_untouched(data_dir: Path) -> None:
    """Postgres 9's files are neither started nor changed."""
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(WrongMajorError, match="written by Postgres 9, but only Postgres"):
        servers(data_dir).start()

    assert [file.name for file in (data_dir / "postgres").iterdir()] == ["PG_VERSION"]


def test_half_made_database_is_made_again(data_dir: Path) -> None:
    """What a kill in the middle of initdb leaves is removed."""
    half = data_dir / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    with servers(data_dir) as stack:
        remember(stack.database_url, 1)

    assert not half.exists()


def test_foreign_files_are_not_overwritten(data_dir: Path) -> None:
    """A directory `postgres` that is no database stops the start with what to do."""
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "thesis.txt").write_text("mine")

    with pytest.raises(StackError, match="no PG_VERSION: move it away"):
        servers(data_dir).start()


def test_pid_file_of_a_stranger_does_not_block(data_dir: Path) -> None:
    """After a reboot the pid in postmaster.pid may be anyone's; Postgres alone would refuse to start."""
    with servers(data_dir) as stack:
        remember(stack.database_url, 1)
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    owner = (data_dir / "postgres").stat().st_uid
    drop = owner if owner != os.geteuid() else None
    with subprocess.Popen(["sleep", "300"], user=drop) as stranger:
        (data_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:], ""]))

        with servers(data_dir) as stack:
            assert remembered(stack.database_url) == [1]

        assert stranger.poll() is None
        stranger.kill()


def test_damaged_append_only_file_is_set_aside(data_dir: Path) -> None:
    """Valkey's data only wakes workers: it starts empty, and the damaged file is kept for a look."""
    with servers(data_dir):
        pass
    manifest = data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("damage\n")

    with servers(data_dir) as stack, contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
        assert client.ping()

    assert list((data_dir / "valkey").glob("appendonlydir.bad-*"))


def test_services_do_not_log_in_as_superuser(data_dir: Path) -> None:
    """Row-level security would not bind a superuser."""
    with servers(data_dir) as stack, psycopg.connect(stack.database_url) as connection:
        row = connection.execute("SELECT current_user, current_setting('is_superuser')").fetchone()

    assert row == ("runhue", "off")


def test_nothing_listens_on_the_network(data_dir: Path) -> None:
    """Both servers are reached by sockets in a directory of their own only."""
    with servers(data_dir) as stack:
        for pid in stack.processes.values():
            assert not psutil.Process(pid).net_connections("inet")
        sockets = Path(stack.redis_url.removeprefix("unix://")).parent
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert all(len(bytes(path)) < 100 for path in sockets.iterdir())


def test_evicting_redis_is_refused(data_dir: Path) -> None:
    """A Redis that drops keys loses wake-ups: the message has the command that ends it."""
    with servers(data_dir) as stack, contextlib.closing(redis.Redis.from_url(stack.redis_url)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

        with pytest.raises(EvictionPolicyError, match="CONFIG SET maxmemory-policy noeviction"):
            check_policy(stack.redis_url)


def test_unreachable_redis_is_named_without_its_password() -> None:
    """The address is in the message, the password is not."""
    with pytest.raises(StackError, match=r"127\.0\.0\.1:1 does not answer") as caught:
        check_policy("redis://:secret@127.0.0.1:1/0")

    assert "secret" not in str(caught.value)


@as_root
def test_root_runs_the_servers_as_an_existing_unprivileged_user(data_dir: Path) -> None:
    """Neither server runs as root, and their files belong to that account."""
    with servers(data_dir) as stack:
        users = {psutil.Process(pid).username() for pid in stack.processes.values()}
        processes = [psutil.Process(pid) for pid in stack.processes.values()]
        assert all(process.uids().effective != 0 for process in processes)
        assert all(process.gids().effective != 0 for process in processes)

    assert users == {pwd.getpwuid((data_dir / "postgres").stat().st_uid).pw_name}


@as_root
def test_configured_account_is_used(data_dir: Path) -> None:
    """RUNHUE_EMBEDDED_USER wins over `nobody`."""
    environ = {**os.environ, "RUNHUE_EMBEDDED_USER": "daemon"}
    with Stack(data_dir, services=(), schema=False, environ=environ) as stack:
        assert psutil.Process(stack.processes["postgres"]).username() == "daemon"


@as_root
def test_data_below_a_private_directory_is_linked(private_data_dir: Path) -> None:
    """Root's clone below /root: the databases go where their account can reach them, and stay."""
    with servers(private_data_dir) as stack:
        remember(stack.database_url, 1)

    assert (private_data_dir / "servers").is_symlink()
    with servers(private_data_dir) as stack:
        assert remembered(stack.database_url) == [1]
