"""Fixtures over a real Postgres and a real Valkey, started once a session by the first test that asks."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from runhue_server.embedded import binaries
from runhue_server.embedded.account import Account, give_to, server_account
from runhue_server.embedded.supervise import TRAMPOLINE
from runhue_server.stack import Stack
from runhue_server.web.auth import key_cache
from runhue_shared import db, queue
from runhue_shared.db.migrate import migrate
from runhue_shared.settings import Settings, settings
from tests import wandb_clients

START_SECONDS = 60.0
STOP_SECONDS = 20.0
EMPTYING_TRIES = 4
SUPERUSER = "postgres"
EMBEDDED_USER = "RUNHUE_EMBEDDED_USER"
# Nothing here survives a crash, and no test of this process kills Postgres and then looks for data.
POSTGRES_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "150",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
}


def pytest_configure(config: pytest.Config) -> None:
    """What whoever runs the tests has set for runhue or wandb decides nothing in them."""
    for name in [*os.environ]:
        if name.startswith(("RUNHUE_", "WANDB_")) and name != EMBEDDED_USER:
            del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a shell: what the tests start would ignore the Ctrl-C they send it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist has the directory of who started it
        _make_temporary_directory(config)


def _make_temporary_directory(config: pytest.Config) -> None:
    """What clients and servers leave in the temporary directory is gone with the tests that started them.

    Only `tmp_path` stays where it always is, so that a failed test can be looked into.
    """
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    directory = Path(tempfile.mkdtemp(prefix="rh-", dir="/tmp"))  # sockets below it have a length limit
    directory.chmod(0o755)  # for the account of the servers
    os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))


def pytest_collection_finish(session: pytest.Session) -> None:
    """The wandb clients, when a test needs them, are installed before the first test, within no time-out."""
    needed = any("client_python" in getattr(item, "fixturenames", ()) for item in session.items)
    versions = wandb_clients.missing() if needed and not session.config.option.collectonly else []
    if not versions:
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.write_line(f"installing wandb {', '.join(versions)} into {wandb_clients.ENVIRONMENTS} ...")
    # The tests that need what could not be installed try again, and fail.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        wandb_clients.install(versions)


@pytest.fixture(scope="session")
def client_python() -> Callable[[str], Path]:
    """`client_python(version)`: the interpreter that has that version of wandb."""
    return wandb_clients.client_python


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Every process, for all tests that kill none of them and look at projects of their own only."""
    with Stack.temporary() as running:
        yield running


def _launch(account: Account | None, log: Path, *command: str | Path) -> "subprocess.Popen[bytes]":
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    numbers = [str(number) for number in (os.getpid(), int(signal.SIGKILL), uid, gid)]
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", TRAMPOLINE, *numbers, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )


def _stop(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def _wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"server did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _socket_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A short-named directory (sockets have a length limit) that belongs to the servers' account."""
    directory = Path(tempfile.mkdtemp(prefix="servers-"))
    directory.chmod(0o755)
    give_to(directory, server_account("", directory / "none"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(server_directory: Path) -> Iterator[str]:
    """URL of the superuser's database on this session's Postgres."""
    account = server_account("", server_directory / "none")
    data, log = server_directory / "data", server_directory / "postgres.log"
    programs = binaries.reachable_postgres(binaries.find_postgres(data), account)
    options = ["-U", SUPERUSER, "--locale=C.UTF-8", "-E", "UTF8", "-A", "trust", "--no-sync"]
    initdb = _launch(account, log, programs.initdb, "-D", data, *options)
    if initdb.wait(START_SECONDS):
        raise RuntimeError(f"initdb failed: {log.read_text(errors='replace')[-2000:]}")
    arguments = [part for name, value in POSTGRES_OPTIONS.items() for part in ("-c", f"{name}={value}")]
    server = _launch(account, log, programs.postgres, "-D", data, "-k", server_directory, *arguments)
    url = f"postgresql://{SUPERUSER}@/postgres?host={server_directory}"
    try:
        _wait_until(lambda: _postgres_answers(url), server, log)
        yield url
    finally:
        _stop(server, signal.SIGQUIT)


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


@pytest.fixture(scope="session")
def database_url(postgres_server: str) -> str:
    """A migrated database. Tests share it: ask for `clean_database` or `tx` to start from nothing."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE runhue")
    url = postgres_server.replace("/postgres?", "/runhue?")
    migrate(url)
    return url


@pytest.fixture(scope="session")
def redis_url(server_directory: Path) -> Iterator[str]:
    """A real Valkey without persistence, on a Unix socket."""
    path, log = server_directory / "valkey.sock", server_directory / "valkey.log"
    account = server_account("", server_directory / "none")
    valkey = binaries.find_valkey()
    program = binaries.reachable(valkey, valkey, account)
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--maxmemory-policy", "noeviction"]
    server = _launch(account, log, program, *options, "--dir", server_directory)
    try:
        _wait_until(lambda: _socket_answers(path), server, log)
        yield f"unix://{path}?db=0"
    finally:
        _stop(server, signal.SIGTERM)


def _empty(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL lock_timeout = '20s'")
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration'"
        )
        tables = sql.SQL(", ").join(sql.Identifier(name) for (name,) in rows)
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))


@pytest.fixture
def clean_database(database_url: str) -> str:
    """The shared database, emptied, with ids counting from 1 again. Returns its URL."""
    for _ in range(EMPTYING_TRIES):
        # A request of the test before may still end; Postgres breaks the circle it can make with us.
        with contextlib.suppress(psycopg.errors.DeadlockDetected):
            _empty(database_url)
            break
    else:
        _empty(database_url)
    return database_url


@pytest.fixture
def tx(clean_database: str) -> Iterator[db.Transaction]:
    """A transaction on the emptied database, rolled back at the end of the test."""
    with psycopg.connect(clean_database) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def server_settings(
    clean_database: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings of this process pointing at the emptied servers; every cache made of them is fresh."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    monkeypatch.setenv("RUNHUE_DATABASE_URL", clean_database)
    monkeypatch.setenv("RUNHUE_REDIS_URL", redis_url)
    monkeypatch.setenv("RUNHUE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RUNHUE_KEY_PEPPER", "pepper of the tests")
    forget_settings()
    yield settings()
    forget_settings()


def forget_settings() -> None:
    """Drop what this process made of its settings; the next use reads the environment again."""
    if queue.redis_client.cache_info().currsize:
        queue.redis_client().close()
    for cached in (settings, queue.redis_client, queue.celery_app, key_cache):
        cached.cache_clear()
    db.close_pool()
