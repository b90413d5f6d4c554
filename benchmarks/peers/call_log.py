"""Calls one tool's log() in a loop and prints its figures; runs in the tool's own environment."""

import json
import os
import pathlib
import random
import resource
import signal
import statistics
import sys
import time

KEYS = [f"metric_{i}" for i in range(10)]


def rows(count):
    source = random.Random(7)
    held = [{key: source.random() for key in KEYS} for _ in range(1000)]
    return (held[i % 1000] for i in range(count))


def bare(folder):
    file = open(pathlib.Path(folder) / "bare", "wb")
    line = b"x" * 150

    def log(_row):
        file.write(line)
        file.flush()

    return log, file.close


def runhue(folder):
    import runhue

    quiet = runhue.Settings(silent=True, console="off", system_metrics_interval=0)
    run = runhue.init(project="p1", dir=folder, settings=quiet)
    return run.log, run.finish


def wandb(folder):
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    run = wandb.init(project="p1", mode="offline", dir=folder, settings=wandb.Settings(console="off"))
    return run.log, run.finish


def trackio(folder):
    os.environ["TRACKIO_DIR"] = folder
    import trackio

    trackio.init(project="p1", embed=False)
    return trackio.log, trackio.finish


def mlflow(folder):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("p1")
    mlflow.start_run()
    step = iter(range(10**9))
    return (lambda row: mlflow.log_metrics(row, step=next(step))), mlflow.end_run


def swanlab(folder):
    import swanlab

    swanlab.init(project="p1", mode="offline", logdir=folder)
    return swanlab.log, swanlab.finish


def tensorboardX(folder):
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(folder)
    step = iter(range(10**9))

    def log(row):
        at = next(step)
        for key, value in row.items():
            writer.add_scalar(key, value, at)

    return log, writer.close


def timed(tool, calls, seconds, folder):
    log, finish = globals()[tool](folder)
    took = []
    cpu = time.process_time() + child_cpu()
    begin = time.perf_counter()
    for row in rows(calls):
        before = time.perf_counter()
        log(row)
        after = time.perf_counter()
        took.append(after - before)
        if after - begin > seconds:
            break
    finish()
    total = time.perf_counter() - begin
    cpu = time.process_time() + child_cpu() - cpu
    took.sort()
    return {
        "median_us": statistics.median(took) * 1e6,
        "p99_us": took[int(len(took) * 0.99)] * 1e6,
        "cpu_us": cpu / len(took) * 1e6,
        "durable_us": total / len(took) * 1e6,
        "calls": len(took),
    }


def first(tool, folder):
    before, began = resident(), time.perf_counter()
    log, finish = globals()[tool](folder)
    log(next(rows(1)))
    took = time.perf_counter() - began
    used = resident() + sum(resident(pid) for pid in descendants()) - before
    finish()
    return {"first_log_ms": took * 1e3, "logging_mb": used}


def resident(pid="self"):
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def child_cpu():
    """CPU seconds of children that ended, and of all descendants that are alive."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = sum(sum(map(int, status(pid)[11:15])) for pid in descendants())
    return used.ru_utime + used.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def descendants():
    parents = {
        int(p.name): int(status(p.name)[1]) for p in pathlib.Path("/proc").glob("[0-9]*") if status(p.name)
    }
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def status(pid):
    """Fields of /proc/PID/stat behind the name: state, parent, ...; none when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def killed(calls, folder):
    os.environ["RUNHUE_MODE"] = "offline"
    log, _ = runhue(folder)
    for row in rows(calls):
        log(row)
    os.kill(os.getpid(), signal.SIGKILL)


def recover(folder):
    import runhue
    from runhue._sync import sync

    sync(folder)
    deadline = time.monotonic() + 60
    found = 0
    while time.monotonic() < deadline and found < 5000:
        runs = runhue.Api().runs("p1", order="-created_at")
        found = sum(1 for _ in runs[0].scan_history(keys=[KEYS[0]]))
        time.sleep(0.2)
    return {"rows": found}


def parts(calls, folder):
    import msgspec

    encoder = msgspec.msgpack.Encoder()
    row = next(rows(1))
    payload = encoder.encode(row)
    file = os.open(pathlib.Path(folder) / "runhue-p1-parts", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    import zlib

    told = {
        "msgpack encoding": loop(calls, lambda: encoder.encode(row)),
        "crc32": loop(calls, lambda: zlib.crc32(payload)),
        "write to the page cache": loop(calls, lambda: os.write(file, payload)),
        "clock": loop(calls, time.time),
    }
    os.close(file)
    pathlib.Path(folder, "runhue-p1-parts").unlink()
    return told


def loop(calls, act):
    begin = time.perf_counter()
    for _ in range(calls):
        act()
    return (time.perf_counter() - begin) / calls * 1e6


def main():
    tool, calls, seconds, folder = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    if tool == "runhue-killed":
        killed(calls, folder)
    told = {
        "runhue-recover": lambda: recover(folder),
        "parts": lambda: parts(calls, folder),
        "first": lambda: first(sys.argv[5], folder),
    }.get(tool, lambda: timed(tool, calls, seconds, folder))()
    print(json.dumps(told))


main()
