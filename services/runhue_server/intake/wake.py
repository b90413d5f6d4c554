"""Wake-ups leave from here, never from the path of a request."""

import threading
import time
from collections.abc import Collection

import structlog
from prometheus_client import Counter

from runhue_shared.messages import Message
from runhue_shared.queue import enqueue

STOP_SECONDS = 5.0
GAP_SECONDS = 0.05

_failures = Counter("runhue_ingest_wake_failures", "Wake-ups lost because Redis was away; the sweeper heals")
_log = structlog.get_logger(__name__)


class Waker:
    """One thread that sends messages; equal ones are at least `GAP_SECONDS` apart."""

    def __init__(self) -> None:
        self._waiting: set[Message] = set()
        self._due: dict[Message, float] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, for at most `STOP_SECONDS`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(STOP_SECONDS)

    def wake(self, messages: Collection[Message]) -> None:
        """Have these messages sent soon; never waits and never raises."""
        with self._changed:
            if not self._waiting.issuperset(messages):
                self._waiting.update(messages)
                self._changed.notify()

    def _run(self) -> None:
        while messages := self._next():
            for message in messages:
                self._send(message)
                self._due[message] = time.monotonic() + GAP_SECONDS

    def _next(self) -> list[Message]:
        """Messages that are due; waits for one; empty when it is time to stop."""
        with self._changed:
            while True:
                now = time.monotonic()
                self._due = {message: due for message, due in self._due.items() if due > now}
                ready = [message for message in self._waiting if self._stopping or message not in self._due]
                if ready or self._stopping:
                    self._waiting.difference_update(ready)
                    return ready
                soonest = min((self._due[message] for message in self._waiting), default=None)
                self._changed.wait(None if soonest is None else soonest - now)

    def _send(self, message: Message) -> None:
        try:
            enqueue(message)
        except Exception as error:  # noqa: BLE001  # whatever Redis does, the sweeper sends it again
            _failures.inc()
            if not self._failing:
                _log.warning("wake_failed", message=message.wake_key, error=str(error))
            self._failing = True
        else:
            self._failing = False
