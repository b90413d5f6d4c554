"""Seed 002, "Customize buckets": from two buckets to eight, evenly over the best accuracies.

Seen: boundaries that are evenly spread between the lowest and the highest accuracy, the first bucket
from Min and the last to Max, and the run with the highest accuracy in the last one.
"""

import runhue

ONLY_RUNHUE = "wandb has no API for run colors"
ACCURACIES = (0.4967, 0.7993, 0.83, 0.88, 0.9, 0.957)

for number, accuracy in enumerate(ACCURACIES):
    with runhue.init(project="seeds-buckets", name=f"s002_color_code_runs {number}") as run:
        for epoch in range(1, 4):
            run.log({"acc": accuracy * epoch / 3})

with runhue.Api() as api:
    workspace = api.workspace("seeds-buckets")
    for buckets in range(2, 9):
        workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y="max", buckets=buckets)
        coloring = workspace.coloring()
        print(buckets, [bucket.label for bucket in coloring.legend.buckets])
    best = max(coloring.runs.values(), key=lambda colored: float(colored.value or 0))
    print(f"{best.name} has {best.value}, in bucket {best.bucket} of {len(coloring.legend.buckets)}")
