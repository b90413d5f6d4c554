"""Seeds 003 and 004, "Histograms": distributions, from numbers or already in bins.

Seen: a heatmap of bins over steps for `gradients`, a sparkline of the summary on the run's page, and 8
bins where 64 are the default.
"""

import numpy as np

import runhue as wandb

numbers = np.random.default_rng(0)

with wandb.init(project="seeds", name="s003_histograms"):
    for step in range(5):
        data = numbers.normal(loc=step, size=500)
        wandb.log({"gradients": wandb.Histogram(data), "few": wandb.Histogram(data.tolist(), num_bins=8)})
        wandb.log({"binned": wandb.Histogram(np_histogram=np.histogram(data))})
    last = wandb.Histogram(np_histogram=np.histogram(data))
    wandb.run.summary.update({"gradients": last})  # type: ignore[union-attr]  # there is a run
