"""Which faults strike when, all from one seed, so that a failure can be repeated."""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import redis

from runhue_server.stack import Stack

KILLED_PROCESSES = (
    "zygote",
    "ingest",
    "api",
    "aggregation",
    "coloring",
    "media",
    "sweeper",
    "postgres",
    "valkey",
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. `kind` names it, `at` is seconds after the campaign's start."""

    kind: str
    at: float


def plan(source: random.Random, seconds: float, every: float) -> list[Fault]:
    """Every kind of fault at least once, then random ones, about `every` seconds apart."""
    kinds = [f"kill {name}" for name in KILLED_PROCESSES]
    kinds += ["stop postgres at once", "flush redis", "kill trainer"]
    source.shuffle(kinds)
    count = max(len(kinds), int(seconds / every))
    kinds += [source.choice(kinds) for _ in range(count - len(kinds))]
    gap = seconds / (count + 1)
    return [Fault(kind, gap * (i + 1) + source.uniform(-gap / 3, gap / 3)) for i, kind in enumerate(kinds)]


def strike(fault: Fault, stack: Stack, kill_trainer: Callable[[], None]) -> None:
    """Make one fault happen; a process that is down already cannot be killed twice."""
    if fault.kind == "kill trainer":
        kill_trainer()
    elif fault.kind == "flush redis":
        flush(stack)
    elif fault.kind == "stop postgres at once":
        send(stack, "postgres", signal.SIGQUIT)
    else:
        send(stack, fault.kind.removeprefix("kill "), signal.SIGKILL)


def flush(stack: Stack) -> None:
    """Forget all of Redis: queued wake-ups, marks and published events."""
    try:
        redis.Redis.from_url(stack.redis_url, socket_timeout=3).flushall()
    except redis.RedisError:
        return  # it is down itself at the moment


def send(stack: Stack, name: str, number: signal.Signals) -> None:
    """Signal one process of the stack, if it is up."""
    process = stack.processes.get(name)
    if process is not None:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return
