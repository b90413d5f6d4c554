"""The spool keeps records in order through rotation, torn tails, damage and full disks."""

import itertools
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue._records import ConsoleWritten, decode, encode
from runhue._spool import HEADER, NoSpool, Spool, segments
from runhue._spool_lock import SpoolHeld, SpoolLock
from runhue._spool_reader import SpoolReader, repair
from tests.unit.sdk.spooled import rows_of


def line(number: int) -> ConsoleWritten:
    return ConsoleWritten("stdout", 0.0, f"line {number} " + "x" * (number % 50))


def filled(folder: Path, count: int, segment_bytes: int = 1000) -> Spool:
    folder.mkdir(parents=True, exist_ok=True)
    spool = Spool(folder, segment_bytes=segment_bytes)
    for number in range(count):
        spool.append(line(number))
    return spool


def lines_read(folder: Path, below: int, damaged: list[tuple[int, int]] | None = None) -> list[int]:
    """Numbers of the lines that can be read, each checked to be the line of its seq."""
    notes: list[tuple[int, int]] = []
    reader = SpoolReader(folder, lambda first, following: notes.append((first, following)))
    found = []
    for seq, payload in reader.read(below):
        assert decode(payload) == line(seq)
        found.append(seq)
    reader.close()
    if damaged is not None:
        damaged.extend(notes)
    else:
        assert notes == []
    return found


def test_records_come_back_in_order_across_segments(tmp_path: Path) -> None:
    """Every appended record is read again, whatever segment it is in."""
    filled(tmp_path, 100).close()

    assert len(segments(tmp_path)) > 3
    assert lines_read(tmp_path, 100) == list(range(100))


def test_reader_keeps_to_what_is_below_its_bound(tmp_path: Path) -> None:
    """A reader beside the writer stops where it is told, and goes on from there."""
    spool = filled(tmp_path, 10)
    reader = SpoolReader(tmp_path, lambda *_: pytest.fail("damage"))

    first = [seq for seq, _ in reader.read(7)]
    spool.append(line(10))
    second = [seq for seq, _ in reader.read(11)]

    spool.close()
    reader.close()
    assert (first, second) == (list(range(7)), [7, 8, 9, 10])


@given(cut=st.integers(1, 60))
def test_torn_tail_is_cut(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A record that was half written is removed, and those before it stay."""
    folder = tmp_path_factory.mktemp("spool")
    filled(folder, 20, segment_bytes=10**6).close()
    _, path = segments(folder)[-1]
    path.write_bytes(path.read_bytes()[:-cut])

    following = repair(folder)

    assert following >= 18
    assert lines_read(folder, following) == list(range(following))
    assert repair(folder) == following


@given(data=st.data())
def test_damage_in_the_middle_is_reported_and_skipped(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flipped bytes lose the records they are in, and no other."""
    folder = tmp_path_factory.mktemp("spool")
    filled(folder, 40, segment_bytes=10**6).close()
    _, path = segments(folder)[0]
    content = bytearray(path.read_bytes())
    last_record = len(content) - HEADER.size - len(encode(line(39)))
    at = data.draw(st.integers(0, last_record - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    damaged: list[tuple[int, int]] = []
    found = lines_read(folder, 40, damaged)

    assert len(damaged) == 1
    missing = set(range(40)) - set(found)
    assert missing == set(range(*damaged[0]))
    assert len(missing) == 1


def test_a_lost_segment_is_reported(tmp_path: Path) -> None:
    """When a whole segment is gone the reader says so and reads on."""
    filled(tmp_path, 60).close()
    found = segments(tmp_path)
    found[1][1].unlink()

    damaged: list[tuple[int, int]] = []
    read = lines_read(tmp_path, 60, damaged)

    gone = range(found[1][0], found[2][0])
    assert damaged == [(gone.start, gone.stop)]
    assert read == [seq for seq in range(60) if seq not in gone]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_holds_records_back_and_says_so_once(tmp_path: Path) -> None:
    """What cannot be written waits in memory, and is written in order when there is room again."""
    spool = filled(tmp_path, 5, segment_bytes=10**6)
    faults: list[OSError] = []
    spool.on_fault = faults.append

    with file_size_limit(segments(tmp_path)[0][1].stat().st_size + 30):
        for number in range(5, 15):
            spool.append(line(number))
        written_when_full = spool.written_seq
    spool.append(line(15))
    spool.close()

    assert written_when_full == 5
    assert len(faults) == 1
    assert lines_read(tmp_path, 16) == list(range(16))


def test_lock_keeps_others_away_until_it_is_released(tmp_path: Path) -> None:
    """A spool in use is held, and free afterwards."""
    lock = SpoolLock(tmp_path)
    with pytest.raises(SpoolHeld, match="in use"):
        SpoolLock(tmp_path)

    lock.release()

    SpoolLock(tmp_path).release()


def test_a_lock_that_was_released_is_free_for_other_processes(tmp_path: Path) -> None:
    """A process that looked into a spool and lives on keeps nobody else out of it."""
    SpoolLock(tmp_path).release()
    take = "import sys, pathlib, runhue._spool_lock as l; l.SpoolLock(pathlib.Path(sys.argv[1])).release()"

    done = subprocess.run([sys.executable, "-c", take, tmp_path], capture_output=True, check=False, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_of_a_fork_logs_by_itself(tmp_path: Path) -> None:
    """Parent, child and grandchild each have a spool; nothing is said on stderr."""
    script = """
        import os, runhue
        run = runhue.init("tests", mode="offline", settings=runhue.Settings(silent=True, metadata=False))
        run.log({"generation": 0})
        for generation in (1, 2):
            if pid := os.fork():
                os.waitpid(pid, 0)
                break
        else:
            run.log({"generation": 2})
        run.finish()
    """
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    spools = sorted((tmp_path / ".runhue" / "spool").iterdir())
    assert sorted(row["generation"] for spool in spools for _, row in rows_of(spool)) == [0, 2]


def test_no_spool_counts_and_keeps_nothing() -> None:
    """The spool of a disabled run takes records like another."""
    spool = NoSpool()

    spool.append(line(0))

    assert spool.next_seq == 1


def test_a_signal_handler_may_append_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """Records that handlers append while others are written all come back, each once."""
    spool = filled(tmp_path, 0, segment_bytes=10**6)
    numbers = itertools.count(1)
    from_handler: list[int] = []

    def handler(_number: int, _frame: object) -> None:
        mine = next(numbers)  # one handler may interrupt another
        from_handler.append(mine)
        spool.append(ConsoleWritten("stderr", 0.0, f"handler {mine}"))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        number = 0
        while len(from_handler) < 300:
            spool.append(line(number))
            number += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    spool.close()

    reader = SpoolReader(tmp_path, lambda *_: pytest.fail("damage"))
    texts = [decode(payload).text for _, payload in reader.read(spool.next_seq)]
    reader.close()
    assert [text for text in texts if text.startswith("line")] == [
        line(place).text for place in range(number)
    ]
    # One handler may interrupt another ahead of its append, so their order is not given.
    assert sorted(text for text in texts if text.startswith("handler")) == sorted(
        f"handler {count + 1}" for count in range(len(from_handler))
    )


def test_an_interrupted_write_leaves_a_gap_that_is_no_damage(tmp_path: Path) -> None:
    """A seq whose record was never written is passed over; its neighbors come back."""
    spool = filled(tmp_path, 5, segment_bytes=10**6)
    spool.next_seq = 7
    spool.append(line(7))
    spool.close()

    assert lines_read(tmp_path, 8) == [0, 1, 2, 3, 4, 7]
    assert repair(tmp_path) == 8
