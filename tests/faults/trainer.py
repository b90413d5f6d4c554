"""A training process: logs rows and pictures of the truth through the SDK and notes each call that returned.

`python -m tests.faults.trainer RUN SEED FIRST STEPS STRIDE PAUSE FOLDER`
"""

import os
import sys
import time
from pathlib import Path

import runhue
from tests.faults.truth import PICTURE, has_picture, picture, row


def main() -> None:
    """Log steps FIRST, FIRST+STRIDE, ...; after each return append the step to FOLDER/returned-<pid>."""
    run_id, seed, first, steps, stride, pause, folder = sys.argv[1:]
    returned = os.open(
        Path(folder) / f"returned-{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600
    )
    settings = runhue.Settings(system_metrics_interval=0, console="off", silent=True, finish_timeout=120)
    run = runhue.init(
        project="faults",
        id=run_id,
        resume="allow",
        dir=folder,
        config={"seed": int(seed), "learning_rate": int(seed) / 1000},
        settings=settings,
    )
    for step in range(int(first), int(first) + int(steps) * int(stride), int(stride)):
        run.log(row(int(seed), step) | shown(int(seed), step, Path(folder)), step=step, commit=True)
        os.write(returned, step.to_bytes(8, "little"))
        time.sleep(float(pause))
    run.finish()


def shown(seed: int, step: int, folder: Path) -> dict[str, runhue.Image]:
    """The picture of a step, if it has one; the SDK keeps a copy."""
    if not has_picture(step):
        return {}
    path = folder / f"picture-{os.getpid()}.png"
    path.write_bytes(picture(seed, step))
    return {PICTURE: runhue.Image(path)}


if __name__ == "__main__":
    main()
