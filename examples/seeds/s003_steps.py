"""Seeds 003 and 004, "Incremental Logging", "Batch logging", "Custom x-axis": who says when a step ends.

Seen: three steps that hold what two calls logged each, one step that two calls filled with
commit=False, and `batch` and `global_step` to choose as x-axes.
"""

import runhue as wandb

with wandb.init(project="seeds", name="s003_steps"):
    for step in range(3):
        wandb.log({"loss": 0.2 / (step + 1)}, step=step)
        wandb.log({"accuracy": 0.5 + step / 10}, step=step)

    wandb.log({"loss": 0.05}, commit=False)
    wandb.log({"accuracy": 0.8})

    wandb.log({"batch": 1, "loss": 0.3})
    wandb.log({"acc": 1, "global_step": 1})
    wandb.log({"acc": 1, "batch": 10}, step=9)
    wandb.log({"loss": 0.1, "epoch": 1, "batch": 3})
