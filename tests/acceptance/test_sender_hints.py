"""What the server asks of a sender is done, seen from what the server received."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runhue
from runhue_server.stack import Stack

pytestmark = pytest.mark.stack

BATCH_BYTES = 2048
LONG_INTERVAL_MS = 60_000
READABLE = re.compile(r"[a-z]+-[a-z]+-\d+")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A server that asks for small batches, a minute apart."""
    asked = {"RUNHUE_FLUSH_INTERVAL_MS": str(LONG_INTERVAL_MS), "RUNHUE_MAX_BATCH_BYTES": str(BATCH_BYTES)}
    with Stack.temporary(environ={**os.environ, **asked}) as running:
        yield running


def begin(stack: Stack, folder: Path, run: str | None = None) -> runhue.Run:
    settings = runhue.Settings(
        base_url=stack.api_url,
        api_key=stack.api_key,
        dir=folder,
        silent=True,
        console="off",
        metadata=False,
        system_metrics_interval=0,
    )
    return runhue.init(project="hints", id=run, settings=settings)


def until(question: Callable[[], Any], seconds: float = 30) -> Any:  # what the question answers
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)
    return answer


def received(api: runhue.Api, run: str) -> int:
    """Batches that the server took of the run."""
    return sum(writer.received for writer in api.run(f"hints/{run}").health().writers)


def test_batches_are_as_small_as_asked(stack: Stack, tmp_path: Path) -> None:
    """Rows of about 20 kB arrive in at least ten batches when 2 kB are asked for, and all arrive."""
    with begin(stack, tmp_path, "small") as run:
        for step in range(400):
            run.log({f"metric_{key}": step / (key + 7) for key in range(5)})

    with runhue.Api(stack.api_url, stack.api_key) as api:
        until(lambda: len(list(api.run("hints/small").scan_history(keys=["metric_0"]))) == 400)
        assert received(api, "small") >= 10


def test_the_interval_is_waited_for_and_finish_does_not_wait(stack: Stack, tmp_path: Path) -> None:
    """After the first batch the next row stays in the spool for the minute asked for; finish() sends it."""
    with runhue.Api(stack.api_url, stack.api_key) as api, begin(stack, tmp_path, "patient") as run:
        run.log({"acc": 0.1})
        first = until(lambda: received(api, "patient"))
        run.log({"acc": 0.2})
        quiet_until = time.monotonic() + 2
        while time.monotonic() < quiet_until:
            assert received(api, "patient") == first
        began = time.monotonic()
        run.finish()

        assert time.monotonic() - began < LONG_INTERVAL_MS / 1000
        until(lambda: len(list(api.run("hints/patient").scan_history(keys=["acc"]))) == 2)


def test_a_run_without_a_name_gets_one_that_can_be_said(stack: Stack, tmp_path: Path) -> None:
    """Two words and a number, the same in the script and on the server."""
    with begin(stack, tmp_path) as run:
        run.log({"acc": 1.0})

    with runhue.Api(stack.api_url, stack.api_key) as api:
        name = api.run(f"hints/{run.id}").name
    assert READABLE.fullmatch(name)
    assert run.name == name


def test_more_points_than_recommended_are_no_complaint(stack: Stack, tmp_path: Path) -> None:
    """Beyond 10,000 points of a metric nothing is refused, warned of or lost (seed 004)."""
    with begin(stack, tmp_path, "many") as run:
        for step in range(10_050):
            run.log({"loss": 1 / (step + 1)})

    with runhue.Api(stack.api_url, stack.api_key) as api:
        until(
            lambda: (
                {metric.name: metric.n for metric in api.run("hints/many").metrics()}.get("loss") == 10_050
            )
        )
        assert api.run("hints/many").health().rejections == ()
