"""A training process of the demo: `python -m runhue_server.demo.training PROJECT PAUSE NUMBER...`.

Trains the trials with these numbers one after the other, `PAUSE` seconds an epoch. With `hold` as the last
word it says so on standard output when everything is logged and waits to be killed.
"""

import sys
import threading
import time
from collections.abc import Sequence

import runhue
from runhue_server.demo.trials import Trial, logged, trials

HOLD = "hold"


def train(project: str, pause: float, trial: Trial, *, hold: bool = False) -> None:
    """Log one trial as a run."""
    run = runhue.init(project=project, id=trial.run_id, name=trial.name, config=trial.config)
    for row in logged(trial):
        run.log(row)
        time.sleep(pause)
    if hold:
        print("logged", flush=True)  # to the process that kills this one
        threading.Event().wait()
    run.finish()


def main(arguments: Sequence[str]) -> None:
    project, pause, *numbers = arguments
    hold = numbers[-1] == HOLD
    chosen = trials()
    for number in numbers[:-1] if hold else numbers:
        train(project, float(pause), chosen[int(number)], hold=hold)


if __name__ == "__main__":
    main(sys.argv[1:])
