"""Start child processes, restart those that exit or hang, stop all in order.

One thread owns every child: it forks them (a parent-death signal follows the forking *thread*), reaps
them and steps each through its phases. Nothing in a step blocks for long, so children start in
parallel. This module imports only the standard library: it stays resident.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from runhue_server.embedded.account import Account
from runhue_server.embedded.console import Console
from runhue_server.embedded.errors import StackError, StartFailedError
from runhue_server.embedded.orphans import ProcessRecord, start_mark, write_records

TICK = 0.05
BUSY_TICKS_AFTER_CHANGE = 100
IDLE_TICK = 0.25
BACKOFF = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
CALM_AFTER = 30.0  # seconds of life after which a crash counts as the first again
HEARTBEAT_TIMEOUT = 30.0
PROGRESS_EVERY = 5.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
LOG_CHECK_EVERY = 10.0
TRAMPOLINE = Path(__file__).with_name("trampoline.py")


class Process(Protocol):
    """A started process: what the supervisor needs of it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Exit status (negative: the signal that ended it), or None while it runs."""


class Launcher(Protocol):
    """Starts a child with its output in the open file `log`."""

    def launch(self, spec: "ChildSpec", environ: Mapping[str, str], log: int) -> Process: ...

    def command_line(self, spec: "ChildSpec") -> tuple[str, ...]:
        """What the process table will show, to recognize an orphan by."""


class SubprocessLauncher:
    """Starts a child by fork and exec, through the trampoline."""

    def launch(self, spec: "ChildSpec", environ: Mapping[str, str], log: int) -> Process:
        uid, gid = (spec.account.uid, spec.account.gid) if spec.account else (-1, -1)
        wrapper = [sys.executable, "-I", "-S", str(TRAMPOLINE)]
        numbers = [str(number) for number in (os.getpid(), int(spec.parent_death_signal), uid, gid)]
        return subprocess.Popen(
            [*wrapper, *numbers, *spec.command],
            cwd="/",
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=spec.pass_fds,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops the children in order
        )

    def command_line(self, spec: "ChildSpec") -> tuple[str, ...]:
        return spec.command


@dataclass(frozen=True)
class ChildSpec:
    """One process to keep running. Times are seconds."""

    name: str
    command: tuple[str, ...]
    layer: int = 0
    """Higher layers stop first."""
    needs: tuple[str, ...] = ()
    """Children that must have been ready (or done) once before the first start."""
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    pass_fds: tuple[int, ...] = ()
    parent_death_signal: signal.Signals = signal.SIGTERM
    stop: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 12.0), (signal.SIGKILL, 5.0))
    """Signals to stop it, each with how long to wait before the next."""
    heartbeat: Path | None = None
    """File the child touches; watched from its first touch on. Its change also means ready."""
    heartbeat_timeout: float = HEARTBEAT_TIMEOUT
    start_timeout: float = 60.0
    late_is_fatal: bool = False
    """A first start longer than `start_timeout` stops the stack; otherwise the child is restarted."""
    prepare: Callable[[int], str | None] | None = None
    """Called before each start with the number of failures; text means "not yet, because"."""
    is_ready: Callable[[int], bool] | None = None
    """Quick probe given the pid. Without it and a heartbeat, running is ready."""
    once: bool = False
    """Runs to its end, which counts as ready."""
    attempts: int = 0
    """This many failures before it was ever ready stop the stack; 0: it is tried for ever."""
    launcher: Launcher = field(default_factory=SubprocessLauncher)


class Phase(Enum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"


@dataclass
class Child:
    """A spec and what became of it."""

    spec: ChildSpec
    phase: Phase = Phase.WAITING
    process: Process | None = None
    failures: int = 0
    starts: int = 0
    started_at: float = 0.0
    not_before: float = 0.0
    was_ready: bool = False
    said_at: float = 0.0
    last_pid: int = 0
    beat: int = 0
    beat_at: float = 0.0

    @property
    def settled(self) -> bool:
        return self.phase in (Phase.READY, Phase.DONE)


class Supervisor:
    """Keeps children running from `start` to `stop`.

    Args:
        log_directory: one `<name>.log` a child, cut at 16 MB with one predecessor kept.
        run_directory: pids for the next start to find orphans by.
    """

    def __init__(
        self, log_directory: Path, run_directory: Path, environ: Mapping[str, str], console: Console
    ) -> None:
        self.log_directory = log_directory
        self._records = run_directory / "processes.json"
        self._environ = dict(environ)
        self._console = console
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._forced = threading.Event()
        self._thread: threading.Thread | None = None
        self._quick_ticks = BUSY_TICKS_AFTER_CHANGE
        self._logs_checked = 0.0
        self.failure: StackError | None = None

    # What callers do

    def add(self, spec: ChildSpec) -> None:
        """Keep `spec` running from now on."""
        with self._lock:
            if spec.name in self._children:
                raise ValueError(f"a child called {spec.name} is supervised already")
            self._children[spec.name] = Child(spec, said_at=time.monotonic())
        self._wake.set()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all children, last layer first; returns when none is left. A second call waits too."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def force(self) -> None:
        """Make a stop under way skip to each child's last signal."""
        self._forced.set()
        self._wake.set()

    def pids(self) -> dict[str, int]:
        """Pid of each child that runs now."""
        with self._lock:
            return {name: child.process.pid for name, child in self._children.items() if child.process}

    def unsettled(self) -> list[str]:
        """Names of children that are neither ready nor done."""
        with self._lock:
            return [name for name, child in self._children.items() if not child.settled]

    def kill(self, name: str, signal_number: int) -> int:
        """Send a signal to a child, as a fault would; the pid it went to.

        After SIGKILL this returns once the death was seen, so that a wait for readiness means the next life.

        Raises:
            KeyError: there is no child of that name.
            ProcessLookupError: it does not run now.
        """
        with self._lock:
            child = self._children[name]
            if child.process is None:
                raise ProcessLookupError(f"{name} does not run now")
            pid = child.process.pid
            os.kill(pid, signal_number)
            self._quick_ticks = BUSY_TICKS_AFTER_CHANGE
            self._wake.set()
            if signal_number == signal.SIGKILL:
                self._changed.wait_for(lambda: child.process is None or child.process.pid != pid, timeout=10)
        return pid

    def wait(self, names: Iterable[str] | None = None, *, timeout: float) -> None:
        """Block until the named children (all, when None) are ready or done.

        Raises:
            StackError: the stack failed.
            StartFailedError: `timeout` passed; the message has the last lines of each log.
        """
        with self._lock:
            wanted = list(self._children if names is None else names)

            def settled() -> bool:
                return self.failure is not None or all(self._children[name].settled for name in wanted)

            self._changed.wait_for(settled, timeout=timeout)
            if self.failure is not None:
                raise self.failure
            late = [name for name in wanted if not self._children[name].settled]
        if late:
            tails = "\n".join(self.log_tail(name) for name in late)
            raise StartFailedError(f"not ready after {timeout:.0f} s: {', '.join(late)}\n{tails}".rstrip())

    def log_tail(self, name: str, lines: int = 12) -> str:
        """The last lines a child wrote, each with the child's name in front."""
        try:
            with (self.log_directory / f"{name}.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(f"  {name} | {line}" for line in text.splitlines()[-lines:])

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                for child in self._children.values():
                    self._advance(child)
                    if self.failure is not None:
                        break
                self._changed.notify_all()
                self._cut_logs()
                pause = self._pause()
            if self.failure is not None:
                break
            self._wake.wait(pause)
            self._wake.clear()
        self._stop_children()
        with self._lock:
            self._changed.notify_all()

    def _pause(self) -> float:
        busy = self._quick_ticks > 0 or any(not child.settled for child in self._children.values())
        self._quick_ticks = max(0, self._quick_ticks - 1)
        return TICK if busy else IDLE_TICK

    def _advance(self, child: Child) -> None:
        try:
            if child.process is None:
                if child.phase is not Phase.DONE:
                    self._maybe_start(child)
                return
            status = child.process.poll()
            if status is not None:
                self._on_exit(child, status)
            elif child.phase is Phase.STARTING:
                self._check_start(child)
            else:
                self._check_heartbeat(child)
        except StackError as error:
            self.failure = error

    def _maybe_start(self, child: Child) -> None:
        now = time.monotonic()
        if now < child.not_before or not self._needs_met(child):
            return
        obstacle = child.spec.prepare(child.failures) if child.spec.prepare else None
        if obstacle is not None:
            self._say_now_and_then(child, obstacle)
            child.not_before = now + TICK
            return
        self._launch(child)

    def _needs_met(self, child: Child) -> bool:
        return child.starts > 0 or all(self._children[name].was_ready for name in child.spec.needs)

    def _launch(self, child: Child) -> None:
        spec = child.spec
        environ = {**self._environ, **spec.env}
        if spec.heartbeat is not None:
            environ["RUNHUE_HEARTBEAT_FILE"] = str(spec.heartbeat)
            spec.heartbeat.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        log = os.open(self.log_directory / f"{spec.name}.log", flags, 0o600)
        try:
            child.process = spec.launcher.launch(spec, environ, log)
        finally:
            os.close(log)
        child.phase = Phase.STARTING
        child.last_pid = child.process.pid
        child.starts += 1
        child.beat = 0
        child.started_at = child.said_at = time.monotonic()
        self._write_records()

    def _check_start(self, child: Child) -> None:
        spec = child.spec
        now = time.monotonic()
        if not spec.once and self._is_ready(child):
            child.phase, child.was_ready = Phase.READY, True
            self._quick_ticks = BUSY_TICKS_AFTER_CHANGE
            self._console.event(spec.name, f"ready in {now - child.started_at:.1f} s, pid {child.last_pid}")
        elif now - child.started_at > spec.start_timeout and not (spec.late_is_fatal and child.was_ready):
            self._on_late_start(child)
        else:
            waited = f"starting, {now - child.started_at:.0f} s (up to {spec.start_timeout:.0f} s)"
            self._say_now_and_then(child, waited)

    def _on_late_start(self, child: Child) -> None:
        name, limit = child.spec.name, child.spec.start_timeout
        if child.spec.late_is_fatal:
            raise StartFailedError(f"{name} is not ready after {limit:.0f} s\n{self.log_tail(name)}")
        self._console.event(name, f"not ready after {limit:.0f} s: restarting it")
        child.started_at = time.monotonic()
        self._end(child, signal.SIGKILL)

    def _is_ready(self, child: Child) -> bool:
        if child.spec.heartbeat is not None and not self._has_beaten(child):
            return False
        probe = child.spec.is_ready
        return probe is None or probe(child.last_pid)

    def _has_beaten(self, child: Child) -> bool:
        """Note a touch. Ages are taken by our own clock: the wall clock may jump by a day."""
        heartbeat = child.spec.heartbeat
        if heartbeat is None:
            return False
        try:
            touched = heartbeat.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if touched != child.beat:
            child.beat, child.beat_at = touched, time.monotonic()
        return True

    def _check_heartbeat(self, child: Child) -> None:
        if not self._has_beaten(child):
            return
        silence = time.monotonic() - child.beat_at
        if silence > child.spec.heartbeat_timeout:
            self._console.event(child.spec.name, f"no heartbeat for {silence:.0f} s: restarting it")
            child.beat_at = time.monotonic()
            self._end(child, signal.SIGKILL)

    def _end(self, child: Child, signal_number: signal.Signals) -> None:
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.process.pid, signal_number)

    def _on_exit(self, child: Child, status: int) -> None:
        spec, now = child.spec, time.monotonic()
        child.process = None
        self._quick_ticks = BUSY_TICKS_AFTER_CHANGE
        if spec.once and status == 0:
            child.phase, child.was_ready = Phase.DONE, True
            self._console.event(spec.name, f"done in {now - child.started_at:.1f} s")
            return
        child.failures = 1 if now - child.started_at > CALM_AFTER else child.failures + 1
        if not child.was_ready and child.failures == spec.attempts:
            raise StartFailedError(f"{spec.name} failed: {describe_exit(status)}\n{self.log_tail(spec.name)}")
        delay = BACKOFF[min(child.failures, len(BACKOFF)) - 1]
        child.phase = Phase.WAITING
        child.not_before = now + delay
        self._console.event(spec.name, f"{describe_exit(status)}; restarting in {delay:.1f} s")
        if status > 0 and child.failures == 1:
            self._console.text(self.log_tail(spec.name, lines=5))

    def _say_now_and_then(self, child: Child, text: str) -> None:
        now = time.monotonic()
        if now - child.said_at >= PROGRESS_EVERY:
            child.said_at = now
            self._console.event(child.spec.name, text)

    def _write_records(self) -> None:
        records = []
        for child in self._children.values():
            if child.process is not None:
                command = child.spec.launcher.command_line(child.spec)
                mark = start_mark(child.process.pid)
                records.append(
                    ProcessRecord(child.spec.name, child.process.pid, mark, command, child.spec.layer)
                )
        write_records(self._records, records)

    def _cut_logs(self) -> None:
        if time.monotonic() - self._logs_checked < LOG_CHECK_EVERY:
            return
        self._logs_checked = time.monotonic()
        for name in self._children:
            cut_log(self.log_directory / f"{name}.log", LOG_LIMIT_BYTES)

    # Stopping

    def _stop_children(self) -> None:
        for layer in sorted({child.spec.layer for child in self._children.values()}, reverse=True):
            running = [
                child for child in self._children.values() if child.spec.layer == layer and child.process
            ]
            plans = [_Stopping(child, self._forced) for child in running]
            while any(not plan.over() for plan in plans):
                self._wake.wait(TICK)
                self._wake.clear()
        self._write_records()


class _Stopping:
    """One child on its way down its ladder of signals."""

    def __init__(self, child: Child, forced: threading.Event) -> None:
        self._child = child
        self._forced = forced
        self._ladder = list(child.spec.stop)
        self._next_at = 0.0

    def over(self) -> bool:
        """Whether the child is gone; sends the next signal when its time has come."""
        process = self._child.process
        if process is None:
            return True
        if process.poll() is not None:
            self._child.process = None
            return True
        if self._forced.is_set() and len(self._ladder) > 1:
            self._ladder, self._next_at = self._ladder[-1:], 0.0
        if time.monotonic() >= self._next_at:
            number, patience = self._ladder.pop(0) if self._ladder else (signal.SIGKILL, 1.0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
            self._next_at = time.monotonic() + patience
        return False


def describe_exit(status: int) -> str:
    """An exit status in words; negative numbers are signals."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def cut_log(path: Path, limit: int) -> None:
    """Move a log of more than `limit` bytes to `<path>.1`.

    Copied and truncated, not renamed: the child keeps the file open (for appending, so it goes on at 0).
    """
    try:
        if path.stat().st_size <= limit:
            return
    except FileNotFoundError:
        return
    with path.open("r+b") as source, path.with_name(path.name + ".1").open("wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
        source.truncate(0)
