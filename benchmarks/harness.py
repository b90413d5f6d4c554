"""How a benchmark is run and told: subjects in turn, medians with their spread, JSON and RESULTS.md.

Machines are shared and noisy, so subjects alternate (A B A B ...) after a warm-up within one
run, and what counts is the ratio between them.
"""

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PEERS = ROOT / "benchmarks" / "peers"

Figures = dict[str, float]
Subject = Callable[[], Figures]


@dataclass
class Report:
    """What one program measured.

    `rounds[subject][i][figure]` holds every value; `better` says for each figure whether
    "lower" or "higher" is better; `ours` names our subject, `bound` the physical limit's.
    """

    id: str
    title: str
    command: str
    ours: str
    better: dict[str, str]
    units: dict[str, str]
    rounds: dict[str, list[Figures]]
    bound: str | None = None
    goals: list[str] = field(default_factory=list)
    where: str = ""
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)


def alternate(subjects: Mapping[str, Subject], rounds: int, warm_up: int = 1) -> dict[str, list[Figures]]:
    """Run every subject in turn, `warm_up` times unrecorded and `rounds` times recorded."""
    results: dict[str, list[Figures]] = {name: [] for name in subjects}
    for round_ in range(-warm_up, rounds):
        for name, measure in subjects.items():
            figures = measure()
            shown = "  ".join(f"{key}={value:.4g}" for key, value in figures.items())
            print(
                f"  {'warm-up' if round_ < 0 else f'round {round_ + 1}/{rounds}'}  {name}: {shown}",
                flush=True,
            )
            if round_ >= 0:
                results[name].append(figures)
    return results


def peer_python(peer: str) -> Path:
    """The Python of a peer's own virtual environment, made from requirements-<peer>.txt when missing."""
    folder = PEERS / ".venvs" / peer
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    requirements = PEERS / f"requirements-{peer}.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        print(f"  installing {peer} into its own environment ...", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements],
            check=True,
            cwd=ROOT,
        )
        ready.write_text(wanted, encoding="utf-8")
    return python


def run_json(
    command: Sequence[str | Path], timeout: float = 900, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a program whose last line of output is a JSON object; returns that."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(
            f"{command} exited with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def peer_versions(peers: Sequence[str]) -> dict[str, str]:
    """Installed version of each peer, from its own environment."""
    program = (
        "import json, sys; from importlib.metadata import version;"
        " print(json.dumps({'v': version(sys.argv[1])}))"
    )
    return {peer: run_json([peer_python(peer), "-c", program, peer])["v"] for peer in peers}


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """(median, lowest, highest)."""
    return statistics.median(values), min(values), max(values)


def environment() -> dict[str, Any]:
    """Machine and time, without anything that names a host; `load` is the average of the last 15 minutes."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[2], 1),
    }


def save(report: Report) -> None:
    """Keep the report as JSON and write RESULTS.md anew from every report kept."""
    report.environment = environment()
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(asdict(report), indent=1, sort_keys=True)
    (RESULTS / f"{report.id}.json").write_text(text + "\n", encoding="utf-8")
    write_results()


def write_results() -> None:
    """`benchmarks/RESULTS.md`: one section a program, from the JSON files alone."""
    intro = (
        "# Benchmark results\n\n"
        "Written by `make bench`; every figure is in `results/*.json`. Subjects of a table ran in turn"
        " in one run; a cell is the median [lowest .. highest]. `x` is the ratio to ours, above 1 when ours"
        " is ahead. With a load average above the number of cores other programs had a share of the machine:"
        " then only ratios mean anything.\n"
    )
    files = sorted(RESULTS.glob("*.json"), key=lambda path: int(path.stem.strip("p") or 0))
    parts = [intro, *(section(Report(**json.loads(file.read_text(encoding="utf-8")))) for file in files)]
    (ROOT / "benchmarks" / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")


def section(report: Report) -> str:
    """Markdown of one report."""
    figures = list(report.units)
    made = report.environment
    load = f", load average {made['load']}" if "load" in made else ""
    lines = [
        f"## {report.id.upper()}. {report.title}\n",
        f"`{report.command}`, {made['date']}, {made['cores']} cores{load}, Python {made['python']}"
        + "".join(f", {name} {version}" for name, version in report.versions.items())
        + ".\n",
        "| subject | " + " | ".join(f"{name} ({report.units[name]})" for name in figures) + " |",
        "|---|" + "---|" * len(figures),
    ]
    for subject, rounds in report.rounds.items():
        cells = [_cell(report, subject, rounds, name) for name in figures]
        mark = "**" if subject == report.ours else ""
        lines.append(f"| {mark}{subject}{mark} | " + " | ".join(cells) + " |")
    lines += ["", *(f"- Goal: {goal}" for goal in report.goals), *(f"- {note}" for note in report.notes)]
    if report.where:
        lines += ["", f"Where the time goes: {report.where}"]
    return "\n".join(lines) + "\n"


def _cell(report: Report, subject: str, rounds: list[Figures], name: str) -> str:
    values = [figures[name] for figures in rounds if name in figures]
    if not values:
        return ""
    middle, low, high = spread(values)
    text = f"{_short(middle)} [{_short(low)} .. {_short(high)}]"
    ours = [figures[name] for figures in report.rounds[report.ours] if name in figures]
    if subject != report.ours and ours and middle and statistics.median(ours):
        ratio = middle / statistics.median(ours)
        text += f" x{_short(ratio if report.better[name] == 'lower' else 1 / ratio)}"
    return text


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ratio(report: Report, figure: str, subject: str) -> float:
    """How many times ours is better than `subject` in `figure`, by medians."""
    ours = statistics.median(figures[figure] for figures in report.rounds[report.ours])
    theirs = statistics.median(figures[figure] for figures in report.rounds[subject])
    return theirs / ours if report.better[figure] == "lower" else ours / theirs


def own_python() -> str:
    """The Python that runs us."""
    return sys.executable
