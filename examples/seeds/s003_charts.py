"""Seed 003, "Custom Charts" and "Custom presets": tables drawn by a preset.

Seen: a line, points, bars, a histogram, a confusion matrix, two lines over one x, and a table for a
preset of one's own team.
"""

import random

import runhue as wandb

numbers = random.Random(0)
x_values = list(range(10))
y_values = [x * x / 10 for x in x_values]

with wandb.init(project="seeds", name="s003_charts"):
    data = [[x, y] for (x, y) in zip(x_values, y_values, strict=True)]
    table = wandb.Table(data=data, columns=["x", "y"])
    wandb.log({"my_custom_plot_id": wandb.plot.line(table, "x", "y", title="Custom Y vs X Line Plot")})

    data = [[numbers.random(), numbers.random()] for _ in range(20)]
    table = wandb.Table(data=data, columns=["class_x", "class_y"])
    wandb.log({"my_custom_id": wandb.plot.scatter(table, "class_x", "class_y")})

    labels, values = ["cat", "dog", "bird"], [3, 5, 2]
    bars = [[label, val] for (label, val) in zip(labels, values, strict=True)]
    table = wandb.Table(data=bars, columns=["label", "value"])
    wandb.log({"my_bar_chart_id": wandb.plot.bar(table, "label", "value", title="Custom Bar Chart")})

    scores = [numbers.random() for _ in range(50)]
    table = wandb.Table(data=[[s] for s in scores], columns=["scores"])
    wandb.log({"my_histogram": wandb.plot.histogram(table, "scores", title="Histogram")})

    ground_truth = [0, 1, 2, 2, 1, 0]
    predictions = [0, 2, 2, 2, 1, 1]
    wandb.log(
        {
            "conf_mat": wandb.plot.confusion_matrix(
                probs=None, y_true=ground_truth, preds=predictions, class_names=["cat", "dog", "bird"]
            )
        }
    )
    wandb.log(
        {
            "my_lines": wandb.plot.line_series(
                xs=[0, 1, 2, 3, 4],
                ys=[[10, 20, 30, 40, 50], [0.5, 11, 72, 3, 41]],
                keys=["metric Y", "metric Z"],
                title="Two Random Metrics",
                xname="x units",
            )
        }
    )

    table = wandb.Table(data=[[0, 1.5], [1, 1.7], [2, 1.8]], columns=["step", "height"])
    fields = {"x": "step", "value": "height"}
    my_custom_chart = wandb.plot_table(vega_spec_name="carey/new_chart", data_table=table, fields=fields)
    wandb.log({"my_preset": my_custom_chart})
