"""What the tables of bad input share: the doors of one running stack, and what must hold around a bad row."""

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from runhue_server.stack import Stack
from runhue_shared.events import LogBatch
from tests.builders import batch_of
from tests.integration.ingest.sender import Sender

PROJECT = "bad-input"
DEADLINE_SECONDS = 60.0
BEFORE, AFTER = 0.25, 0.75
LAST_STEP = 2**62
"""The step of the row behind the bad one."""

_numbers = itertools.count(1)


class Doors:
    """The raw wire and the API of a stack; every run is in `PROJECT`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.wire = Sender(stack.ingest_url, stack.api_key)
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        self.api = httpx.Client(base_url=stack.api_url, headers=headers, timeout=60)

    def close(self) -> None:
        self.wire.http.close()
        self.api.close()

    def new_run(self) -> str:
        """An id that no other test uses."""
        return f"run-{next(_numbers)}"

    def writer(self, run: str, **fields: Any) -> int:  # fields of StartWriter
        return self.wire.new_writer(project=PROJECT, run=run, **fields)

    def get(self, path: str, **params: Any) -> Any:  # an answer's JSON
        answer = self.api.get(f"/api/v1/projects/main/{PROJECT}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, run: str) -> list[dict[str, Any]]:  # JSON
        """Every row of a run of less than 1,000."""
        rows: list[dict[str, Any]] = self.get(f"/runs/{run}/rows")["rows"]
        return rows

    def settled(self, run: str) -> dict[str, Any]:  # JSON
        """The run's health once everything of it is folded."""

        def folded() -> dict[str, Any] | None:
            health: dict[str, Any] = self.get(f"/runs/{run}/health")
            return None if health["pending_batches"] else health

        found: dict[str, Any] = until(folded)
        return found

    def rejections(self, run: str) -> dict[tuple[str, str], int]:
        """How often each (code, field) was refused of the run."""
        return {(told["code"], told["field"]): told["count"] for told in self.settled(run)["rejections"]}

    def log_around(self, run: str, bad: Callable[[int], httpx.Response]) -> httpx.Response:
        """Store a good row, send `bad` (to the writer it is called with, with seq 1), store a good row."""
        writer = self.writer(run)
        assert self.wire.send_rows(writer, [(0, {"loss": BEFORE})]).status_code == 200
        answer = bad(writer)
        seq = 2 if answer.status_code == 200 else 1
        after = self.wire.send_rows(writer, [(LAST_STEP, {"loss": AFTER})], seq)
        assert after.status_code == 200, after.text
        return answer

    def log_batch_around(self, run: str, batch: LogBatch) -> httpx.Response:
        """The same with a well-formed batch of one record, seq 1."""
        return self.log_around(run, lambda writer: self.wire.send(writer, batch))

    def log_values_around(self, run: str, values: Mapping[str, Any]) -> dict[str, Any]:  # what log() takes
        """Log one row between two good ones; returns what is stored of it, without its step 1."""
        assert self.log_batch_around(run, batch_of([(1, values)], 1)).status_code == 200
        self.settled(run)
        before, *between, after = self.rows(run)
        assert (before, after) == ({"_step": 0, "loss": BEFORE}, {"_step": LAST_STEP, "loss": AFTER})
        assert [row.pop("_step") for row in between] in ([1], [])
        return between[0] if between else {}


def only_the_good_rows(doors: Doors, run: str) -> None:
    """The rows around the bad one are stored, and nothing else."""
    assert doors.rows(run) == [{"_step": 0, "loss": BEFORE}, {"_step": LAST_STEP, "loss": AFTER}]


def refused(
    answer: httpx.Response, status: int, code: str, field: str | None, limit: float | None = None
) -> None:
    """A problem that says what, where and what to do, at once."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem.get("field")) == (code, field), problem
    assert problem["detail"], problem
    assert problem["fix"], problem
    assert limit is None or problem["limit"] == limit, problem
    assert answer.elapsed.total_seconds() < 30


def until(question: Callable[[], Any]) -> Any:  # what the question answers
    """The first true answer; fails at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < deadline, f"still {answer!r} after {DEADLINE_SECONDS:g} s"
        time.sleep(0.03)
    return answer


def nested(levels: int) -> Any:  # JSON
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
