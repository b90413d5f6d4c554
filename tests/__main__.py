"""Every test, in two pytest processes side by side: `python -m tests`, which `make test` runs.

One has the tests that mostly wait, for real clients and for faults, the other all the rest; one after the
other they take much longer. Each has servers of its own. Arguments go to both.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAITING = ("tests/acceptance", "tests/faults")
NOTHING_COLLECTED = 5
"""What pytest exits with when the arguments leave one of the two without a test."""


def main(arguments: Sequence[str]) -> int:
    """Run both; the exit code is 0 when both passed."""
    pytest = [sys.executable, "-m", "pytest", "-q", *arguments]
    rest = ["tests", *(f"--ignore={folder}" for folder in WAITING)]
    with tempfile.TemporaryFile() as output:
        waiting = subprocess.Popen([*pytest, *WAITING], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            codes = [subprocess.run([*pytest, *rest], cwd=ROOT, check=False).returncode, waiting.wait()]
        finally:
            waiting.terminate()
            waiting.wait()
            output.seek(0)
            sys.stdout.write(output.read().decode("utf-8", "replace"))
            sys.stdout.flush()
    if set(codes) == {NOTHING_COLLECTED}:
        return NOTHING_COLLECTED
    return 0 if set(codes) <= {0, NOTHING_COLLECTED} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
