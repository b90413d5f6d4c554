"""Seeds 003 and 004, "Summary Metrics": values of the run as a whole, also after it has ended.

Seen: `best_accuracy` stays at the best; `tensor` has min, max, mean, variance and percentiles, and the
whole array is kept in a file.
"""

from argparse import Namespace

import numpy as np

import runhue as wandb

args = Namespace(epochs=4, seed=0)

with wandb.init(project="seeds", name="s003_summary", config=vars(args)) as run:
    best_accuracy = 0.0
    for epoch in range(1, args.epochs + 1):
        test_loss, test_accuracy = 1 / epoch, [0.5, 0.8, 0.7, 0.6][epoch - 1]
        wandb.log({"loss": test_loss, "test_accuracy": test_accuracy})
        if test_accuracy > best_accuracy:
            wandb.run.summary["best_accuracy"] = test_accuracy  # type: ignore[union-attr]  # there is one
            best_accuracy = test_accuracy
    run.summary["tensor_of_the_run"] = np.random.default_rng(0).random(1000)

api = wandb.Api()
stored = api.run(f"{run.entity}/{run.project}/{run.id}")
stored.summary["tensor"] = np.random.default_rng(1).random(1000)
stored.summary.update()
