"""CPU time and memory of a stack's processes, children included, by name."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import psutil

KIBIBYTE = 1024


def cpu_seconds(processes: Mapping[str, int]) -> dict[str, float]:
    """User and system time so far of each named process and of its descendants that have no name."""
    named = set(processes.values())
    return {
        name: sum(_cpu(process) for process in family(pid) if process.pid == pid or process.pid not in named)
        for name, pid in processes.items()
    }


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants that are alive."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # A child that ended counts for its parent: Postgres backends come and go.
    return float(used.user + used.system + used.children_user + used.children_system)


def pss_megabytes(pid: int) -> dict[str, float]:
    """Proportional set size of a process and its descendants by name: shared pages are split between users."""
    found: dict[str, float] = {}
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            name = process.name().removeprefix("runhue ").removeprefix("runhue-")
            found[name] = found.get(name, 0.0) + _pss_kibibytes(process.pid) * KIBIBYTE / 1e6
    return found


def _pss_kibibytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
