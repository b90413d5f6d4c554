"""A training process for tests: logs rows, and tells of each call that returned by a file of its own.

python trainer.py <truth file> <run id> <first step> <count> [<seconds between rows>]
"""

import os
import sys
import time

import runhue


def main() -> None:
    """Log `count` rows from `first step` on."""
    truth, run_id, first, count, pause = (*sys.argv[1:5], *sys.argv[5:], "0")[:5]
    file = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with runhue.init(project="kills", id=run_id) as run:
        for step in range(int(first), int(first) + int(count)):
            run.log({"loss": step / 7, "twice": 2 * step}, step=step, commit=False)
            os.write(file, b"a")
            run.log({"text": f"step {step}"}, step=step, commit=True)
            os.write(file, b"b")
            time.sleep(float(pause))


if __name__ == "__main__":
    main()
