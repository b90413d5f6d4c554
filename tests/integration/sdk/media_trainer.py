"""A training process for tests: logs pictures of noise, and tells of each call that returned.

python media_trainer.py <truth file> <run id> <count>
"""

import hashlib
import os
import random
import sys
from pathlib import Path

import runhue

PIXELS = 64 * 64 * 3


def picture(step: int) -> bytes:
    """A binary PPM that does not compress, other bytes for each step."""
    return b"P6 64 64 255 " + random.Random(step).randbytes(PIXELS)


def main() -> None:
    """Log and save `count` files; the truth file has one byte for each call that returned."""
    truth, run_id, count = sys.argv[1:]
    file = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    folder = Path(truth).parent
    with runhue.init(project="media", id=run_id) as run:
        for step in range(int(count)):
            path = folder / f"{step}.ppm"
            path.write_bytes(picture(step))
            run.log({"loss": step / 7, "picture": runhue.Image(path)}, step=step, commit=True)
            path.unlink()
            os.write(file, b"a")


def sha256_of(step: int) -> str:
    """Hash of the picture of a step."""
    return hashlib.sha256(picture(step)).hexdigest()


if __name__ == "__main__":
    main()
