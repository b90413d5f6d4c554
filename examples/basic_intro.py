"""A training loop that logs accuracy and loss; run it a few times and color the runs by `acc`.

runhue up                                 # in another terminal
runhue login --key-stdin < runhue-data/api-key
python examples/basic_intro.py
runhue colors set basic-intro --key acc --y max --buckets 6
runhue colors watch basic-intro
"""

import random

import runhue

epochs = 10

with runhue.init(project="basic-intro") as run:
    offset = random.random() / 5
    for epoch in range(2, epochs):
        acc = 1 - 2**-epoch - random.random() / epoch - offset
        loss = 2**-epoch + random.random() / epoch + offset
        run.log({"acc": acc, "loss": loss})
