"""A process that has imported everything once and forks the Python services from itself.

Forks share the pages of the imported modules, and start in milliseconds instead of a second each. The
supervisor sends one datagram a service (with its log as a file descriptor) and hears of pids and exits.
Linux only: elsewhere forking after imports is not safe, and `stack.py` starts plain processes.

    supervisor -> zygote   {"fork": name, "arguments": [...], "environ": {...}, "keep": [fd, ...]} + log
    zygote -> supervisor   {"ready": pid} · {"forked": name, "pid": pid} · {"exited": pid, "status": status}
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from runhue_server.embedded.trampoline import die_with_parent

MESSAGE_LIMIT = 65536
PR_SET_NAME = 15
# What the services import. None of it may start a thread, read settings or open a connection.
PRELOADED = (
    "celery.app.amqp",
    "celery.app.log",
    "celery.apps.worker",
    "celery.bin.worker",
    "celery.concurrency.solo",
    "celery.events.state",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.loops",
    "celery.worker.strategy",
    "fastapi",
    "fastapi.openapi.utils",
    "fastapi.responses",
    "graphql",
    "httptools",
    "kombu.transport.redis",
    "kombu.asynchronous.hub",
    "msgspec.json",
    "numpy",
    "orjson",
    "pcodec",
    "pcodec.standalone",
    "prometheus_client",
    "psycopg",
    "psycopg_pool",
    "pydantic_settings",
    "redis",
    "structlog",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "runhue_shared.coloring",
    "runhue_shared.db.keys",
    "runhue_shared.db.migrate",
    "runhue_shared.events",
    "runhue_shared.filters",
    "runhue_shared.live",
    "runhue_shared.messages",
    "runhue_shared.queue",
    "runhue_shared.series",
    "runhue_shared.telemetry",
    "runhue_server.web.health",
    "runhue_server.cli",
)


@dataclass(frozen=True)
class Job:
    """What a fork has to become."""

    name: str
    arguments: tuple[str, ...]
    environ: dict[str, str]
    keep: tuple[int, ...]
    log: int


def preload() -> None:
    """Import `PRELOADED`; one that fails is named in the log, and fails again where it is needed."""
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  # whatever it is, the service says it better
            sys.stderr.write(f"not preloaded: {name} ({error})\n")


def next_job(channel: socket.socket, wake: socket.socket) -> Job:
    """Fork for every request and report every exit; returns in a fork only, with what it has to become."""
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake:
                    wake.recv(4096)
                    report_exits(channel)
                elif (job := fork(channel)) is not None:
                    return job


def report_exits(channel: socket.socket) -> None:
    """Reap what has ended and tell."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            tell(channel, {"exited": ended[0], "status": os.waitstatus_to_exitcode(ended[1])})


def fork(channel: socket.socket) -> Job | None:
    """Take one request; the job in the fork, None in the zygote."""
    body, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_LIMIT, 1)
    request = json.loads(body)
    zygote = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(zygote, signal.SIGTERM)
        keep = tuple(request["keep"])
        return Job(request["fork"], tuple(request["arguments"]), request["environ"], keep, descriptors[0])
    os.close(descriptors[0])
    tell(channel, {"forked": request["fork"], "pid": pid})
    return None


def tell(channel: socket.socket, message: dict[str, Any]) -> None:
    channel.send(json.dumps(message).encode())


def become(job: Job, inherited: tuple[int, ...]) -> Callable[[], None]:
    """Turn this fork into an ordinary process of its own; returns its main function."""
    os.setsid()
    for descriptor in set(inherited) - set(job.keep):
        os.close(descriptor)
    for standard in (1, 2):
        os.dup2(job.log, standard)
    os.close(job.log)
    os.environ.update(job.environ)
    ctypes.CDLL(None).prctl(PR_SET_NAME, f"runhue-{job.name}"[:15].encode(), 0, 0, 0)
    sys.argv = ["runhue", *job.arguments]
    gc.enable()

    from runhue_server.cli import server_commands

    return lambda: server_commands(list(job.arguments), prog_name="runhue")


@contextlib.contextmanager
def child_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable when a child ends; signals are as before afterwards."""
    wake, notify = socket.socketpair()
    wake.setblocking(False)
    notify.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(notify.fileno())
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        wake.close()
        notify.close()


def main() -> None:
    """`python -m runhue_server.embedded.zygote CHANNEL [LISTENING...]`, descriptors by number."""
    number, *inherited = (int(text) for text in sys.argv[1:])
    gc.disable()  # nothing collected, no holes: pages stay shared
    preload()
    gc.freeze()
    with socket.socket(fileno=number) as channel, child_signals() as wake:
        tell(channel, {"ready": os.getpid()})
        job = next_job(channel, wake)
    become(job, tuple(inherited))()


if __name__ == "__main__":
    main()
