"""The supervisor's side of the zygote: a launcher whose processes are forks of it."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from runhue_server.embedded.orphans import is_running, start_mark
from runhue_server.embedded.supervise import ChildSpec, Process, SubprocessLauncher

REPLY_SECONDS = 5.0
UNEXPLAINED_SECONDS = 0.5
ATTEMPTS = 3
MESSAGE_LIMIT = 65536
PREFIX = ("-m", "runhue_server")
NAME = "zygote"


class ForkingLauncher:
    """Starts `python -m runhue_server ...` as a fork of the zygote, or plainly when the zygote keeps failing.

    Args:
        keep: descriptors (listening sockets) which forks may inherit.
        environ: of the zygote; forks add their own to it.
        layer: of the zygote, below that of its forks, so that it stops after them.
    """

    def __init__(self, keep: Sequence[int], environ: Mapping[str, str], layer: int) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.setblocking(False)
        self._keep = tuple(keep)
        self._environ = dict(environ)
        self._layer = layer
        self._ready_pid = 0
        self._given_up = False
        self._forked: dict[str, int] = {}
        self._exits: dict[int, int] = {}
        self._plain = SubprocessLauncher()

    def spec(self) -> ChildSpec:
        """How the zygote itself is supervised."""
        return ChildSpec(
            NAME,
            self._command(),
            layer=self._layer,
            env=self._environ,
            pass_fds=(self._theirs.fileno(), *self._keep),
            stop=((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)),
            prepare=self._forget,
            is_ready=self._is_ready,
        )

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    # For the specs of the services

    def obstacle(self, _failures: int) -> str | None:
        """`prepare` of a service: wait while the zygote starts."""
        self.pump()
        return None if self._ready_pid or self._given_up else "waiting for the zygote"

    def command_line(self, spec: ChildSpec) -> tuple[str, ...]:
        return self._plain.command_line(spec) if self._given_up else self._command()

    def launch(self, spec: ChildSpec, environ: Mapping[str, str], log: int) -> Process:
        if self._given_up:
            return self._plain.launch(spec, environ, log)
        added = {name: value for name, value in environ.items() if os.environ.get(name) != value}
        arguments = spec.command[1 + len(PREFIX) :]
        request = {"fork": spec.name, "arguments": arguments, "environ": added, "keep": spec.pass_fds}
        self._forked.pop(spec.name, None)
        try:
            socket.send_fds(self._ours, [json.dumps(request).encode()], [log])
            deadline = time.monotonic() + REPLY_SECONDS
            while spec.name not in self._forked and time.monotonic() < deadline:
                time.sleep(0.001)
                self.pump()
        except OSError:
            self._forked.pop(spec.name, None)
        if spec.name not in self._forked:
            return self._plain.launch(spec, environ, log)
        return ForkedProcess(self, self._forked.pop(spec.name))

    def pump(self) -> None:
        """Read what the zygote told."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._note(json.loads(self._ours.recv(MESSAGE_LIMIT)))

    def exit_status(self, pid: int) -> int | None:
        return self._exits.pop(pid, None)

    def _note(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._ready_pid = message["ready"]
        elif "forked" in message:
            self._forked[message["forked"]] = message["pid"]
        else:
            self._exits[message["exited"]] = message["status"]

    # For the zygote's own spec

    def _command(self) -> tuple[str, ...]:
        numbers = (str(number) for number in (self._theirs.fileno(), *self._keep))
        return (sys.executable, "-m", "runhue_server.embedded.zygote", *numbers)

    def _forget(self, failures: int) -> None:
        """Before a start: requests that the last life did not read are void."""
        self.pump()
        self._ready_pid = 0
        self._given_up = failures >= ATTEMPTS
        self._theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                _, descriptors, _, _ = socket.recv_fds(self._theirs, MESSAGE_LIMIT, 1)
                for descriptor in descriptors:
                    os.close(descriptor)
        self._theirs.setblocking(True)

    def _is_ready(self, pid: int) -> bool:
        self.pump()
        return self._ready_pid == pid


class ForkedProcess:
    """A fork of the zygote: no child of ours, so the zygote tells its exit status."""

    def __init__(self, launcher: ForkingLauncher, pid: int) -> None:
        self.pid = pid
        self._launcher = launcher
        self._mark = start_mark(pid)
        self._gone_at: float | None = None

    def poll(self) -> int | None:
        """Exit status; SIGKILL's when it is gone and no zygote lives to tell why."""
        self._launcher.pump()
        status = self._launcher.exit_status(self.pid)
        if status is not None or is_running(self.pid, self._mark):
            return status
        now = time.monotonic()
        if self._gone_at is None:
            self._gone_at = now
        return -signal.SIGKILL if now - self._gone_at > UNEXPLAINED_SECONDS else None
