"""Seed 004, "Accessing Logs Directly": the open row, filled by hand.

Seen: two rows, the first with `loss` and `acc` that were put into it one by one.
"""

import runhue as wandb

ONLY_RUNHUE = "today's wandb has no run.history"

with wandb.init(project="seeds", name="s004_history") as run:
    run.history.row["loss"] = 0.5
    run.history.row["acc"] = 0.75
    print(dict(run.history.row))
    run.history.add({"epoch": 1})

    run.history.row["loss"] = 0.25
    wandb.log({"epoch": 2})
