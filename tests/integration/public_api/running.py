"""A running stack, and runs logged to it from this process."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import runhue
from runhue._public_api import Api
from runhue._settings import Settings
from runhue_server.stack import Stack

Answer = TypeVar("Answer")

DEADLINE_SECONDS = 60.0
_numbers = itertools.count(1)


def until(question: Callable[[], Answer], seconds: float = DEADLINE_SECONDS) -> Answer:
    """The first true answer; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.05)
    return answer


def new_project() -> str:
    """A name that no other test uses."""
    return f"project-{next(_numbers)}"


class Lab:
    """Logs runs to a stack and reads them back."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.api = Api(stack.api_url, stack.api_key)
        self._folder = folder

    def settings(self) -> Settings:
        """Where the runs of this process go."""
        return Settings(
            base_url=self.stack.api_url,
            api_key=self.stack.api_key,
            dir=self._folder,
            silent=True,
            console="off",
            metadata=False,
            system_metrics_interval=0,
        )

    def log(
        self,
        project: str,
        run_id: str,
        rows: Iterable[Mapping[str, Any]] = (),
        **options: Any,  # of runhue.init
    ) -> None:
        """Log a run, one row a step, and wait until everything of it is folded."""
        with runhue.init(project, id=run_id, settings=self.settings(), reinit="create_new", **options) as run:
            for row in rows:
                run.log(row)
        until(lambda: self.is_folded(project, run_id))

    def is_folded(self, project: str, run_id: str) -> bool:
        """Whether everything that is durable of a finished run can be read."""
        run = self.api.run(f"{project}/{run_id}")
        return run.state != "running" and run.health().pending_batches == 0
