"""Logs through mlflow's client with log_batch of 996 metrics from four threads, and reads back a count."""

import json
import sys
import threading
import time

from mlflow import MlflowClient
from mlflow.entities import Metric

url, seconds = sys.argv[1], float(sys.argv[2])
client = MlflowClient(url)
experiment = client.create_experiment(f"p2-{time.time()}")
counts = [0] * 4
runs = [client.create_run(experiment).info.run_id for _ in counts]
end = time.perf_counter() + seconds


def load(number):
    step = 0
    while time.perf_counter() < end:
        now = int(time.time() * 1000)
        batch = [
            Metric(f"metric_{m}", 1.0 / (step + r + 1), now, step + r) for r in range(83) for m in range(12)
        ]
        client.log_batch(runs[number], metrics=batch)
        step += 83
        counts[number] += 996


threads = [threading.Thread(target=load, args=(number,)) for number in range(len(counts))]
began = time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
took = time.perf_counter() - began
assert min(counts) > 0, "the server took no batch"
stored = len(client.get_metric_history(runs[0], "metric_0"))
assert stored * 12 == counts[0], (stored, counts)
print(json.dumps({"applied": sum(counts) / took, "durable": sum(counts) / took}))
