"""Seed 003, "PR" and "ROC": how well a classifier tells classes apart.

Seen: a curve for each of three classes, and for one of them alone.
"""

import numpy as np

import runhue as wandb

WANDB_NEEDS = ("pandas", "scipy", "sklearn")

numbers = np.random.default_rng(0)
ground_truth = numbers.integers(0, 3, size=90)
predictions = numbers.dirichlet([1, 1, 1], size=90).round(2)
predictions[np.arange(90), ground_truth] += 0.3
labels = ["cat", "dog", "bird"]

with wandb.init(project="seeds", name="s003_curves"):
    wandb.log({"pr": wandb.plot.pr_curve(ground_truth, predictions, labels=labels, classes_to_plot=None)})
    wandb.log({"roc": wandb.plot.roc_curve(ground_truth, predictions, labels=labels, classes_to_plot=None)})
    wandb.log({"roc_of_birds": wandb.plot.roc_curve(ground_truth, predictions, labels, classes_to_plot=[2])})
