"""All processes of Runhue on one machine, as a context manager.

    with Stack(data_dir) as stack:
        requests to stack.api_url and stack.ingest_url with stack.api_key

Used by `runhue up`, by `runhue demo` and by the tests, which kill its processes.
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runhue_server.embedded.account import server_account
from runhue_server.embedded.binaries import find_postgres, find_valkey, reachable, reachable_postgres
from runhue_server.embedded.console import Console
from runhue_server.embedded.data_directory import (
    DataDirectory,
    remove_server_root,
    server_root,
    socket_directory,
)
from runhue_server.embedded.errors import StackError, StartFailedError
from runhue_server.embedded.forking import ForkingLauncher
from runhue_server.embedded.orphans import stop_orphans
from runhue_server.embedded.postgres import RECOVERY_SECONDS, Postgres
from runhue_server.embedded.readiness import http_status
from runhue_server.embedded.redis import Valkey, check_policy
from runhue_server.embedded.roles import BACKLOG
from runhue_server.embedded.supervise import ChildSpec, Supervisor

HTTP_SERVICES = ("ingest", "gateway", "api")
WORKERS = ("aggregation", "coloring", "media")
SERVICES = (*HTTP_SERVICES, *WORKERS, "sweeper")
FIXTURES = "fixtures"
"""Accounts for acceptance suites of clients: never one of the services unless it is asked for."""

ZYGOTE_LAYER = 1
SERVICE_LAYER = 2
START_SECONDS = 60.0
EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  # recognized, not bound

# One thread a process and few allocator arenas: the laptop's memory is the user's.
FRUGAL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Stack:
    """Postgres, Valkey and the services, supervised: what dies comes back on the same addresses.

    Args:
        data_dir: made when missing; everything that must last is in it (see `embedded.data_directory`).
        host: address the HTTP services listen on.
        api_port, ingest_port, gateway_port, fixtures_port: 0 to 65535; 0 takes a free one, which a restarted
            service keeps.
        services: which of `SERVICES`, and `FIXTURES`, to run; `()` gives the two servers and the schema only.
        database_url, redis_url: servers to use instead of embedded ones.
        schema: whether to migrate and make the first key before the services start.
        forking: whether the services are forks of one process that imported everything (Linux), which
            saves memory and time. Environment: RUNHUE_FORKING=0 turns it off.
        environ: environment of the services, `os.environ` when None.
        console: where events are said; None says nothing.

    Raises (from `start`):
        StackError: see its subclasses; the message has the fix.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = "127.0.0.1",
        api_port: int = 0,
        ingest_port: int = 0,
        gateway_port: int = 0,
        fixtures_port: int = 0,
        services: Sequence[str] = SERVICES,
        database_url: str = "",
        redis_url: str = "",
        schema: bool = True,
        forking: bool = True,
        environ: Mapping[str, str] | None = None,
        console: Console | None = None,
    ) -> None:
        unknown = set(services) - {*SERVICES, FIXTURES}
        if unknown:
            raise ValueError(
                f"services must be some of {', '.join(SERVICES)}, got {', '.join(sorted(unknown))}"
            )
        self.data_dir = data_dir.expanduser().absolute()
        self.host = host
        self.services = tuple(services)
        self.database_url = database_url
        self.redis_url = redis_url
        self._ports = {
            "api": api_port,
            "ingest": ingest_port,
            "gateway": gateway_port,
            FIXTURES: fixtures_port,
        }
        self._sockets: dict[str, socket.socket] = {}
        self._schema = schema
        self._environ = dict(os.environ if environ is None else environ)
        self._forking = forking and sys.platform == "linux" and self._environ.get("RUNHUE_FORKING") != "0"
        self._launcher: ForkingLauncher | None = None
        self._socket_directory: Path | None = None
        self._console = console or Console(quiet=True)
        self._directory: DataDirectory | None = None
        self._supervisor: Supervisor | None = None
        self.started = False
        """True from when everything is ready until it is stopped."""

    # What it gives

    @property
    def api_url(self) -> str:
        return self._url("api")

    @property
    def ingest_url(self) -> str:
        return self._url("ingest")

    @property
    def gateway_url(self) -> str:
        """Where the gateway itself listens; clients reach it under `api_url` too."""
        return self._url("gateway")

    @property
    def fixtures_url(self) -> str:
        return self._url(FIXTURES)

    @property
    def api_key_file(self) -> Path:
        return self.data_dir / "api-key"

    @property
    def api_key(self) -> str:
        """The key of the first team.

        Raises:
            FileNotFoundError: the stack was started with `schema=False`, or not yet.
        """
        return self.api_key_file.read_text(encoding="utf-8").strip()

    @property
    def processes(self) -> dict[str, int]:
        """Pid of each process that runs now, by name; `postgres` is the postmaster."""
        return self._running().pids()

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to a process, as a fault would; the pid it went to.

        After SIGKILL this returns once the supervisor saw the death: `wait_ready` then means the next life.
        """
        return self._running().kill(name, signal_number)

    def wait_ready(self, timeout: float = START_SECONDS) -> None:
        """Block until every process is ready and both HTTP services answer /readyz with 200.

        Raises:
            StartFailedError: `timeout` seconds passed; the message has the end of the logs.
        """
        deadline = time.monotonic() + timeout
        supervisor = self._running()
        while True:
            supervisor.wait(timeout=max(0.1, deadline - time.monotonic()))
            answers = {name: self._readyz(name) for name in self._sockets}
            if all(status == 200 for status, _ in answers.values()):
                return
            if time.monotonic() > deadline:
                late = "\n".join(
                    f"{name} answers {status} {body}" for name, (status, body) in answers.items()
                )
                raise StartFailedError(f"not ready after {timeout:.0f} s\n{late}")
            time.sleep(0.05)

    # Starting and stopping

    def start(self) -> None:
        """Start everything and return when it is ready; on failure nothing is left running."""
        try:
            self._start()
            self.started = True
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything: services first, then Postgres and Valkey. A second call does nothing."""
        self.started = False
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None
        for listener in self._sockets.values():
            listener.close()
        self._sockets.clear()
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    def force_stop(self) -> None:
        """Make a `stop` under way kill at once; Postgres recovers at the next start."""
        if self._supervisor is not None:
            self._supervisor.force()

    def check(self) -> None:
        """Raises StackError: the supervisor gave up."""
        failure = self._running().failure
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, **options: Any) -> Iterator[Self]:  # the options of __init__
        """A stack on a new data directory that is deleted at the end, for tests and trials."""
        data_dir = Path(tempfile.mkdtemp(prefix="runhue-"))
        if os.geteuid() == 0:
            data_dir.chmod(0o711)  # for the account of the servers
        try:
            with cls(data_dir, **options) as stack:
                yield stack
        finally:
            remove_server_root(data_dir)
            shutil.rmtree(data_dir, ignore_errors=True)

    def _start(self) -> None:
        self._directory = DataDirectory(self.data_dir)
        stop_orphans(self._directory.run / "processes.json", self._console)
        for name in (*HTTP_SERVICES, FIXTURES):
            if name in self.services:
                self._sockets[name] = listen(name, self.host, self._ports[name])
        supervisor = Supervisor(self._directory.logs, self._directory.run, self._environ, self._console)
        self._supervisor = supervisor
        self._add_zygote(supervisor)
        supervisor.start()  # the zygote imports while a first start makes the database
        if self.redis_url:
            check_policy(self.redis_url)
        servers = self._add_servers(supervisor)
        self._add_services(supervisor, servers)
        supervisor.wait(servers, timeout=RECOVERY_SECONDS + 30)
        if "valkey" in servers:
            check_policy(self.redis_url)
        self.wait_ready(START_SECONDS)

    def _add_servers(self, supervisor: Supervisor) -> list[str]:
        """Embedded servers for the addresses that were not given; their names."""
        if self.database_url and self.redis_url:
            return []
        configured = self._environ.get("RUNHUE_EMBEDDED_USER", "")
        account = server_account(configured, self.data_dir / "postgres")
        root = server_root(self.data_dir, account)
        if root != self.data_dir:
            self._console.event("runhue", f"account {account and account.name} keeps the databases in {root}")
        sockets = self._socket_directory = socket_directory(self.data_dir, account)
        servers: list[Postgres | Valkey] = []
        if not self.database_url:
            programs = reachable_postgres(find_postgres(root / "postgres"), account)
            postgres = Postgres(programs, root / "postgres", sockets, account)
            self.database_url = postgres.url
            servers.append(postgres)
        if not self.redis_url:
            program = find_valkey()
            valkey = Valkey(reachable(program, program, account), root / "valkey", sockets, account)
            self.redis_url = valkey.url
            servers.append(valkey)
        for server in servers:
            server.prepare_directory()
            supervisor.add(server.spec())
        return [server.spec().name for server in servers]

    def _add_services(self, supervisor: Supervisor, servers: Sequence[str]) -> None:
        needs = tuple(servers)
        environ = self._service_environ()
        if self._schema:
            command = (*_python(), "migrate")
            schema = ChildSpec("schema", command, SERVICE_LAYER, needs, environ, once=True, attempts=3)
            supervisor.add(self._forked(schema))
            needs = (*needs, "schema")
        for name in self.services:
            supervisor.add(self._forked(self._service(name, needs, environ)))

    def _add_zygote(self, supervisor: Supervisor) -> None:
        if self._forking and self.services:
            keep = [listener.fileno() for listener in self._sockets.values()]
            self._launcher = ForkingLauncher(keep, self._frugal(), ZYGOTE_LAYER)
            supervisor.add(self._launcher.spec())

    def _forked(self, spec: ChildSpec) -> ChildSpec:
        launcher = self._launcher
        return replace(spec, launcher=launcher, prepare=launcher.obstacle) if launcher else spec

    def _service(self, name: str, needs: tuple[str, ...], environ: Mapping[str, str]) -> ChildSpec:
        listener = self._sockets.get(name)
        return ChildSpec(
            name,
            (*_python(), *service_arguments(name, listener)),
            attempts=5,
            layer=SERVICE_LAYER,
            needs=needs,
            env=environ,
            pass_fds=(listener.fileno(),) if listener else (),
            # The sweeper beats too, but its first beat is not a condition of being ready.
            heartbeat=self.data_dir / "run" / f"{name}.heartbeat",
        )

    def _service_environ(self) -> dict[str, str]:
        urls = {f"RUNHUE_{name.upper()}_PORT": str(self._port(name)) for name in self._sockets}
        environ = {
            "RUNHUE_DATABASE_URL": self.database_url,
            "RUNHUE_REDIS_URL": self.redis_url,
            "RUNHUE_DATA_DIR": str(self.data_dir),
            "RUNHUE_HOST": self.host,
            "RUNHUE_GATEWAY_HOST": self._reachable_host(),
            **urls,
        }
        for variable, name in (("RUNHUE_PUBLIC_URL", "api"), ("RUNHUE_PUBLIC_INGEST_URL", "ingest")):
            if name in self._sockets and not self._environ.get(variable):
                environ[variable] = self._url(name)
        return self._frugal() | environ

    def _frugal(self) -> dict[str, str]:
        return {name: value for name, value in FRUGAL.items() if name not in self._environ}

    # Addresses

    def _port(self, name: str) -> int:
        if name not in self._sockets:
            raise StackError(f"this stack runs no {name} service")
        return int(self._sockets[name].getsockname()[1])

    def _url(self, name: str) -> str:
        host = self._reachable_host()
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port(name)}"

    def _reachable_host(self) -> str:
        return "127.0.0.1" if self.host in EVERY_ADDRESS else self.host

    def _readyz(self, name: str) -> tuple[int, str]:
        return http_status(self._reachable_host(), self._port(name), "/readyz")

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise StackError("the stack is not started: use it in a `with` statement")
        return self._supervisor


def _python() -> tuple[str, ...]:
    return (sys.executable, "-m", "runhue_server")


def service_arguments(name: str, listener: socket.socket | None) -> tuple[str, ...]:
    """Command and arguments of `runhue` that run the service `name`."""
    if listener is not None:
        return ("serve", name, "--fd", str(listener.fileno()))
    return ("sweeper",) if name == "sweeper" else ("worker", name)


def listen(name: str, host: str, port: int) -> socket.socket:
    """A listening socket that outlives the service: clients wait through a restart instead of being refused.

    Raises:
        StackError: the address is not ours or in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        option = "--port" if name == "api" else f"--{name}-port"
        raise StackError(
            f"{name} cannot listen on {host} port {port} ({error.strerror}): "
            f"give another with {option}; 0 takes a free one"
        ) from error
    return listener
