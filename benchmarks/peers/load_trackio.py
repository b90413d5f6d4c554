"""Sends rows of 12 metrics to trackio's server, 1,000 a request from two threads, and counts them there."""

import json
import sys
import threading
import time
import uuid

from trackio.remote_client import RemoteClient

url, token, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
ROWS = 1000
project = f"p2-{int(time.time())}"
counts = [0] * 2
began = time.perf_counter()
end = began + seconds


def load(number):
    client = RemoteClient(url, write_token=token)
    run, run_id = f"run-{number}", uuid.uuid4().hex
    while time.perf_counter() < end:
        first = counts[number]
        logs = [
            {
                "project": project,
                "run": run,
                "run_id": run_id,
                "metrics": {f"metric_{m}": 1.0 / (step + m + 1) for m in range(12)},
                "step": step,
                "config": None,
                "log_id": uuid.uuid4().hex,
            }
            for step in range(first, first + ROWS)
        ]
        client.predict(api_name="/bulk_log", logs=logs, hf_token=None)
        counts[number] += ROWS


threads = [threading.Thread(target=load, args=(number,)) for number in range(len(counts))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
took = time.perf_counter() - began
assert min(counts) > 0, "the server took no rows"
reader = RemoteClient(url, write_token=token)
stored = sorted(
    reader.predict(api_name="/get_run_summary", project=project, run=f"run-{number}")["num_logs"]
    for number in range(len(counts))
)
assert stored == sorted(counts), (stored, counts)
print(json.dumps({"applied": sum(counts) * 12 / took, "durable": sum(counts) * 12 / took}))
