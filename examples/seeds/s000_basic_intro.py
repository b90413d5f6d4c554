"""Seed 000, "Custom metrics": a training loop that logs accuracy and loss.

Seen: `acc` and `loss` in the Key dropdown of the project's run colors, and a line of each.
"""

import random

import runhue as wandb

epochs = 10

with wandb.init(project="seeds", name="s000_basic_intro") as run:
    random.seed(0)  # the same numbers each time
    offset = random.random() / 5
    for epoch in range(2, epochs):
        acc = 1 - 2**-epoch - random.random() / epoch - offset
        loss = 2**-epoch + random.random() / epoch + offset
        run.log({"acc": acc, "loss": loss})
