"""Seed 000, "Semantic run plot legends": runs colored by a metric, set by the API as the drawer sets it.

Seen: six buckets over the runs' best accuracy, each with a color of its own, and every run in one of
them; then the same for each Y value, and for each metric that every run has without logging it.
"""

import random

import runhue

ONLY_RUNHUE = "wandb has no API for run colors"
DEFAULT_METRICS = ("relative_time_process", "relative_time_wall", "wall_time", "step")

numbers = random.Random(0)
for number in range(8):
    with runhue.init(project="seeds-colors", name=f"s000_metric_colors {number}") as run:
        for epoch in range(2, 10):
            run.log({"acc": 1 - 2**-epoch - numbers.random() / 5})

with runhue.Api() as api:
    workspace = api.workspace("seeds-colors")

    workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y="max", buckets=6)
    coloring = workspace.coloring()
    for bucket, count in zip(coloring.legend.buckets, coloring.counts, strict=True):
        print(f"Bucket {bucket.index}: ({bucket.label})  {count} runs  {bucket.colors.light}")

    for y in ("latest", "max", "min"):
        workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y=y, buckets=6)
        print(y, [bucket.label for bucket in workspace.coloring().legend.buckets])

    for name in DEFAULT_METRICS:
        workspace.set_color_settings(key={"source": "default", "name": name}, buckets=2)
        print(name, [bucket.label for bucket in workspace.coloring().legend.buckets])
