"""Logs runs with the wandb client: `python wandb_training.py TRIALS PAUSE`, by an interpreter that has it.

TRIALS is a file of JSON lines `{project, id, name, config, rows}`. Nothing of Runhue is imported: address and
key are in WANDB_BASE_URL and WANDB_API_KEY, as for any script.
"""

import json
import sys
import time
from pathlib import Path

import wandb


def main() -> None:
    trials, pause = sys.argv[1:]
    settings = wandb.Settings(silent=True, console="off")
    for line in Path(trials).read_text(encoding="utf-8").splitlines():
        trial = json.loads(line)
        rows = trial.pop("rows")
        with wandb.init(**trial, settings=settings) as run:
            for row in rows:
                run.log(row)
                time.sleep(float(pause))


if __name__ == "__main__":
    main()
