"""The bounded process: what it gets, what it may, and what is told when it is stopped."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import structlog

from runhue_server.media import sandbox
from runhue_server.media.contract import Refused
from runhue_server.media.sandbox import Answer, BoundedProcess, EndedWithoutResult, NotStarted
from runhue_shared.media_kinds import Kind
from tests.integration.media.pictures import png
from tests.waiting import eventually

Start = Callable[..., BoundedProcess]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux can bind")
SECRET = "a secret of this process"


def look(process: BoundedProcess, content: bytes, kind: Kind = "image", team: int = 1) -> Answer:
    """Have bytes looked at."""
    with process.bench() as bench:
        bench.bytes.write_bytes(content)
        return process.look(bench, kind, "png", len(content), team)


def forks(process: BoundedProcess) -> list[psutil.Process]:
    """Those that see bytes right now."""
    return [] if process.pid is None else psutil.Process(process.pid).children()


def kill_at_work(process_of: Callable[[], psutil.Process], how: signal.Signals) -> Callable[[], None]:
    """To be called while waiting: kills once, when there is somebody to kill."""
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            victim = process_of()
            victim.send_signal(how)
            killed.append(victim.pid)

    return kill


def test_environment_holds_no_secret(bounded: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither it nor its forks are given settings, keys or addresses."""
    for name in ("RUNHUE_KEY_PEPPER", "AWS_SECRET_ACCESS_KEY", "RUNHUE_DATABASE_URL", "ANYTHING"):
        monkeypatch.setenv(name, SECRET)
    process = bounded()
    look(process, png())

    given = psutil.Process(process.pid).environ()

    assert SECRET not in str(given)
    assert set(given) <= {
        *("HOME", "LANG", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("PATH", "PYTHONPATH", "TMPDIR", "LC_CTYPE"),
    }


def test_many_items_one_process(bounded: Start) -> None:
    """It is started once, and nobody sees bytes of two teams, nor lingers without work."""
    process = bounded()
    look(process, png())
    first = process.pid

    for seed in range(5):
        assert look(process, png(seed=seed)).facts is not None

    (ours,) = forks(process)
    look(process, png(), team=2)
    assert ours not in forks(process)
    assert process.pid == first
    assert eventually(lambda: not forks(process))


def test_reasons_are_those_of_the_item(bounded: Start) -> None:
    """A refused item does not disturb the next."""
    process = bounded()

    with pytest.raises(Refused, match="markup") as refused:
        look(process, b"<html>")
    assert refused.value.code == "not_an_image"
    assert look(process, png()).facts is not None


def test_unknown_trouble_is_told_without_paths(bounded: Start, tmp_path: Path) -> None:
    """An exception that nobody thought of is a reason, and says nothing of this machine."""
    process = bounded()
    with process.bench() as bench, pytest.raises(Refused, match=r"FileNotFoundError") as refused:
        process.look(bench, "image", "png", 0)

    assert refused.value.code == "unreadable"
    assert str(tmp_path) not in refused.value.reason


def test_too_slow(bounded: Start, slow_png: bytes) -> None:
    """An item that takes longer than allowed is stopped; the reason names the seconds and the setting."""
    process = bounded(seconds=0.4)
    with pytest.raises(Refused, match=r"0\.4 s are allowed \(RUNHUE_MEDIA_SECONDS\)") as refused:
        look(process, slow_png)

    assert refused.value.code == "too_slow"
    assert process.pid is None


def test_too_much_memory(bounded: Start, slow_png: bytes) -> None:
    """An item that needs more than allowed is refused; the next one is not."""
    process = bounded(memory=384 << 20)
    with pytest.raises(Refused, match=r"402,653,184 bytes \(RUNHUE_MEDIA_MEMORY_BYTES\)") as refused:
        look(process, slow_png)

    assert refused.value.code == "too_much_memory"
    assert look(process, png()).facts is not None


@pytest.mark.parametrize("whole", [True, False])
def test_killed(bounded: Start, slow_png: bytes, whole: bool) -> None:
    """When somebody kills it, or its fork, nothing is said of the bytes; the next item finds a new one."""

    def victim() -> psutil.Process:
        assert eventually(lambda: bool(forks(process)))
        return psutil.Process(process.pid) if whole else forks(process)[0]

    process = bounded(while_waiting=kill_at_work(victim, signal.SIGKILL))

    with pytest.raises(EndedWithoutResult):
        look(process, slow_png)
    assert look(process, slow_png).facts is not None


def test_crash(bounded: Start, slow_png: bytes) -> None:
    """A decoder that crashes is a reason; the next item is not affected."""

    def victim() -> psutil.Process:
        assert eventually(lambda: bool(forks(process)))
        return forks(process)[0]

    process = bounded(while_waiting=kill_at_work(victim, signal.SIGSEGV))

    with pytest.raises(Refused, match="SIGSEGV") as refused:
        look(process, slow_png)
    assert refused.value.code == "inspection_failed"
    assert look(process, png()).facts is not None


def test_fork_that_does_not_end(bounded: Start) -> None:
    """A fork that will not end when it is not needed any more is killed; nobody else's item waits for it."""
    process = bounded(seconds=10.0)
    stopped: list[psutil.Process] = []
    while not stopped:  # it ends soon of itself
        look(process, png(), team=1)
        with contextlib.suppress(psutil.NoSuchProcess):
            for fork in forks(process):
                fork.suspend()
                stopped.append(fork)

    assert look(process, png(), team=2).facts is not None

    assert not stopped[0].is_running()


def test_less_bound(bounded: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not allow a bond the operator is told, once."""
    monkeypatch.setattr(sandbox, "NEEDED_BONDS", frozenset({"files", "one of tomorrow"}))
    process = bounded()

    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            look(process, png())
            psutil.Process(process.pid).kill()
            assert eventually(lambda: process.pid is None)

    warned = [line["lacking"] for line in told if line["event"] == "bounded_process_less_bound"]
    assert [lacking for lacking in warned if "one of tomorrow" in lacking] == warned
    assert len(warned) == 1


def test_ends_when_idle(bounded: Start) -> None:
    """Without work it goes, and leaves no zombie; the next item starts another."""
    process = bounded()
    look(process, png())
    first = psutil.Process(process.pid)

    assert eventually(lambda: not first.is_running(), 20)
    assert process.pid is None
    assert look(process, png()).facts is not None


def test_folders_are_removed(bounded: Start, tmp_path: Path) -> None:
    """Bytes do not stay where they were looked at."""
    process = bounded()
    look(process, png(600, 600))
    assert [path.name for path in tmp_path.rglob("bytes")] == []

    process.close()

    assert [*(tmp_path / "work-0").iterdir()] == []


@pytest.mark.parametrize("runs", [True, False])
def test_folder_that_was_taken_away(bounded: Start, tmp_path: Path, *, runs: bool) -> None:
    """A worker that did nothing for so long that another one removed its folder goes on in a new one."""
    process = bounded()
    look(process, png())
    if not runs:
        psutil.Process(process.pid).kill()
        assert eventually(lambda: process.pid is None)
    shutil.rmtree(tmp_path / "work-0")

    assert look(process, png(600, 300)).made == {"thumbnail": "image/webp"}


def test_links_are_no_renditions(bounded: Start, tmp_path: Path) -> None:
    """What hostile code leaves in place of a rendition or an answer is not followed."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    with bounded().bench() as bench:
        (bench.folder / "made" / "thumbnail").symlink_to(secret)
        (bench.folder / "made" / "poster").hardlink_to(secret)
        os.mkfifo(bench.folder / "made" / "peaks")

        for name in ("thumbnail", "poster", "peaks", "preview"):
            with pytest.raises(Refused):
                bench.open_made(name)


ATTEMPTS = """
import ctypes, json, os, socket, sys, threading
from pathlib import Path
from runhue_server.media.child_bounds import bind, bind_fork
folder, secret = map(Path, sys.argv[1:])
bonds = bind(1 << 30, folder)
def attempt(do):
    try:
        do()
    except (OSError, RuntimeError) as error:
        return type(error).__name__
    return "done"
def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()
def start_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
tried = {"fork before": attempt(fork)}
bind_fork()
tried |= {
    "read elsewhere": attempt(secret.read_text),
    "write elsewhere": attempt(lambda: secret.write_text("x")),
    "list elsewhere": attempt(lambda: os.listdir(secret.parent)),
    "environment of others": attempt(Path(f"/proc/{os.getppid()}/environ").read_bytes),
    "write here": attempt(lambda: (folder / "file").write_text("x")),
    "link here": attempt(lambda: (folder / "link").symlink_to(secret)),
    "import": attempt(lambda: __import__("wave")),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", 9))),
    "run": attempt(lambda: os.execv("/bin/sh", ["sh"])),
    "fork": attempt(fork),
    "thread": attempt(start_thread),
    "signal": attempt(lambda: os.kill(os.getppid(), 0)),
}
print(json.dumps({"bonds": bonds, "tried": tried}))
"""


@LINUX
def test_what_a_fork_may(tmp_path: Path) -> None:
    """It reads modules and its own folder, and reaches no file, process, program or network but its own."""
    folder, secret = tmp_path / "work", tmp_path / "elsewhere" / "secret"
    folder.mkdir()
    secret.parent.mkdir()
    secret.write_text(SECRET)
    command = [sys.executable, "-c", ATTEMPTS, str(folder), str(secret)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    found = json.loads(done.stdout)
    tried = found["tried"]
    if not {"files", "calls"} <= set(found["bonds"]):
        pytest.skip(f"this kernel and its container allow only {found['bonds']}")
    allowed = {name for name, outcome in tried.items() if outcome == "done"}
    assert allowed - {"signal"} == {"fork before", "write here", "import", "thread"}, tried
    assert secret.read_text() == SECRET


def test_does_not_start(bounded: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not start is the machine's trouble; nothing is said of the bytes."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(NotStarted, match="the bounded process does not start"):
        look(bounded(), png())
