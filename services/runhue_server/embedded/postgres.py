"""Embedded Postgres: make the database, write its settings, verify leftovers, describe its process.

The server listens on a socket in a private directory only. Two roles: `runhue_admin`, the superuser that
initdb makes, and `runhue`, which owns the database and is what services log in as: row-level security
does not bind a superuser.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import psutil

from runhue_server.embedded.account import Account, give_to, give_tree_to
from runhue_server.embedded.binaries import PostgresPrograms
from runhue_server.embedded.data_directory import sync_directory, write_atomically
from runhue_server.embedded.errors import StackError
from runhue_server.embedded.supervise import TRAMPOLINE, ChildSpec

ADMIN_ROLE = "runhue_admin"
ROLE = "runhue"
DATABASE = "runhue"
PORT = 5432  # names the socket file; nothing listens on TCP
RECOVERY_SECONDS = 300.0
INITDB_SECONDS = 120.0
BUILTIN_LOCALE_SINCE = 17
STOP_LADDER = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 8.0), (signal.SIGKILL, 5.0))  # fast, immediate, gone
QUIT_AFTER_SECONDS = 5.0
KILL_AFTER_SECONDS = 20.0
PID_FILE = "postmaster.pid"
PID_FILE_STATUS_LINE = 7

# Sized for a laptop: durable, little memory when idle.
SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    "password_encryption": "'scram-sha-256'",
    # durability
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # memory
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "wal_buffers": "4MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "1GB",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "1",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    # the inbox is inserted into and deleted from all day
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "1000",
    # a client that hangs inside a transaction must not hold back vacuum for ever
    "idle_in_transaction_session_timeout": "10min",
    "client_connection_check_interval": "10s",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %q%u '",
    "log_checkpoints": "off",
    "lc_messages": "'C'",
}
SETTINGS_BY_MAJOR = {
    18: {"io_method": "sync", "autovacuum_worker_slots": "4"}
}  # io workers would idle in memory
if sys.platform == "darwin":
    del SETTINGS["client_connection_check_interval"]  # not supported there

OWN_SETTINGS = "runhue-user.conf"


class Postgres:
    """One database cluster in `directory`, reached through a socket in `sockets`."""

    def __init__(
        self, programs: PostgresPrograms, directory: Path, sockets: Path, account: Account | None = None
    ) -> None:
        self._programs = programs
        self._directory = directory
        self._sockets = sockets
        self._account = account
        self._ending_since: float | None = None

    @property
    def url(self) -> str:
        """libpq URL for the services."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self._sockets), safe='')}"

    @property
    def admin_url(self) -> str:
        """libpq URL of the superuser, for looking inside."""
        return f"postgresql://{ADMIN_ROLE}@/postgres?host={quote(str(self._sockets), safe='')}"

    def prepare_directory(self) -> None:
        """Make the database when there is none, and write its settings.

        Raises:
            StackError: initdb failed; the message has its output.
        """
        self._remove_half_made()
        if not (self._directory / "PG_VERSION").exists():
            self._make_database()
        give_tree_to(self._directory, self._account)
        self._write_settings()

    def spec(self) -> ChildSpec:
        """How the supervisor runs and stops it."""
        return ChildSpec(
            name="postgres",
            command=(str(self._programs.postgres), "-D", str(self._directory)),
            account=self._account,
            env={"LC_ALL": "C", "PGDATA": str(self._directory)},
            parent_death_signal=signal.SIGINT,
            stop=STOP_LADDER,
            start_timeout=RECOVERY_SECONDS,
            late_is_fatal=True,
            attempts=5,
            prepare=self._obstacle,
            is_ready=self._is_ready,
        )

    # Making it

    def _half_made(self) -> Path:
        return self._directory.with_name(f"{self._directory.name}.new")

    def _remove_half_made(self) -> None:
        if self._half_made().exists():
            shutil.rmtree(self._half_made())

    def _make_database(self) -> None:
        """initdb beside the final place, then rename: a kill in the middle leaves nothing half-made."""
        if self._directory.exists() and any(self._directory.iterdir()):
            raise StackError(
                f"{self._directory} has files but no PG_VERSION: "
                "move it away to start empty, or restore a backup"
            )
        temporary = self._half_made()
        temporary.mkdir(mode=0o700)
        give_to(temporary, self._account)
        self._run_once([str(self._programs.initdb), "-D", str(temporary), *self._initdb_options()])
        single = [
            "--single",
            "-D",
            str(temporary),
            "-c",
            "exit_on_error=on",
            "-c",
            "log_min_messages=warning",
        ]
        statements = f"CREATE ROLE {ROLE} LOGIN CREATEDB;\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        self._run_once([str(self._programs.postgres), *single, "postgres"], statements)
        temporary.replace(self._directory)
        sync_directory(self._directory.parent)

    def _initdb_options(self) -> list[str]:
        options = ["--encoding=UTF8", f"--username={ADMIN_ROLE}", "--auth=peer", "--locale=C"]
        if self._programs.major >= BUILTIN_LOCALE_SINCE:
            # Postgres's own C.UTF-8: the same order on every system, and it needs no locale there.
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return options

    def _run_once(self, command: Sequence[str], text: str = "") -> None:
        uid, gid = (self._account.uid, self._account.gid) if self._account else (-1, -1)
        numbers = [str(number) for number in (os.getpid(), int(signal.SIGKILL), uid, gid)]
        with subprocess.Popen(
            [sys.executable, "-I", "-S", str(TRAMPOLINE), *numbers, *command],
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(text, timeout=INITDB_SECONDS)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # initdb has children of its own
                raise
        if process.returncode != 0 or "ERROR:" in output:
            raise StackError(
                f"{Path(command[0]).name} could not make the database in {self._directory}:\n"
                f"{output[-4000:]}".rstrip()
            )

    # Settings

    def _write_settings(self) -> None:
        settings = {**SETTINGS, "unix_socket_directories": f"'{self._sockets}'", "port": str(PORT)}
        for major, values in SETTINGS_BY_MAJOR.items():
            if self._programs.major >= major:
                settings.update(values)
        lines = [f"# Written by `runhue up` at each start; your own settings go to {OWN_SETTINGS} beside it."]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        lines += [f"include '{OWN_SETTINGS}'", ""]
        self._write("postgresql.conf", "\n".join(lines))
        if not (self._directory / OWN_SETTINGS).exists():
            self._write(OWN_SETTINGS, "# Your own Postgres settings; they win over postgresql.conf.\n")
        self._write(
            "pg_hba.conf",
            "# The socket directory is private, and the login must be ours.\nlocal all all peer map=runhue\n",
        )
        users = sorted(
            {user_name(os.geteuid()), self._account.name if self._account else user_name(os.geteuid())}
        )
        maps = [f'runhue "{user}" {role}' for user in users for role in (ROLE, ADMIN_ROLE)]
        self._write("pg_ident.conf", "\n".join([*maps, ""]))

    def _write(self, name: str, text: str) -> None:
        write_atomically(self._directory / name, text, account=self._account)

    # Running it

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._directory / PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file_lines()
        status = lines[PID_FILE_STATUS_LINE].strip() if len(lines) > PID_FILE_STATUS_LINE else ""
        return status == "ready" and lines[0].strip() == str(pid)

    def _obstacle(self, _failures: int) -> str | None:
        """Why it cannot start yet: processes of its former life that still work in the directory.

        A pid file whose pid now belongs to a stranger is removed, with the socket's: Postgres itself only
        asks whether the pid exists, which after a reboot or in a container is often so.
        """
        lines = self._pid_file_lines()
        if not lines:
            return None
        left = list(postgres_processes(self._directory))
        if left:
            self._end(left)
            pids = ", ".join(str(process.pid) for process in left)
            return f"waiting for processes of its former life to end: {pids}"
        self._ending_since = None
        socket = self._sockets / f".s.PGSQL.{PORT}"
        for stale in (self._directory / PID_FILE, socket.with_name(f"{socket.name}.lock"), socket):
            stale.unlink(missing_ok=True)
        return None

    def _end(self, left: list[psutil.Process]) -> None:
        """Have a former life end: shut its postmaster down, or cancel backends that did not see it die."""
        now = time.monotonic()
        if self._ending_since is None:
            self._ending_since = now
            self._send([process for process in left if self._is_postmaster(process)] or left, signal.SIGINT)
        elif now - self._ending_since > KILL_AFTER_SECONDS:
            self._send(left, signal.SIGKILL)
        elif now - self._ending_since > QUIT_AFTER_SECONDS:
            self._send(left, signal.SIGQUIT)

    def _is_postmaster(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return str(self._directory) in process.cmdline()
        return False

    def _send(self, processes: Iterable[psutil.Process], number: signal.Signals) -> None:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)


def postgres_processes(directory: Path) -> Iterator[psutil.Process]:
    """Processes of a Postgres that has `directory` open as its data, whoever started them.

    The postmaster names the directory in its command line, and every backend works in it.
    """
    wanted = directory.resolve()
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or not is_postgres(process.cmdline()):
                continue
            if Path(process.cwd()).resolve() == wanted or str(directory) in process.cmdline():
                yield process
        except (psutil.Error, OSError):
            continue


def is_postgres(command_line: Sequence[str]) -> bool:
    """Whether a command line is a postmaster's (`.../postgres -D ...`) or a backend's (`postgres: ...`)."""
    first = command_line[0] if command_line else ""
    return Path(first.split(":")[0].split(" ")[0]).name == "postgres"


def user_name(uid: int) -> str:
    """The name the kernel's user id has in the account database, which `peer` compares.

    Raises:
        StackError: it has none; Postgres refuses such users.
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise StackError(
            f"user id {uid} has no entry in the account database (/etc/passwd), which Postgres requires: "
            "add one, or set RUNHUE_DATABASE_URL to a server elsewhere"
        ) from None
