"""Log many runs at once with the wandb client of this interpreter; prints when the logging took how long."""

import json
import sys
import threading
import time

import wandb

prefix, runs, rows, metrics = sys.argv[1], *(int(argument) for argument in sys.argv[2:5])
settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True)
started = [
    wandb.init(project="p3", id=f"{prefix}-{number}", reinit="create_new", settings=settings)
    for number in range(runs)
]
names = [f"metric_{number}" for number in range(metrics)]


def log(run):
    for step in range(rows):
        run.log({name: 1.0 / (step + number + 1) for number, name in enumerate(names)})
    run.finish()


threads = [threading.Thread(target=log, args=(run,)) for run in started]
began = time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"seconds": time.perf_counter() - began}))
