"""Color a project's runs by their best accuracy, then print every run's color whenever one changes.

python examples/read_colors.py [project]
"""

import sys

import runhue

project = sys.argv[1] if len(sys.argv) > 1 else "basic-intro"

with runhue.Api() as api:
    workspace = api.workspace(project)
    workspace.set_color_settings(key={"source": "metric", "name": "acc"}, y="max", buckets=6)

    with workspace.watch() as versions:
        for coloring in versions:
            print(f"version {coloring.version}")
            for bucket, count in zip(coloring.legend.buckets, coloring.counts, strict=True):
                print(f"  {bucket.index}  {bucket.colors.dark}  {bucket.label:20} {count} runs")
            for run in coloring.runs.values():
                print(
                    f"  {run.name:20} {run.value}  {run.colors.dark}  {run.reason or f'bucket {run.bucket}'}"
                )
