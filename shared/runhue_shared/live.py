"""Published events: one Redis stream a project, read by SSE and by programs.

An event's id is its stream id. Streams are bounded; a reader that asks for an id that
is gone is told so (`is_gone`) and fetches the state afresh.
"""

from typing import Any

import redis

STREAM_LENGTH = 10_000
STREAM_TTL_SECONDS = 7 * 24 * 3600
WATCH_TTL_SECONDS = 60


def stream_key(project_id: int) -> str:
    """Name of a project's stream."""
    return f"runhue:events:{project_id}"


def publish(client: "redis.Redis", project_id: int, type_: str, payload: str) -> str:
    """Append one event; `payload` is JSON. Returns its stream id."""
    key = stream_key(project_id)
    fields: dict[Any, Any] = {"type": type_, "payload": payload}
    stream_id: bytes = client.xadd(key, fields, maxlen=STREAM_LENGTH, approximate=True)  # type: ignore[assignment]  # redis-py types sync and async as one
    client.expire(key, STREAM_TTL_SECONDS)
    return stream_id.decode()


def watch_key(workspace_id: int) -> str:
    """Redis key that exists while someone watches the workspace's colors."""
    return f"runhue:watch:{workspace_id}"


def mark_watched(client: "redis.Redis", workspace_id: int) -> None:
    """Say that someone watches; good for `WATCH_TTL_SECONDS`."""
    client.set(watch_key(workspace_id), b"1", ex=WATCH_TTL_SECONDS)
