"""A training process for tests that saves one large file, and then waits to be killed.

python big_trainer.py <file> <run id>
"""

import sys
import time

import runhue


def main() -> None:
    """Save the file; the run ends only when the process does."""
    path, run_id = sys.argv[1:]
    run = runhue.init(project="media", id=run_id)
    run.save(path, base_path=path.rpartition("/")[0])
    run.log({"loss": 1.0})
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
