"""P13: memory and time of the client while it logs 1,000 images from arrays."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from benchmarks.harness import PEERS, ROOT, Figures, Report, alternate, peer_python, peer_versions, ratio
from benchmarks.p2_pipeline import SETTLE_SECONDS, mlflow_server
from benchmarks.p12_media import ENVIRONMENTS
from benchmarks.processes import pss_megabytes
from runhue import __version__
from runhue_server.stack import Stack

IMAGES = 1_000
SCRIPT = ROOT / "benchmarks" / "peers" / "log_media.py"
SAMPLE_SECONDS = 0.2
UNITS = {
    "peak_mb": "MB (PSS) at most, child processes included",
    "added_mb": "MB that the script's own process grew after init()",
    "images": "images/s, stored",
}


class Client:
    """A tracker's client in processes of its own, weighed while it logs."""

    def __init__(self, tracker: str, environment: dict[str, str]) -> None:
        self._tracker = tracker
        self._environment = environment
        self._rounds = itertools.count()

    def __call__(self) -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, **self._environment, "HOME": folder, "WANDB_DIR": folder}
            name = f"{self._tracker}-memory-{next(self._rounds)}"
            process = subprocess.Popen(
                [
                    peer_python(ENVIRONMENTS[self._tracker]),
                    SCRIPT,
                    self._tracker,
                    folder,
                    name,
                    "arrays",
                    str(IMAGES),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
                cwd=folder,
            )
            peak = Peak(process.pid)
            output, _ = process.communicate(timeout=900)
            heaviest = peak.stop()
        if process.returncode:
            raise RuntimeError(f"{self._tracker} ended with {process.returncode}")
        told = json.loads(output.strip().splitlines()[-1])
        return {
            "peak_mb": heaviest,
            "added_mb": told["peak_mb"] - told["warm_mb"],
            "images": IMAGES / told["seconds"],
        }


class Peak:
    """The most that a process and its descendants weighed together, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._heaviest = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._heaviest = max(self._heaviest, sum(pss_megabytes(self._pid).values()))

    def stop(self) -> float:
        self._stopped.set()
        self._thread.join()
        return self._heaviest


def measure(rounds: int) -> Report:
    """Three clients in turn."""
    shutil.rmtree(PEERS / ".venvs" / ENVIRONMENTS["runhue"], ignore_errors=True)  # the code at hand
    with contextlib.ExitStack() as opened:
        stack = opened.enter_context(Stack.temporary())
        mlflow = opened.enter_context(mlflow_server(stack))
        time.sleep(SETTLE_SECONDS)
        ours = {"RUNHUE_BASE_URL": stack.api_url, "RUNHUE_API_KEY": stack.api_key, "RUNHUE_SILENT": "true"}
        theirs = {"WANDB_BASE_URL": stack.api_url, "WANDB_API_KEY": stack.api_key}
        results = alternate(
            {
                "runhue": Client("runhue", ours),
                "wandb to us": Client("wandb", theirs),
                "mlflow artifacts": Client("mlflow", {"MLFLOW_TRACKING_URI": mlflow}),
            },
            rounds,
        )
    report = Report(
        id="p13",
        title="Memory of the client while it logs images",
        command=f"make bench NAME=p13 ({IMAGES:,} arrays of 256 x 256 x 3, one a step)",
        ours="runhue",
        better={"peak_mb": "lower", "added_mb": "lower", "images": "higher"},
        units=UNITS,
        rounds=results,
        versions={"runhue": __version__, **peer_versions(["wandb", "mlflow"])},
        notes=["Arrays are encoded by the client. From the first call to the end of finish()."],
    )
    report.goals = [f"less memory than wandb: x{ratio(report, 'peak_mb', 'wandb to us'):.1f}"]
    return report
