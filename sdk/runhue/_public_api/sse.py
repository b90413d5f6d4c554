"""Server-sent events out of bytes, however they are cut.

Source: WHATWG HTML Living Standard, "9.2.6 Interpreting an event stream".
"""

import codecs

from msgspec import Struct

MAX_EVENT_CHARACTERS = 64 * 1024 * 1024


class ServerEvent(Struct, frozen=True):
    """One event; `id` is the last id the stream has named so far."""

    type: str
    data: str
    id: str


class EventTooLarge(Exception):
    """An event without an end in sight; the stream is not one of ours."""


class EventParser:
    """Feed it bytes, take complete events. Comments, which servers send as heartbeats, give none."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._first = True
        self._type = ""
        self._data: list[str] = []
        self._held = 0
        self._id = ""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Events completed by `chunk`.

        Raises:
            EventTooLarge: more than `MAX_EVENT_CHARACTERS` wait for the end of their event.
        """
        text = self._rest + self._decoder.decode(chunk)
        if self._first and text:
            text, self._first = text.removeprefix("\ufeff"), False
        # A \r at the end may be half of \r\n.
        held_back = "\r" if text.endswith("\r") else ""
        lines = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + held_back
        events = [event for line in lines if (event := self._line(line)) is not None]
        if self._held + len(self._rest) > MAX_EVENT_CHARACTERS:
            raise EventTooLarge(f"an event has more than {MAX_EVENT_CHARACTERS} characters")
        return events

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
            self._held += len(value)
        elif field == "event":
            self._type = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> ServerEvent | None:
        type_, data = self._type or "message", self._data
        self._type, self._data, self._held = "", [], 0
        return ServerEvent(type_, "\n".join(data), self._id) if data else None
