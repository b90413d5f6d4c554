"""Seeds 003 and 004, "Sampling": more points than a line is drawn with, and all of them by the data API.

Seen: a line of at most 1,000 places that still shows the one spike, the same each time the page is
loaded; the API gives every point.
"""

import math

import runhue as wandb

POINTS = 2500

with wandb.init(project="seeds", name="s003_sampling") as run:
    for number in range(POINTS):
        wandb.log({"wave": math.sin(number / 50) + (9 if number == 1234 else 0)})

path = f"{run.entity}/{run.project}/{run.id}"
waves = [row["wave"] for row in wandb.Api().run(path).scan_history(keys=["wave"])]
print(f"{len(waves)} points, the highest {max(waves):.3f}")
