"""Seed 001, "Set a configuration key": hyperparameters that runs can be colored by.

Seen: `learning_rate`, `batch_size` and `optimizer` in the Key dropdown, beside the metrics.
"""

import runhue as wandb

config = {"learning_rate": 0.01, "batch_size": 32, "optimizer": "adam"}

with wandb.init(project="seeds", name="s001_config_keys", config=config) as run:
    run.log({"loss": 0.5})
