"""Seed 004, "Custom Plots": charts under the names they had in 2020.

Seen: a ROC and a precision-recall curve for each class, a confusion matrix, and a heatmap without and
with its numbers.
"""

import numpy as np

import runhue as wandb

ONLY_RUNHUE = "today's wandb has no wandb.plots, and its wandb.sklearn draws another form of the matrix"

numbers = np.random.default_rng(0)
y_test = numbers.integers(0, 3, size=60)
y_probas = numbers.dirichlet([1, 1, 1], size=60)
y_pred = y_probas.argmax(axis=1)
labels = ["cat", "dog", "bird"]

x_labels, y_labels = ["the", "cat"], ["le", "chat", "."]
matrix_values = [[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]]

with wandb.init(project="seeds", name="s004_old_charts"):
    wandb.log({"roc": wandb.plots.ROC(y_test, y_probas, labels)})
    wandb.log({"pr": wandb.plots.precision_recall(y_test, y_probas, labels)})
    wandb.sklearn.plot_confusion_matrix(y_test, y_pred, labels)
    wandb.log({"heatmap": wandb.plots.HeatMap(x_labels, y_labels, matrix_values)})
    wandb.log({"heatmap_with_text": wandb.plots.HeatMap(x_labels, y_labels, matrix_values, show_text=True)})
