"""A client of server-sent events that says what it heard, within a deadline."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

SECONDS = 20.0


@dataclass(frozen=True)
class Heard:
    """One event."""

    id: str
    type: str
    data: str


class Listener:
    """Reads a stream in a thread until it is closed."""

    def __init__(self, api: httpx.Client, path: str, **options: Any) -> None:
        self.events: list[Heard] = []
        self.comments = 0
        self.last_id = ""
        self.status = 0
        self.ended = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(api, path, options), daemon=True)
        self._thread.start()

    def _read(self, api: httpx.Client, path: str, options: dict[str, Any]) -> None:
        try:
            with (
                suppress(httpx.HTTPError),  # the server ends before its listeners
                httpx.Client(base_url=api.base_url, headers=api.headers, timeout=60) as client,
                client.stream("GET", path, **options) as answer,
            ):
                self.status = answer.status_code
                self._take(answer)
        finally:
            with self._changed:
                self.ended = True
                self._changed.notify_all()

    def _take(self, answer: httpx.Response) -> None:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if self._closing:
                return
            name, _, value = line.partition(": ")
            with self._changed:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    fields[name] = value
                    self.last_id = fields.get("id", self.last_id)
                else:
                    if "data" in fields:
                        self.events.append(
                            Heard(self.last_id, fields.get("event", "message"), fields["data"])
                        )
                    fields = {}
                self._changed.notify_all()

    def wait(self, done: Callable[["Listener"], bool]) -> None:
        """Until `done(self)`; fails after 20 s."""
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while not done(self):
                left = deadline - time.monotonic()
                assert left > 0, f"heard only {self.events[-5:]}, last id {self.last_id!r}"
                self._changed.wait(min(left, 0.1))

    def wait_for(self, count: int) -> list[Heard]:
        """The events, once there are `count`."""
        self.wait(lambda heard: len(heard.events) >= count)
        return self.events

    def wait_joined(self) -> None:
        """Until the server said where the stream stands."""
        self.wait(lambda heard: heard.last_id != "")

    def close(self) -> None:
        """The reader ends with the next line it hears."""
        self._closing = True
