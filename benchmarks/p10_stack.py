"""P10: the laptop stack: time until ready, memory of all processes when idle, disk bytes a point."""

import os
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
SETTLE_SECONDS = 6.0
RUNS, BATCHES, ROWS = 20, 100, 200
POINTS = RUNS * BATCHES * ROWS * METRICS


def started(command: list[str | Path], wait_ready: Callable[[Path], None]) -> Callable[[], Figures]:
    """A subject: start a server in a new folder and stop it; start it there again, let it settle, read its memory.

    `wait_ready` gets the file that the server's output goes to.
    """

    def measure() -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o711)
            first, _ = _start_once(command, wait_ready, folder, 0)
            second, memory = _start_once(command, wait_ready, folder, SETTLE_SECONDS)
        return {"first_s": first, "second_s": second, "idle_mb": memory}

    return measure


def _start_once(
    command: list[str | Path], wait_ready: Callable[[Path], None], folder: str, settle: float
) -> tuple[float, float]:
    """(seconds until ready, megabytes `settle` seconds later); stopped again."""
    began = time.perf_counter()
    environment = {**os.environ, **TRACKIO, "HOME": folder, "TRACKIO_DIR": folder}
    with (Path(folder) / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_ready(Path(folder) / "output")
        ready = time.perf_counter() - began
        time.sleep(settle)
        return ready, pss_megabytes([process.pid])
    finally:
        children = family(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        for child in children:
            if child.is_running():
                child.kill()


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
    results = alternate(
        {
            "runhue": started(ours, said_ready),
            "mlflow": started(mlflow, answering("http://127.0.0.1:50921/health")),
            "trackio": started(trackio, answering("http://127.0.0.1:50922/")),
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
    return report
