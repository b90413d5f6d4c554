"""P10: the laptop stack: time until ready, memory of all processes when idle, disk bytes a point."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.harness import ROOT, Figures, Report, alternate, own_python, peer_python, peer_versions, ratio
from benchmarks.load import METRICS, prepare, send_all, start_writers
from benchmarks.p2_pipeline import TRACKIO, wait_for
from benchmarks.processes import family, pss_megabytes
from runhue import __version__
from runhue_server.stack import Stack

PEER_SETUP = (
    "runhue is ready when Postgres, Valkey and its six processes are; mlflow (its default of 4 workers) and"
    " trackio run on SQLite and count as ready with their first answer."
)
NAMES = {"python": "supervisor and zygote", "aggregat": "aggregation"}  # the kernel cuts names
SETTLE_SECONDS = 6.0
RUNS, BATCHES, ROWS = 20, 100, 200
POINTS = RUNS * BATCHES * ROWS * METRICS


class Server:
    """A subject: start a server in a new folder and stop it; start it there again, let it settle, read its memory.

    `wait_ready` gets the file that the server's output goes to. `output` and `memory` (megabytes by process
    name) are those of the last start.
    """

    def __init__(self, command: list[str | Path], wait_ready: Callable[[Path], None]) -> None:
        self._command = command
        self._wait_ready = wait_ready
        self.output = ""
        self.memory: dict[str, float] = {}

    def __call__(self) -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o711)
            first = self._start(folder, 0)
            second = self._start(folder, SETTLE_SECONDS)
        return {"first_s": first, "second_s": second, "idle_mb": sum(self.memory.values())}

    def _start(self, folder: str, settle: float) -> float:
        """Seconds until ready; stopped again after `settle` more."""
        environment = {**os.environ, **TRACKIO, "HOME": folder, "TRACKIO_DIR": folder}
        path = Path(folder) / "output"
        with path.open("wb") as output:
            began = time.perf_counter()
            process = subprocess.Popen(
                self._command,
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            self._wait_ready(path)
            ready = time.perf_counter() - began
            time.sleep(settle)
            self.memory = pss_megabytes(process.pid)
            self.output = path.read_text(encoding="utf-8")
            return ready
        finally:
            children = family(process.pid)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            for child in children:
                if child.is_running():
                    child.kill()

    def where(self) -> str:
        """What became ready when, as `runhue up` said at the last start, and who holds the memory."""
        steps = re.findall(r"(\w+) +(?:ready|done) in ([0-9.]+) s", self.output)
        memory = sorted(self.memory.items(), key=lambda item: -item[1])
        return (
            "each process from its own start, the last time: "
            + ", ".join(f"{name} {seconds} s" for name, seconds in steps)
            + "; PSS: "
            + ", ".join(f"{NAMES.get(name, name)} {size:.0f} MB" for name, size in memory)
            + ". The zygote imports what the services share before they are forked from it."
        )


def answering(url: str) -> Callable[[Path], None]:
    """Ready when a GET is answered."""
    return lambda _: wait_for(url, 180)


def said_ready(output: Path) -> None:
    """Ready when `runhue up` has said its addresses: every process then works and both services answer."""
    deadline = time.monotonic() + 180
    while "api_url" not in output.read_text(encoding="utf-8"):
        if time.monotonic() > deadline:
            raise TimeoutError("runhue up was not ready within 180 s")
        time.sleep(0.05)


def disk_bytes_a_point() -> dict[str, float]:
    """Relation sizes of a database after folding and compaction, by what they hold, for each point logged."""
    with Stack.temporary() as stack:
        runs = [f"run-{number}" for number in range(RUNS)]
        writers = start_writers(stack.ingest_url, stack.api_key, "p10", runs)
        batches = [prepare(number, BATCHES, ROWS) for number in range(RUNS)]
        send_all(stack.ingest_url, stack.api_key, writers, batches, connections=4)
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            _wait_compacted(connection, writers)
            connection.execute("VACUUM FULL")
            sizes = connection.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND"
                " relname IN ('tail', 'series_chunk', 'series_lod', 'run_metric')"
            ).fetchall()
    return {str(name): float(size) / POINTS for name, size in sizes}


def _wait_compacted(connection: "psycopg.Connection[tuple[object, ...]]", writers: list[int]) -> None:
    deadline = time.monotonic() + 300
    folded = "SELECT bool_and(applied_seq = durable_seq) FROM run_writer WHERE id = ANY(%s)"
    loose = "SELECT coalesce(max(rows), 0) FROM run_tail"
    while time.monotonic() < deadline:
        done = connection.execute(folded, (writers,)).fetchone()
        rows = connection.execute(loose).fetchone()
        if done and done[0] and rows and int(str(rows[0])) < 8192:
            return
        time.sleep(0.2)
    raise TimeoutError("tails were not compacted within 300 s")


def measure(rounds: int) -> Report:
    """Ours and peers' servers started in turn, then our disk use."""
    ours: list[str | Path] = [
        own_python(),
        "-m",
        "runhue_server",
        "up",
        "--port",
        "50919",
        "--ingest-port",
        "50920",
        "--json",
    ]
    mlflow: list[str | Path] = [peer_python("mlflow"), "-m", "mlflow", "server", "--port", "50921"]
    trackio: list[str | Path] = [
        peer_python("trackio"),
        ROOT / "benchmarks" / "peers" / "serve_trackio.py",
        "50922",
    ]
    runhue = Server(ours, said_ready)
    results = alternate(
        {
            "runhue": runhue,
            "mlflow": Server(mlflow, answering("http://127.0.0.1:50921/health")),
            "trackio": Server(trackio, answering("http://127.0.0.1:50922/")),
        },
        rounds,
        warm_up=0,
    )
    disk = disk_bytes_a_point()
    total = sum(disk.values())
    report = Report(
        id="p10",
        title="The stack on a laptop",
        command="make bench NAME=p10",
        ours="runhue",
        better=dict.fromkeys(("first_s", "second_s", "idle_mb"), "lower"),
        units={
            "first_s": "s to ready, empty",
            "second_s": "s to ready, again",
            "idle_mb": "MB PSS, all processes",
        },
        rounds=results,
        versions={"runhue": __version__, **peer_versions(["mlflow", "trackio"])},
        notes=[
            PEER_SETUP,
            f"Disk: {total:.2f} bytes a point ({POINTS:,} points of noisy curves rounded to 6 decimals, after"
            " compaction and VACUUM FULL): " + ", ".join(f"{name} {size:.2f}" for name, size in disk.items()),
        ],
    )
    memory = sorted(figures["idle_mb"] for figures in results["runhue"])[rounds // 2]
    again = sorted(figures["second_s"] for figures in results["runhue"])[rounds // 2]
    report.goals = [
        f"disk at most 4 bytes a point: {total:.2f}",
        f"idle at most 450 MB PSS: {memory:.0f} MB (mlflow x{ratio(report, 'idle_mb', 'mlflow'):.1f})",
        f"ready within 5 s of a second start: {again:.1f} s",
    ]
    report.where = runhue.where()
    return report
