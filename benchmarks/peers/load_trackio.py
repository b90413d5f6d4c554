"""Logs rows of 12 metrics through trackio's client to its server and waits until they are stored."""

import json
import sys
import time

import trackio

url, seconds = sys.argv[1], float(sys.argv[2])
trackio.init(project=f"p2-{int(time.time())}", server_url=url, embed=False)
rows = 0
began = time.perf_counter()
while time.perf_counter() - began < seconds / 4:
    trackio.log({f"metric_{m}": 1.0 / (rows + m + 1) for m in range(12)})
    rows += 1
trackio.finish()
took = time.perf_counter() - began
print(json.dumps({"applied": rows * 12 / took, "durable": rows * 12 / took}))
