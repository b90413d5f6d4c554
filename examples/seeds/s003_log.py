"""Seeds 003 and 004, "Example Usage" and "Common Workflows": numbers, several a call, one's own x-axis.

Seen: each number as a line, `acc` and `loss` from one call, any of them as the x-axis of the others,
and `accuracy` of the summary is the best one, not the last.
"""

import runhue as wandb

with wandb.init(project="seeds", name="s003_log") as run:
    best_accuracy = 0.0
    for epoch, accuracy in enumerate([0.7, 0.9, 0.8]):
        wandb.log({"accuracy": accuracy, "epoch": epoch})
        wandb.log({"acc": accuracy, "loss": 1 - accuracy})
        wandb.log({"acc": accuracy, "custom_step": epoch * 3})
        best_accuracy = max(best_accuracy, accuracy)
    run.summary["accuracy"] = best_accuracy
