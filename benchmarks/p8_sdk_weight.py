"""P8: what the SDK weighs: import time, megabytes and distributions installed, memory added."""

import shutil
from pathlib import Path

from benchmarks.harness import (
    PEERS,
    Figures,
    Report,
    Subject,
    alternate,
    peer_python,
    peer_versions,
    ratio,
    run_json,
)
from runhue import __version__

WEIGHED = ["httpx", "wandb", "mlflow", "trackio", "swanlab"]
PROGRAM = """
import json, os, sys, time
def resident():
    return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6
before, began = resident(), time.perf_counter()
__import__(sys.argv[1])
print(json.dumps({'import_ms': (time.perf_counter() - began) * 1e3, 'rss_mb': resident() - before}))
"""
INSTALLERS = {"pip", "setuptools", "wheel"}


def weigh(subject: str) -> Subject:
    """Import the package in a fresh process of its own environment, and measure the environment."""
    python = peer_python(subject)
    site = next((python.parents[1] / "lib").glob("python3.*")) / "site-packages"
    distributions = [
        path for path in site.glob("*.dist-info") if path.name.split("-")[0].lower() not in INSTALLERS
    ]
    megabytes = sum(_size(path) for path in site.iterdir() if path.name.split("-")[0] not in INSTALLERS) / 1e6

    def measure() -> Figures:
        told = run_json([python, "-c", PROGRAM, subject])
        return {
            "import_ms": told["import_ms"],
            "rss_mb": told["rss_mb"],
            "installed_mb": megabytes,
            "distributions": float(len(distributions)),
        }

    return measure


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


def measure(rounds: int) -> Report:
    """Ours is installed anew from this tree, so that the figures are those of the code at hand."""
    shutil.rmtree(PEERS / ".venvs" / "runhue", ignore_errors=True)
    results = alternate({name: weigh(name) for name in ["runhue", *WEIGHED]}, rounds)
    report = Report(
        id="p8",
        title="Weight of the SDK",
        command="make bench NAME=p8",
        ours="runhue",
        bound="httpx",
        better=dict.fromkeys(("import_ms", "installed_mb", "distributions", "rss_mb"), "lower"),
        units={
            "import_ms": "ms",
            "installed_mb": "MB without .pyc",
            "distributions": "",
            "rss_mb": "MB by import",
        },
        rounds=results,
        versions={"runhue": __version__, **peer_versions(WEIGHED)},
        notes=[
            "Each import is a fresh process with a warm page cache; wandb starts a second process at init."
        ],
    )
    report.goals = [
        f"import at most 1/4 of wandb's: 1/{ratio(report, 'import_ms', 'wandb'):.0f}",
        "fewest MB of all that log media: "
        + ", ".join(f"x{ratio(report, 'installed_mb', name):.1f} {name}" for name in WEIGHED[1:]),
    ]
    report.where = (
        "`import runhue` loads the names only; HTTP, compression, terminal output and process metrics are"
        " imported by the thread that needs them."
    )
    return report
