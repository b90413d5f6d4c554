"""What `runhue doctor` finds on this machine."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from runhue._cli import checks
from runhue._cli.checks import disk_check, leftovers_check
from runhue._records import RowValues
from runhue._spool import REJECTED, Manifest, Spool, write_manifest
from runhue._spool_lock import SpoolLock
from runhue._writer import SPOOLS
from runhue_shared.events import StartWriter

Usage = namedtuple("Usage", "total used free")


def leave_spool(place: Path) -> Path:
    """A spool with one record, as a process that died leaves it."""
    folder = place / ".runhue" / SPOOLS / "w1"
    folder.mkdir(parents=True)
    write_manifest(folder, Manifest(StartWriter("mnist", "r1", "a" * 32, 1.0), "http://127.0.0.1:9"))
    spool = Spool(folder)
    spool.append(RowValues(0, 1.0, 0.0, {"acc": 0.5}))
    spool.close()
    return folder


def test_nothing_left_is_ok(tmp_path: Path) -> None:
    """A folder without spools is fine."""
    assert leftovers_check(tmp_path).state == "ok"


def test_a_dead_process_s_spool_is_found(tmp_path: Path) -> None:
    """The check names how many runs are left and the command that sends them."""
    leave_spool(tmp_path)

    found = leftovers_check(tmp_path)

    assert (found.state, found.fix) == ("warning", f"send them with: runhue sync {tmp_path}")
    assert found.found.startswith("1 run not sent whole")


def test_a_living_process_s_spool_is_left_alone(tmp_path: Path) -> None:
    """What is being logged right now is no leftover."""
    lock = SpoolLock(leave_spool(tmp_path))

    found = leftovers_check(tmp_path)

    lock.release()
    assert found.state == "ok"


def test_refused_records_are_found(tmp_path: Path) -> None:
    """Records that the server will never take are said to be there."""
    folder = leave_spool(tmp_path) / REJECTED
    folder.mkdir()
    (folder / "00000000000000000000.batch").write_bytes(b"x")
    for segment in folder.parent.glob("*.segment"):
        segment.unlink()

    found = leftovers_check(tmp_path)

    assert found.state == "warning"
    assert "1 records" in found.found


@pytest.mark.parametrize(
    ("free", "state"), [(10 * 1024**3, "ok"), (1024**3, "warning"), (10 * 1024**2, "failure")]
)
def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str) -> None:
    """Little room warns, no room fails; the folder need not be there yet."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free, 0, free))

    found = disk_check(tmp_path / "not" / "yet")

    assert found.state == state
    assert (found.fix is None) == (state == "ok")


def test_every_finding_that_is_not_ok_has_a_fix(tmp_path: Path) -> None:
    """A check of a server that is away says what to do."""
    leave_spool(tmp_path)

    found = [leftovers_check(tmp_path), checks.ready_check("api ready", "http://127.0.0.1:9")]

    assert all(check.fix for check in found)
