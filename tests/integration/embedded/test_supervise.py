"""The supervisor, with small Python programs as its children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runhue_server.embedded.console import Console
from runhue_server.embedded.errors import StackError, StartFailedError
from runhue_server.embedded.orphans import ProcessRecord, start_mark, stop_orphans, write_records
from runhue_server.embedded.supervise import ChildSpec, Supervisor, cut_log

pytestmark = pytest.mark.stack

BEAT = "import os, pathlib, time\nbeat = pathlib.Path(os.environ['RUNHUE_HEARTBEAT_FILE'])\n"
DEAF = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\ntime.sleep(600)"
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A started supervisor without children; stopped at the end."""
    made = Supervisor(tmp_path, tmp_path, os.environ, Console(quiet=True))
    made.start()
    yield made
    made.stop()


def python(name: str, program: str, **options: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", program), **options)  # type: ignore[arg-type]  # kept short


def wait_for_log(supervisor: Supervisor, name: str, text: str, times: int = 1) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        file = supervisor.log_directory / f"{name}.log"
        if file.exists() and (content := file.read_text()).count(text) >= times:
            return content
        time.sleep(0.02)
    raise AssertionError(f"{text!r} was not logged {times} times by {name}")


def test_child_that_exits_is_started_again(supervisor: Supervisor) -> None:
    """Also after a normal exit: these programs are meant to run for ever."""
    supervisor.add(python("short", "print('hello')"))

    wait_for_log(supervisor, "short", "hello", times=3)


def test_restarts_slow_down(supervisor: Supervisor) -> None:
    """A program that cannot start does not keep the machine busy: two seconds have few attempts."""
    supervisor.add(python("broken", "raise SystemExit('no')"))
    wait_for_log(supervisor, "broken", "no", times=2)

    time.sleep(2)

    assert (supervisor.log_directory / "broken.log").read_text().count("no") <= 6


def test_killed_child_has_a_new_pid(supervisor: Supervisor) -> None:
    """`kill` returns when the death was seen, so `wait` means the next life."""
    supervisor.add(python("sleeper", "import time; time.sleep(600)"))
    supervisor.wait(timeout=20)

    old = supervisor.kill("sleeper", signal.SIGKILL)
    supervisor.wait(timeout=20)

    assert supervisor.pids()["sleeper"] != old


def test_hung_child_is_killed_and_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    """It beats once and then hangs; SIGTERM would not end it."""
    program = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"{BEAT}print('life', flush=True)\nbeat.touch()\ntime.sleep(600)"
    )
    beat, ladder = tmp_path / "hung.beat", ((signal.SIGKILL, 5.0),)
    supervisor.add(python("hung", program, heartbeat=beat, heartbeat_timeout=0.5, stop=ladder))

    wait_for_log(supervisor, "hung", "life", times=2)


def test_beating_child_is_left_alone_when_the_clock_jumps(supervisor: Supervisor, tmp_path: Path) -> None:
    """Heartbeats dated in the past are beats as long as they change: wall time is not compared."""
    program = (
        f"{BEAT}print('life', flush=True)\nn = 0\n"
        "while True:\n    n += 1\n    beat.touch()\n    os.utime(beat, (n, n))\n    time.sleep(0.05)"
    )
    supervisor.add(python("steady", program, heartbeat=tmp_path / "steady.beat", heartbeat_timeout=1))
    supervisor.wait(timeout=20)
    pid = supervisor.pids()["steady"]

    time.sleep(2)

    assert supervisor.pids()["steady"] == pid


def test_child_waits_for_what_it_needs(supervisor: Supervisor, tmp_path: Path) -> None:
    """A service starts after the one-shot it needs has ended well, not beside it."""
    mark = tmp_path / "made"
    prelude = f"import pathlib, time\nmark = pathlib.Path({str(mark)!r})\n"
    check = f"{prelude}print('made first', mark.exists(), flush=True)\ntime.sleep(600)"
    supervisor.add(python("user", check, needs=("maker",)))
    supervisor.add(python("maker", f"{prelude}time.sleep(0.3)\nmark.touch()", once=True))

    wait_for_log(supervisor, "user", "made first True")


def test_one_shot_that_keeps_failing_stops_the_stack(supervisor: Supervisor) -> None:
    """The error has what the program printed."""
    supervisor.add(python("schema", "raise SystemExit('relation is on fire')", once=True, attempts=3))

    with pytest.raises(StackError, match="relation is on fire"):
        supervisor.wait(timeout=20)


def test_wait_names_who_is_late_and_its_last_lines(supervisor: Supervisor) -> None:
    """The message is enough to start looking."""
    program = "import time\nprint('still loading', flush=True)\ntime.sleep(600)"
    supervisor.add(python("slow", program, is_ready=lambda _pid: False))
    wait_for_log(supervisor, "slow", "still loading")

    with pytest.raises(StartFailedError, match=r"slow\n  slow \| still loading"):
        supervisor.wait(timeout=0.2)


def test_last_layer_stops_first(supervisor: Supervisor, tmp_path: Path) -> None:
    """The database outlives its users."""
    program = """
import pathlib, signal, sys, time
def end(*_):
    with open({file!r}, "a") as file:
        file.write({name!r} + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path({ready!r}).touch()
time.sleep(600)
"""
    order = tmp_path / "order"
    for layer, name in enumerate(("database", "service")):
        ready = tmp_path / f"{name}.ready"
        text = program.format(file=str(order), name=name, ready=str(ready))
        supervisor.add(python(name, text, layer=layer, is_ready=lambda _pid, ready=ready: ready.exists()))
    supervisor.wait(timeout=20)

    supervisor.stop()

    assert order.read_text().split() == ["service", "database"]


def test_child_that_ignores_the_signal_is_killed_in_bounded_time(supervisor: Supervisor) -> None:
    """The ladder's next signal comes after its wait."""
    supervisor.add(python("deaf", DEAF, stop=((signal.SIGTERM, 0.3), (signal.SIGKILL, 5.0))))
    wait_for_log(supervisor, "deaf", "up")
    pid = supervisor.pids()["deaf"]

    started = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - started < 5
    assert not psutil.pid_exists(pid)


def test_forced_stop_does_not_wait(supervisor: Supervisor) -> None:
    """A second Ctrl-C goes straight to the last signal."""
    supervisor.add(python("deaf", DEAF, stop=((signal.SIGTERM, 60.0), (signal.SIGKILL, 5.0))))
    wait_for_log(supervisor, "deaf", "up")
    supervisor.force()

    started = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - started < 5


def test_orphan_is_stopped_and_a_stranger_with_its_pid_is_not(tmp_path: Path) -> None:
    """The start mark and the command line tell ours from the process that got the pid later."""
    command = ("sleep", "300")
    with subprocess.Popen(command) as ours, subprocess.Popen(command) as stranger:
        records = [
            ProcessRecord("ours", ours.pid, start_mark(ours.pid), command, 0),
            ProcessRecord("reused pid", stranger.pid, "another boot:1", command, 0),
            ProcessRecord("other program", stranger.pid, start_mark(stranger.pid), ("python",), 0),
        ]
        write_records(tmp_path / "processes.json", records)

        found = stop_orphans(tmp_path / "processes.json", Console(quiet=True))

        assert found == ["ours"]
        assert ours.wait(timeout=10) == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()


def test_damaged_record_of_processes_is_ignored(tmp_path: Path) -> None:
    """A start never fails because of that file."""
    (tmp_path / "processes.json").write_text('[{"name": 1')

    assert stop_orphans(tmp_path / "processes.json", Console(quiet=True)) == []


def test_long_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    """The old part moves to `.1`; the open file continues at the start."""
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        writer.write("old\n" * 100)
        writer.flush()

        cut_log(log, 100)
        writer.write("new\n")

    assert log.read_text() == "new\n"
    assert (tmp_path / "api.log.1").read_text() == "old\n" * 100
