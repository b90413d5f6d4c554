"""Each import contract of pyproject.toml refuses a planted violation, so none is decoration."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VIOLATIONS = {
    "layers": ("runhue_shared/settings.py", "import runhue"),
    "services": ("runhue_server/ingest/__init__.py", "import runhue_server.coloring"),
    "shared": ("runhue_shared/events.py", "import runhue_shared.settings"),
    "pure": ("runhue_shared/events.py", "import psycopg"),
    "sdk": ("runhue/__init__.py", "import runhue_shared.db"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages side by side, and of the contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for package in ("sdk/runhue", "shared/runhue_shared", "services/runhue_server"):
        shutil.copytree(
            ROOT / package, copy / Path(package).name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", *arguments],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_hold(tree: Path) -> None:
    """The code as it is keeps every contract."""
    result = lint(tree)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_planted_violation_is_found(tree: Path, contract: str) -> None:
    """One forbidden import breaks exactly the contract that is about it."""
    name, line = VIOLATIONS[contract]
    file = tree / name
    original = file.read_text(encoding="utf-8")
    file.write_text(f"{original}\n{line}\n", encoding="utf-8")
    try:
        result = lint(tree, "--contract", contract)
    finally:
        file.write_text(original, encoding="utf-8")

    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout
