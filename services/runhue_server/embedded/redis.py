"""Embedded Valkey, and the check that any given Redis keeps its keys.

Losing Redis whole costs latency only (Postgres is the truth), so a damaged append-only file is set aside
after some failed starts instead of keeping the stack down.
"""

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from runhue_server.embedded.account import Account, give_to, give_tree_to
from runhue_server.embedded.data_directory import write_atomically
from runhue_server.embedded.errors import EvictionPolicyError, StackError
from runhue_server.embedded.supervise import ChildSpec

SOCKET_NAME = "valkey.sock"
POLICY = "noeviction"
FAILURES_BEFORE_SETTING_ASIDE = 4
PROBE_SECONDS = 0.5
DEFAULT_PORT = 6379
STOP_LADDER = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


class RedisReplyError(StackError):
    """The server answered with an error."""


class Valkey:
    """One Valkey (or Redis) with its append-only file in `directory` and a socket in `sockets`."""

    def __init__(self, program: Path, directory: Path, sockets: Path, account: Account | None = None) -> None:
        self._program = program
        self._directory = directory
        self._socket = sockets / SOCKET_NAME
        self._account = account

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def prepare_directory(self) -> None:
        """Make the directory and write its settings."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        give_tree_to(self._directory, self._account)
        give_to(self._directory, self._account)
        write_atomically(self._directory / "valkey.conf", self._settings(), account=self._account)

    def _settings(self) -> str:
        return "\n".join(
            [
                "# Written by `runhue up` at each start.",
                "port 0",
                f'unixsocket "{self._socket}"',
                "unixsocketperm 700",
                f'dir "{self._directory}"',
                "daemonize no",
                "set-proc-title no",  # the command line is how an orphan is recognized
                "appendonly yes",
                "appendfsync everysec",
                "aof-load-truncated yes",
                "auto-aof-rewrite-min-size 16mb",
                'save ""',
                f"maxmemory-policy {POLICY}",
                "latency-tracking no",
                "",
            ]
        )

    def spec(self) -> ChildSpec:
        """How the supervisor runs and stops it."""
        return ChildSpec(
            name="valkey",
            command=(str(self._program), str(self._directory / "valkey.conf")),
            account=self._account,
            stop=STOP_LADDER,
            start_timeout=120.0,
            attempts=2 * FAILURES_BEFORE_SETTING_ASIDE,
            prepare=self._set_damage_aside,
            is_ready=lambda _pid: answers(self.url),
        )

    def _set_damage_aside(self, failures: int) -> None:
        journal = self._directory / "appendonlydir"
        if failures and failures % FAILURES_BEFORE_SETTING_ASIDE == 0 and journal.exists():
            journal.rename(journal.with_name(f"{journal.name}.bad-{int(time.time())}"))


def answers(url: str) -> bool:
    """Whether the server at `url` answers PING now; a server that is loading does not."""
    try:
        with _connection(url, PROBE_SECONDS) as (send, _):
            return send("PING") == "PONG"
    except (OSError, StackError):
        return False


def check_policy(url: str, *, seconds: float = 5.0) -> None:
    """Make sure that the server at `url` never drops keys.

    Raises:
        EvictionPolicyError: its maxmemory-policy is another than noeviction.
        StackError: it cannot be reached or refuses the login.
    """
    try:
        with _connection(url, seconds) as (send, address):
            # INFO, because hosted servers often forbid CONFIG
            policy = _field(send("INFO", "memory"), "maxmemory_policy")
    except OSError as error:
        raise StackError(
            f"Redis at {_address(url)} does not answer ({error}): check RUNHUE_REDIS_URL"
        ) from error
    if policy != POLICY:
        raise EvictionPolicyError(
            f"Redis at {address} has maxmemory-policy {policy or 'unknown'}, which may drop queued work "
            f"without a word: run `CONFIG SET maxmemory-policy {POLICY}` there, and put "
            f"`maxmemory-policy {POLICY}` into its configuration file"
        )


def _field(info: str, name: str) -> str:
    return next(
        (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith(f"{name}:")), ""
    )


def _address(url: str) -> str:
    """`url` without its password, for messages."""
    parts = urlsplit(url)
    return (
        parts.path
        if parts.scheme in ("unix", "redis+socket")
        else f"{parts.hostname}:{parts.port or DEFAULT_PORT}"
    )


def _open(parts: SplitResult, seconds: float) -> socket.socket:
    if parts.scheme in ("unix", "redis+socket"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(unquote(parts.path))
        except OSError:
            connection.close()
            raise
        return connection
    if parts.scheme not in ("redis", "rediss", "valkey", "valkeys"):
        raise StackError(
            f"RUNHUE_REDIS_URL starts with {parts.scheme}://: give redis://, rediss:// or unix://"
        )
    host = parts.hostname or "localhost"
    connection = socket.create_connection((host, parts.port or DEFAULT_PORT), seconds)
    if parts.scheme in ("rediss", "valkeys"):
        import ssl  # here: 3 MB that only TLS needs

        connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    return connection


class _Sender:
    """One request, one reply of the Redis protocol, as text."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._replies = connection.makefile("rb")

    def __call__(self, *words: str) -> str:
        encoded = [word.encode() for word in words]
        body = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
        self._connection.sendall(b"*%d\r\n%b" % (len(encoded), body))
        return self._reply()

    def _reply(self) -> str:
        line = self._replies.readline().rstrip(b"\r\n").decode("utf-8", "replace")
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise RedisReplyError(f"Redis answered: {rest}")
        if kind == "$" and rest != "-1":
            size = int(rest)
            return self._replies.read(size + 2)[:size].decode("utf-8", "replace")
        if not kind:
            raise ConnectionResetError("the connection was closed")
        return rest

    def close(self) -> None:
        self._replies.close()


@contextlib.contextmanager
def _connection(url: str, seconds: float) -> Iterator[tuple[_Sender, str]]:
    parts = urlsplit(url)
    with (
        contextlib.closing(_open(parts, seconds)) as connection,
        contextlib.closing(_Sender(connection)) as send,
    ):
        if parts.password:
            login = [unquote(parts.username)] if parts.username else []
            send("AUTH", *login, unquote(parts.password))
        yield send, _address(url)
