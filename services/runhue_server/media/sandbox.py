"""The worker's side of the bounded process: starts it, gives it one item at a time, ends what takes too long.

Nothing that it leaves is trusted: names, types, sizes and files are looked at before they are used.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
import structlog

from runhue_server.media import child
from runhue_server.media.child_bounds import MAX_MADE_BYTES
from runhue_server.media.contract import Refused
from runhue_shared.blobs.spool import make_directory
from runhue_shared.blobs.store import StoreAway
from runhue_shared.media_kinds import Kind, Rendition

START_SECONDS: Final = 30.0
TICK_SECONDS: Final = 0.25
MAX_ANSWER_BYTES: Final = 1 << 20
LEFT_OVER_SECONDS: Final = 3600.0
"""A folder that nobody used for that long is of a worker that was killed."""

NEEDED_BONDS: Final = frozenset({"files", "calls"})
"""An operator is told, once, when one of these does not hold."""

ERRORS: Final = "errors"
_ERROR_BYTES: Final = 4096
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}\Z")
_MEMORY_WORDS: Final = ("bad_alloc", "MemoryError", "out of memory", "Cannot allocate memory")

_log = structlog.get_logger(__name__)


class EndedWithoutResult(Exception):
    """Somebody ended the process: it may have been the kernel, for want of memory, or anybody else."""


class NotStarted(Exception):
    """The process does not start; the message has what it said."""


class Limits(NamedTuple):
    """Wall time of one item in seconds, and address space of the process in bytes."""

    seconds: float
    memory_bytes: int


class Bench(NamedTuple):
    """A folder for one item: its bytes go to `bytes`; what is made of them is in `made`."""

    folder: Path

    @property
    def bytes(self) -> Path:
        return self.folder / child.BYTES

    def open_made(self, name: str) -> BinaryIO:
        """A rendition that was made.

        Raises:
            Refused: it is not a file of its own.
        """
        return _open_own(self.folder / child.MADE / name)


class Answer(msgspec.Struct, frozen=True):
    """What was found: `facts` as JSON and MIME types of renditions; or code and reason."""

    facts: str | None = None
    made: dict[Rendition, str] = {}
    code: str | None = None
    reason: str = ""


class _Status(msgspec.Struct, frozen=True):
    status: int


class _Bonds(msgspec.Struct, frozen=True):
    bonds: list[str]


class BoundedProcess:
    """Looks at items, one at a time; it runs while there are some.

    Args:
        place: where its folder is made; on a disk that has room for the largest file.
        while_waiting: called a few times a second while an item is looked at.
    """

    def __init__(self, limits: Limits, place: Path, while_waiting: Callable[[], None]) -> None:
        self._limits = limits
        self._place = place
        self._while_waiting = while_waiting
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._told_lacking: frozenset[str] = frozenset()

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and alive else None

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """A new folder for one item, which is removed at the end."""
        folder = Path(tempfile.mkdtemp(dir=self._own_folder()))
        try:
            (folder / child.MADE).mkdir(mode=0o700)
            yield Bench(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def look(self, bench: Bench, kind: Kind, format_: str, size: int, team_id: int = 0) -> Answer:
        """Have the bytes on the bench looked at, by nobody who saw another team's; the facts are JSON.

        Raises:
            Refused: why they are not shown.
            EndedWithoutResult: the process was killed; nothing is known of the bytes.
            NotStarted, StoreAway: this machine is in trouble.
        """
        job = {"bench": str(bench.folder), "kind": kind, "format": format_, "size": size}
        line = msgspec.json.encode({**job, "team": team_id, "seconds": self._limits.seconds}) + b"\n"
        # It may have ended for idleness at the moment at which it was asked.
        reply = self._ask(line) or self._ask(line)
        if reply is None:
            raise EndedWithoutResult("the bounded process ended")
        status = msgspec.json.decode(reply, type=_Status).status
        if status != 0:
            raise self._death(-status)
        return self._answer(bench)

    def close(self) -> None:
        """End the process and remove its folder."""
        self._end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _ask(self, line: bytes) -> bytes | None:
        """Its answer; None when it ended of itself before it began."""
        channel = self._started()
        (self._own_folder() / ERRORS).write_bytes(b"")
        try:
            channel.sendall(line)
            return self._line(time.monotonic() + self._limits.seconds)
        except TimeoutError:
            self._end()
            limit = f"{self._limits.seconds:g} s are allowed (RUNHUE_MEDIA_SECONDS)"
            raise Refused("too_slow", f"Looking at it took too long; {limit}.") from None
        except (ConnectionError, EOFError):
            if self._end() == 0:
                return None
            raise EndedWithoutResult("the bounded process was killed") from None
        except BaseException:
            self._end()
            raise

    def _started(self) -> socket.socket:
        if self._channel is not None and self.pid is not None:
            return self._channel
        self._end()
        folder = self._own_folder()
        self._channel, theirs = socket.socketpair()
        with theirs, (folder / ERRORS).open("ab") as errors:
            self._process = subprocess.Popen(
                self._command(folder),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
            )
        # Whoever ends for idleness is not left a zombie until the next item comes.
        threading.Thread(target=self._process.wait, name="bounded-process", daemon=True).start()
        self._greet()
        return self._channel

    def _command(self, folder: Path) -> tuple[str, ...]:
        # -P: nothing is imported from the folder in which hostile files lie. -s: nor from a home.
        started = (sys.executable, "-P", "-s", "-B", "-m", "runhue_server.media.child")
        return (*started, str(os.getpid()), str(self._limits.memory_bytes), str(folder))

    def _greet(self) -> None:
        try:
            greeting = self._line(time.monotonic() + START_SECONDS)
        except (TimeoutError, ConnectionError, EOFError):
            said = self._said()
            self._end()
            raise NotStarted(f"the bounded process does not start: {said or 'it said nothing'}") from None
        bonds = msgspec.json.decode(greeting, type=_Bonds).bonds
        _log.debug("bounded_process_started", bonds=bonds)
        if lacking := NEEDED_BONDS - set(bonds) - self._told_lacking:
            self._told_lacking |= lacking
            _log.warning("bounded_process_less_bound", lacking=sorted(lacking), bonds=bonds)

    def _line(self, deadline: float) -> bytes:
        """One line from the process.

        Raises:
            TimeoutError: none came by `deadline`.
            EOFError, ConnectionError: none will come.
        """
        assert self._channel is not None  # noqa: S101  # for the type checker
        received = b""
        while not received.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not select.select([self._channel], [], [], min(left, TICK_SECONDS))[0]:
                self._while_waiting()
                continue
            piece = self._channel.recv(child.LINE_BYTES)
            received += piece
            if not piece or len(received) > child.LINE_BYTES:
                raise EOFError
        return received

    def _end(self) -> int | None:
        """Kill what still runs; the exit status."""
        status = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # When it ended of itself, that is the status we want.
                self._process.wait(0.0 if self._alive_and_connected() else 1.0)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            status = self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None
        return status

    def _alive_and_connected(self) -> bool:
        """Whether the other end of the channel is open."""
        assert self._channel is not None  # noqa: S101  # for the type checker
        poll = select.poll()
        poll.register(self._channel, select.POLLHUP)
        return not poll.poll(0)

    def _own_folder(self) -> Path:
        if self._folder is None or not self._folder.is_dir():
            # Idle for long, we look killed to another worker. What runs may write to the old folder only.
            self._end()
            make_directory(self._place)
            _forget_left_over(self._place)
            self._folder = Path(tempfile.mkdtemp(dir=self._place))
        return self._folder

    def _said(self) -> str:
        with contextlib.suppress(OSError), (self._own_folder() / ERRORS).open("rb") as errors:
            errors.seek(max(0, os.fstat(errors.fileno()).st_size - _ERROR_BYTES))
            return errors.read(_ERROR_BYTES).decode(errors="replace").strip()
        return ""

    def _death(self, signal_number: int) -> Exception:
        """What it means that the fork ended without an answer, by a signal or, below 0, by itself."""
        said = self._said()
        if signal_number == signal.SIGKILL:
            return EndedWithoutResult("the bounded process was killed")
        if signal_number == signal.SIGXCPU:
            return Refused("too_slow", "Looking at it took too much time of the processor.")
        if any(words in said for words in _MEMORY_WORDS):
            return self._too_much_memory()
        _log.warning("inspection_crashed", signal=signal_number, said=said[-500:])
        name = signal.Signals(signal_number).name if signal_number > 0 else f"status {-signal_number}"
        return Refused("inspection_failed", f"Whoever looked at it crashed over it ({name}).")

    def _too_much_memory(self) -> Refused:
        limit = f"{self._limits.memory_bytes:,} bytes (RUNHUE_MEDIA_MEMORY_BYTES)"
        return Refused(
            "too_much_memory", f"Looking at it takes more memory than allowed; the limit is {limit}."
        )

    def _answer(self, bench: Bench) -> Answer:
        with _open_own(bench.folder / child.ANSWER) as file:
            content = file.read(MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            raise Refused("too_many_facts", f"What is known of it has more than {MAX_ANSWER_BYTES:,} bytes.")
        answer = _checked(content)
        if answer.code == child.DISK_FULL:
            raise StoreAway("the disk is full on which media are looked at")
        if answer.code == "too_much_memory":
            raise self._too_much_memory()
        if answer.code is not None:
            raise Refused(answer.code, answer.reason)
        return answer


def _checked(content: bytes) -> Answer:
    """The answer, when it is one that an inspector gives.

    Raises:
        Refused: it is not.
    """
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        answer = msgspec.json.decode(content, type=Answer)
        if answer.code is not None and _CODE.match(answer.code):
            return answer
        if answer.facts is not None and all(map(_TYPE.match, answer.made.values())):
            msgspec.json.decode(answer.facts, type=dict)
            return answer
    raise Refused("inspection_failed", "Whoever looked at it gave no answer that can be read.")


def _open_own(path: Path) -> BinaryIO:
    """A file that hostile code may have left: no link to one of ours, no pipe that blocks."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise Refused("inspection_failed", "Whoever looked at it left no answer.") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MAX_MADE_BYTES:
        os.close(handle)
        raise Refused("inspection_failed", "Whoever looked at it left something that is no answer.")
    return os.fdopen(handle, "rb")


def _environment(folder: Path) -> dict[str, str]:
    """All that it gets of ours: where modules are. No setting, no key, no address."""
    return {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": "",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(folder),
    }


def _forget_left_over(place: Path) -> None:
    for folder in place.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - LEFT_OVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
