"""The bounded process: `python -m runhue_server.media.child PARENT MEMORY FOLDER`, with a socket as input.

It imports inspectors, and forks: what hostile bytes do to a fork ends with it. A fork looks at items of one
team that come one after the other; the next team meets one that saw no bytes of anybody. Without work forks
end at once, and the process itself after `IDLE_SECONDS`.

    worker -> it    {"bench": folder, "team": ..., "kind": ..., "format": ..., "size": ..., "seconds": ...}
    it -> worker    {"bonds": [...]} once · {"status": exit status of a fork that failed, else 0} for each

The fork leaves `ANSWER` in the folder, and renditions in its `MADE`.
"""

import contextlib
import errno
import gc
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any, Final

from runhue_server.embedded.trampoline import die_with_parent
from runhue_server.media.child_bounds import MAX_MADE_BYTES, allow_cpu, bind, bind_fork
from runhue_server.media.contract import Refused, Source, Workshop
from runhue_server.media.inspectors import inspector

IDLE_SECONDS: Final = 10.0
FORK_SECONDS: Final = 0.2
"""So long does a fork wait for another item of its team."""

LARGE_BYTES: Final = 256 << 20
"""A fork that grew so large ends: what it has of memory, others cannot have."""

LINE_BYTES: Final = 65536
BYTES: Final = "bytes"
MADE: Final = "made"
ANSWER: Final = "answer"
GOES_ON: Final = b"."
DISK_FULL: Final = "disk_full"
"""The code that says nothing of the bytes."""

_MAX_MESSAGE: Final = 200
_PATH: Final = re.compile(r"(?:/[\w.@+-]+)+/")

Job = dict[str, Any]  # JSON, from the worker


class Fork:
    """A process for items of one team, bound more tightly than the one that it comes from."""

    def __init__(self, team: int) -> None:
        self.team = team
        self._channel, theirs = socket.socketpair()
        ours = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                self._channel.close()
                die_with_parent(ours, signal.SIGKILL)
                os.dup2(1, 0)  # the worker is not for whoever sees the bytes
                bind_fork()
                _work(theirs)
                status = 0
            finally:
                os._exit(status)
        theirs.close()

    def look(self, job: Job) -> int | None:
        """Have it look at an item; None when it goes on, else its exit status, 0 when it did its work."""
        try:
            _tell(self._channel, job)
            told = self._channel.recv(1)
        except ConnectionError:
            told = b""
        return None if told == GOES_ON else self._reaped()

    def end(self) -> None:
        """Have it end, whatever hostile bytes made of it: the next item may be another team's."""
        os.kill(self._pid, signal.SIGKILL)
        self._reaped()

    def _reaped(self) -> int:
        self._channel.close()
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def serve(channel: socket.socket) -> None:
    """Take jobs, one at a time, until there are none for a while."""
    known: set[str] = set()
    fork: Fork | None = None
    while True:
        if fork is not None and not select.select([channel], [], [], FORK_SECONDS)[0]:
            fork.end()
            fork = None
        job = _next(channel)
        if job is None:
            return
        if fork is not None and (fork.team != job["team"] or job["kind"] not in known):
            fork.end()
            fork = None
        if job["kind"] not in known:
            known.add(job["kind"])
            _prepare(job)
        fork = fork or Fork(job["team"])
        status = fork.look(job)
        if status is not None:
            fork = None
        _tell(channel, {"status": status or 0})


def _work(channel: socket.socket) -> None:
    """What a fork does: look, until it is not needed any more, or has become large."""
    while (job := _next(channel, None)) is not None:
        allow_cpu(job["seconds"])
        answer = _answer(job)
        _leave(Path(job["bench"]), answer)
        # In kilobytes on Linux, in bytes on macOS, where it ends earlier.
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if size > LARGE_BYTES or answer.get("code") == "too_much_memory":
            return
        channel.sendall(GOES_ON)


def _next(channel: socket.socket, seconds: float | None = IDLE_SECONDS) -> Job | None:
    """The next job; None when there is none for so long, or never again."""
    received = b""
    while not received.endswith(b"\n"):
        if not select.select([channel], [], [], seconds)[0]:
            return None
        piece = channel.recv(LINE_BYTES)
        if not piece:
            return None
        received += piece
    job: Job = json.loads(received)
    return job


def _tell(channel: socket.socket, message: dict[str, Any]) -> None:  # JSON
    channel.sendall(json.dumps(message).encode() + b"\n")


def _prepare(job: Job) -> None:
    """Import what the kind needs, so that forks need not; what cannot be imported is the fork's to tell."""
    with contextlib.suppress(Exception):
        inspector(job["kind"])
    gc.collect()
    gc.freeze()


def _leave(bench: Path, answer: dict[str, Any]) -> None:  # JSON
    # Half of a surrogate pair is no text that a database takes.
    (bench / ANSWER).write_bytes(json.dumps(answer, ensure_ascii=False).encode(errors="replace"))


def _answer(job: Job) -> dict[str, Any]:  # JSON
    bench = Path(job["bench"])
    try:
        return _inspect(Source(bench / BYTES, job["format"], job["size"]), bench / MADE, job["kind"])
    except Refused as refused:
        return {"code": refused.code, "reason": refused.reason}
    except MemoryError:
        return {"code": "too_much_memory", "reason": ""}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told of this item
        return _unknown(error)


def _inspect(source: Source, folder: Path, kind: Any) -> dict[str, Any]:  # a Kind; JSON
    workshop = Workshop(folder)
    facts = inspector(kind)(source, workshop)
    made = {name: mimetype for name, (_, mimetype) in workshop.made.items()}
    size = sum((folder / name).stat().st_size for name in made)
    if size > MAX_MADE_BYTES:
        raise _too_large(size)
    text = json.dumps(facts, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return {"facts": text.encode(errors="replace").decode(), "made": made}


def _too_large(size: int | None = None) -> Refused:
    found = "more" if size is None else f"{size:,} bytes"
    return Refused(
        "result_too_large",
        f"What is made of it may have {MAX_MADE_BYTES:,} bytes in all; it would have {found}.",
    )


def _unknown(error: Exception) -> dict[str, Any]:  # JSON
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return {"code": DISK_FULL, "reason": ""}
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return {"code": "too_much_memory", "reason": ""}
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        refused = _too_large()
        return {"code": refused.code, "reason": refused.reason}
    told = _PATH.sub("", " ".join(str(error).split()))[:_MAX_MESSAGE]
    return {
        "code": "unreadable",
        "reason": f"It cannot be read ({type(error).__name__}): {told or 'no details'}.",
    }


def main() -> None:
    """Bind this process, then take jobs."""
    parent, memory, folder = sys.argv[1:4]
    warnings.simplefilter("ignore")
    die_with_parent(int(parent), signal.SIGKILL)
    bonds = bind(int(memory), Path(folder))
    with socket.socket(fileno=0) as channel:
        _tell(channel, {"bonds": bonds})
        with contextlib.suppress(ConnectionError):
            serve(channel)


if __name__ == "__main__":
    main()
