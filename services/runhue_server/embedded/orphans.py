"""Processes that a killed supervisor left behind: find them, make sure they are ours, stop them.

On Linux the parent-death signal ends most of them; this is for the rest, and for macOS.
"""

import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from runhue_server.embedded.console import Console
from runhue_server.embedded.data_directory import write_atomically

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessRecord:
    """What identifies a started process: a pid alone may belong to another one by now."""

    name: str
    pid: int
    started: str
    command: tuple[str, ...]
    layer: int


@lru_cache(maxsize=1)
def _boot_id() -> str:
    return BOOT_ID.read_text(encoding="utf-8").strip()


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on; the second may contain spaces."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def start_mark(pid: int) -> str:
    """A text that only this life of `pid` has; empty when there is no such process, or only its zombie.

    On Linux boot id and start tick, which a change of the clock cannot move.
    """
    try:
        if sys.platform == "linux":
            fields = _stat_fields(pid)
            return "" if fields[0] == "Z" else f"{_boot_id()}:{fields[19]}"
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (OSError, psutil.Error):
        return ""


def is_running(pid: int, mark: str) -> bool:
    """Whether the life of `pid` that `mark` names goes on; a zombie's does not."""
    return bool(mark) and start_mark(pid) == mark


def write_records(path: Path, records: Iterable[ProcessRecord]) -> None:
    write_atomically(path, json.dumps([asdict(record) for record in records]), sync=False)


def read_records(path: Path) -> list[ProcessRecord]:
    """What the last supervisor started; empty when the file is missing or was damaged by hand."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [ProcessRecord(**{**row, "command": tuple(row["command"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def is_alive(record: ProcessRecord) -> bool:
    """Whether the recorded process, and not a later one with its pid, still runs."""
    if not is_running(record.pid, record.started):
        return False
    try:
        return tuple(psutil.Process(record.pid).cmdline()) == record.command
    except psutil.Error:
        return False


def _wait_until_gone(records: list[ProcessRecord], seconds: float) -> list[ProcessRecord]:
    deadline = time.monotonic() + seconds
    while records and time.monotonic() < deadline:
        time.sleep(0.02)
        records = [record for record in records if is_alive(record)]
    return records


def stop_orphans(path: Path, console: Console, *, patience: float = 8.0) -> list[str]:
    """Stop what is left of the stack recorded in `path`, last layer first; the names of what was found.

    Postgres gets SIGINT (fast shutdown) and then SIGQUIT; the others SIGTERM and then SIGKILL.
    """
    found = [record for record in read_records(path) if is_alive(record)]
    for layer in sorted({record.layer for record in found}, reverse=True):
        left = [record for record in found if record.layer == layer]
        for record in left:
            console.event(record.name, f"left over from an earlier start, pid {record.pid}: stopping it")
        for forced in (False, True):
            for record in left:
                _signal(record, forced=forced)
            left = _wait_until_gone(left, patience * (3 if record.name == "postgres" else 1))
    return [record.name for record in found]


def _signal(record: ProcessRecord, *, forced: bool) -> None:
    if record.name == "postgres":
        number = signal.SIGQUIT if forced else signal.SIGINT
    else:
        number = signal.SIGKILL if forced else signal.SIGTERM
    try:
        psutil.Process(record.pid).send_signal(number)
    except psutil.Error:
        return
