"""Wake-ups leave from here, never from the path of a request."""

import threading
from collections.abc import Iterable

import structlog
from prometheus_client import Counter

from runhue_shared.messages import Message
from runhue_shared.queue import enqueue

STOP_SECONDS = 5.0

_failures = Counter("runhue_ingest_wake_failures", "Wake-ups lost because Redis was away; the sweeper heals")
_log = structlog.get_logger(__name__)


class Waker:
    """One thread that sends messages; equal ones that wait are one."""

    def __init__(self) -> None:
        self._waiting: dict[Message, None] = {}
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

    def wake(self, messages: Iterable[Message]) -> None:
        """Have these messages sent soon; never waits and never raises."""
        with self._changed:
            self._waiting.update(dict.fromkeys(messages))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                messages, self._waiting = self._waiting, {}
            if not messages:
                return
            for message in messages:
                self._send(message)

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
