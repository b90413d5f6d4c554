"""P8: what the SDK weighs: import time, megabytes and distributions installed, memory added."""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
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
FIRST_LOG = (PEERS / "call_log.py", "first", "1", "60")
OFFLINE = {"RUNHUE_MODE": "offline"}
UNITS = {
    "import_ms": "ms",
    "first_log_ms": "ms to the first log() returned",
    "installed_mb": "MB without .pyc",
    "distributions": "count",
    "rss_mb": "MB by import",
    "logging_mb": "MB after the first log(), children included",
}
NOTE = (
    "Every figure is of a fresh process with a warm page cache. Up to the first log(): import, init (offline or"
    " local, in a folder used before), one call; what `import runhue` puts off is in there."
)
INSTALLERS = {"pip", "setuptools", "wheel"}


def weigh(subject: str, scratch: str) -> Subject:
    """Import the package in a fresh process of its own environment, log once in another, measure the files."""
    python = peer_python(subject)
    site = next((python.parents[1] / "lib").glob("python3.*")) / "site-packages"
    distributions = [
        path for path in site.glob("*.dist-info") if path.name.split("-")[0].lower() not in INSTALLERS
    ]
    megabytes = sum(_size(path) for path in site.iterdir() if path.name.split("-")[0] not in INSTALLERS) / 1e6

    folder = tempfile.mkdtemp(dir=scratch)

    def measure() -> Figures:
        told = run_json([python, "-c", PROGRAM, subject])
        logged = (
            {} if subject == "httpx" else run_json([python, *FIRST_LOG, folder, subject], environment=OFFLINE)
        )
        return {
            "import_ms": told["import_ms"],
            "rss_mb": told["rss_mb"],
            "installed_mb": megabytes,
            "distributions": float(len(distributions)),
            **logged,
        }

    return measure


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


def measure(rounds: int) -> Report:
    """Ours is installed anew from this tree, so that the figures are those of the code at hand."""
    shutil.rmtree(PEERS / ".venvs" / "runhue", ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        results = alternate({name: weigh(name, scratch) for name in ["runhue", *WEIGHED]}, rounds)
    report = Report(
        id="p8",
        title="Weight of the SDK",
        command="make bench NAME=p8",
        ours="runhue",
        bound="httpx",
        better=dict.fromkeys(UNITS, "lower"),
        units=UNITS,
        rounds=results,
        versions={"runhue": __version__, **peer_versions(WEIGHED)},
        notes=[NOTE],
    )
    imported, logged = (ratio(report, figure, "wandb") for figure in ("import_ms", "first_log_ms"))
    report.goals = [
        f"import at most 1/4 of wandb's: 1/{imported:.0f}; up to the first log() 1/{logged:.1f}",
        "fewest MB of all that log media: "
        + ", ".join(f"x{ratio(report, 'installed_mb', name):.1f} {name}" for name in WEIGHED[1:]),
    ]
    report.where = where()
    return report


def where() -> str:
    """The modules whose own import takes longest on the way to the first log(), by `-X importtime`."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [peer_python("runhue"), "-X", "importtime", *FIRST_LOG, folder, "runhue"],
            env={**os.environ, **OFFLINE},
            capture_output=True,
            text=True,
            check=True,
        )
    lines = [line.split(":", 1)[1].split("|") for line in done.stderr.splitlines() if "|" in line]
    spent: Counter[str] = Counter()
    for own, _, name in lines[1:]:
        spent[name.strip().split(".")[0]] += int(own)
    most = ", ".join(f"{name} {spent[name] / 1e3:.1f} ms" for name, _ in spent.most_common(6))
    return (
        f"`import runhue` loads names only. On the way to the first log() modules take {spent.total() / 1e3:.0f} ms"
        f" to import, with -X importtime's own cost: {most}."
    )
