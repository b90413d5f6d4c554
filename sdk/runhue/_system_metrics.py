"""Samples of the machine and this process, for the system stream of a run.

Names end in their unit: `percent` (0 to 100; of one core for `process.cpu_percent`), `bytes`,
`bytes_per_second`, `celsius`, `watts`.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import psutil

GPU_SECONDS = 5.0
GPU_FIELDS = {
    "utilization.gpu": ("percent", 1.0),
    "memory.used": ("memory_bytes", 1024.0 * 1024.0),
    "temperature.gpu": ("celsius", 1.0),
    "power.draw": ("watts", 1.0),
}

Sample = dict[str, int | float]


class SystemSampler:
    """Reads the machine's counters; rates are over the time since the sample before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()
        psutil.cpu_percent()
        self._has_gpu = shutil.which("nvidia-smi") is not None
        self._counted = self._counters()
        self._counted_at = time.monotonic()

    def sample(self) -> Sample:
        """Values by name. What the system does not tell is left out."""
        values: Sample = {}
        for part in (self._cpu, self._memory, self._process_values, self._rates, self._gpus):
            values.update(_told(part))
        return values

    def _cpu(self) -> Sample:
        return {"cpu.percent": psutil.cpu_percent()}

    def _memory(self) -> Sample:
        memory = psutil.virtual_memory()
        return {
            "memory.percent": memory.percent,
            "memory.available_bytes": memory.available,
            "disk.percent": psutil.disk_usage(".").percent,
        }

    def _process_values(self) -> Sample:
        with self._process.oneshot():
            return {
                "process.cpu_percent": self._process.cpu_percent(),
                "process.memory_bytes": self._process.memory_info().rss,
                "process.threads": self._process.num_threads(),
            }

    def _rates(self) -> Sample:
        before, since = self._counted, self._counted_at
        self._counted, self._counted_at = self._counters(), time.monotonic()
        seconds = max(self._counted_at - since, 1e-3)
        return {
            f"{name}_bytes_per_second": (count - before[name]) / seconds
            for name, count in self._counted.items()
            if name in before and count >= before[name]
        }

    def _counters(self) -> dict[str, int]:
        return dict(_counts())

    def _gpus(self) -> Sample:
        return _gpu_values() if self._has_gpu else {}


def _told(part: Callable[[], Sample]) -> Sample:
    try:
        return part()
    except (OSError, psutil.Error, RuntimeError):
        return {}


def _counts() -> Iterator[tuple[str, int]]:
    try:
        network = psutil.net_io_counters()
        disk = psutil.disk_io_counters()
    except (OSError, RuntimeError):
        return
    if network:
        yield "network.sent", network.bytes_sent
        yield "network.received", network.bytes_recv
    if disk:
        yield "disk.read", disk.read_bytes
        yield "disk.written", disk.write_bytes


def _gpu_values() -> Sample:
    command = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return gpu_sample(done.stdout)


def gpu_sample(text: str) -> Sample:
    """Values of nvidia-smi's csv: one GPU a line, fields as in `GPU_FIELDS`; "[N/A]" is left out."""
    values: Sample = {}
    for number, line in enumerate(text.strip().splitlines()):
        for (name, scale), field in zip(GPU_FIELDS.values(), line.split(","), strict=False):
            try:
                values[f"gpu.{number}.{name}"] = float(field) * scale
            except ValueError:
                continue
    return values
