"""Seeds 003 and 004, "Text Table": text in rows and columns.

Seen: the same table made in two ways, one of a DataFrame, one with the columns Input, Output and
Expected, and one that is longer than the default maximum.
"""

import pandas as pd

import runhue as wandb

columns = ["Text", "Predicted Label", "True Label"]
data = [["I love my phone", "1", "1"], ["My phone sucks", "0", "-1"]]

with wandb.init(project="seeds", name="s003_tables"):
    wandb.log({"examples": wandb.Table(data=data, columns=columns)})

    table = wandb.Table(columns=columns)
    table.add_data("I love my phone", "1", "1")
    table.add_data("My phone sucks", "0", "-1")
    wandb.log({"examples": table})

    my_dataframe = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, 0.25, 0.125]})
    wandb.log({"frame": wandb.Table(dataframe=my_dataframe)})

    by_default = wandb.Table()
    by_default.add_data("question", "answer", "right answer")
    wandb.log({"default_columns": by_default})

    wandb.Table.MAX_ROWS = 12_000
    wandb.log({"long": wandb.Table(data=[[number] for number in range(11_000)], columns=["number"])})
