"""Server-sent events as bytes. Source: WHATWG HTML Living Standard, "9.2 Server-sent events"."""

import re
from typing import NamedTuple

import msgspec

VERSION = re.compile(r"[0-9]{1,18}")
STREAM_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
COLORING_UPDATED = "coloring.updated"


class Event(NamedTuple):
    """A published event, encoded once for all who hear it. `workspace_id` is 0 when it is of no workspace."""

    id: str
    workspace_id: int
    version: int
    prev_version: int
    frame: bytes


class _Head(msgspec.Struct):
    """What the stream needs to know of a payload."""

    workspace_id: int = 0
    version: int = 0
    prev_version: int = -1


_heads = msgspec.json.Decoder(_Head)


def event_of(stream_id: bytes, fields: dict[bytes, bytes]) -> Event:
    """The event in an entry of a project's stream."""
    type_ = fields.get(b"type", b"message")
    payload = fields.get(b"payload", b"{}")
    head = _head(payload) if type_ == COLORING_UPDATED.encode() else _Head()
    frame = b"id: %b\nevent: %b\ndata: %b\n\n" % (stream_id, type_, b"\ndata: ".join(payload.splitlines()))
    return Event(stream_id.decode(), head.workspace_id, head.version, head.prev_version, frame)


def _head(payload: bytes) -> _Head:
    try:
        return _heads.decode(payload)
    except msgspec.DecodeError:
        return _Head()


def position(stream_id: str) -> bytes:
    """Tells a client where it is without dispatching an event."""
    return b"id: %b\n\n" % stream_id.encode()


def keep_alive(stream_id: str) -> bytes:
    """Says that the connection lives, and where the client is."""
    return b": keep-alive\n" + position(stream_id)


def reset(stream_id: str, why: str) -> bytes:
    """Events may be missing: the client fetches the state afresh and goes on from here."""
    data = msgspec.json.encode({"type": "reset", "reason": why})
    return b"id: %b\nevent: reset\ndata: %b\n\n" % (stream_id.encode(), data)


def order_of(stream_id: str) -> tuple[int, int]:
    """Stream ids compare by this."""
    milliseconds, _, count = stream_id.partition("-")
    return int(milliseconds), int(count)
