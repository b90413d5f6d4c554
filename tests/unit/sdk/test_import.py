"""`import runhue` is cheap, and its names are those it lists."""

import subprocess
import sys

import runhue

HEAVY = {"typing", "httpx", "rich", "click", "psutil", "msgspec", "numpy", "backports.zstd", "asyncio"}


def test_import_loads_nothing_heavy_and_starts_no_thread() -> None:
    """No third-party package and no thread comes with the import alone."""
    program = (
        "import sys, threading; before = set(sys.modules); import runhue;"
        "print(sorted(set(sys.modules) - before), threading.active_count(), sep='|')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded, threads = done.stdout.strip().split("|")
    assert threads == "1"
    assert not [name for name in HEAVY if f"'{name}'" in loaded]


def test_all_names_are_there() -> None:
    """Every name of __all__ can be had, and an unknown one is an AttributeError."""
    assert all(hasattr(runhue, name) for name in runhue.__all__)
    assert set(runhue.__all__) <= set(dir(runhue))
    assert not hasattr(runhue, "watch")


def test_star_import_works() -> None:
    """`from runhue import *` gives the listed names, before any run."""
    names: dict[str, object] = {}

    exec("from runhue import *", names)  # noqa: S102  # the statement under test

    assert set(runhue.__all__) <= set(names)
