"""One reader per project stream, and the clients that hear it.

A client has a bounded queue; one that falls behind loses it and is told to fetch afresh,
so that memory stays bounded whatever clients do. The reader survives outages of Redis and
tells every client when it cannot prove that nothing was missed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from runhue_server.api.frames import Event, event_of, order_of, reset
from runhue_shared.live import stream_key

START = "0-0"
READ_COUNT = 500
BACKWARDS_COUNT = 50
BLOCK_MILLISECONDS = 5_000
QUEUE_EVENTS = 1_000
QUEUE_BYTES = 16 * 1024 * 1024
FIRST_RETRY, LAST_RETRY = 0.1, 2.0

_log = structlog.get_logger(__name__)

Entries = list[tuple[bytes, dict[bytes, bytes]]]


class Client:
    """What waits for one connection. `workspace_id` 0 hears all of the project."""

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()

    def put(self, event: Event) -> None:
        """Queue an event; a full queue becomes one `reset`."""
        if len(self._frames) >= QUEUE_EVENTS or self._bytes + len(event.frame) > QUEUE_BYTES:
            self.restart(event.id, "the connection is slower than the events")
            return
        self._add(event.frame)

    def restart(self, stream_id: str, why: str) -> None:
        """Forget what waits and tell the client to fetch afresh."""
        self._frames.clear()
        self._bytes = 0
        self._add(reset(stream_id, why))

    def _add(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._bytes += len(frame)
        self._ready.set()

    async def wait(self, seconds: float) -> bytes:
        """Everything that waits, or nothing after `seconds`."""
        if not self._frames:
            self._ready.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._ready.wait()
            except TimeoutError:
                return b""
        content = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        return content


class Feed:
    """A project's stream, read by one task from the first client to the last."""

    def __init__(self, redis_: "redis.asyncio.Redis", project_id: int) -> None:
        self._redis = redis_
        self._key = stream_key(project_id)
        self._clients: dict[int, set[Client]] = {}
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.position = START
        """Id of the last event that went to the clients."""

    async def join(self, client: Client) -> str:
        """From now on the client hears every event behind the returned position.

        Raises:
            redis.RedisError: Redis is away.
        """
        async with self._starting:
            if self._task is None:
                self.position = await self._newest()
                self._task = asyncio.create_task(self._read())
        self._clients.setdefault(client.workspace_id, set()).add(client)
        return self.position

    def leave(self, client: Client) -> None:
        """Stop hearing; with the last client the reader ends."""
        heard = self._clients.get(client.workspace_id, set())
        heard.discard(client)
        if not heard:
            self._clients.pop(client.workspace_id, None)
        if not self._clients:
            self.stop()

    def stop(self) -> None:
        """End the reader."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def holds(self, stream_id: str) -> bool:
        """Whether the stream still has that entry, so that everything behind it is there too.

        An empty stream is as good as its own start.

        Raises:
            redis.RedisError: Redis is away.
        """
        if stream_id == START:
            return await self._newest() == START
        return bool(await self.between(stream_id, stream_id, 1))

    async def between(self, first: str, last: str, count: int | None = None) -> Entries:
        """Entries of the stream from `first` to `last`, both included; `(` before an id leaves it out."""
        found = await cast("Awaitable[Any]", self._redis.xrange(self._key, first, last, count))
        return cast("Entries", found)

    async def backwards(self, before: str, count: int) -> Entries:
        """The newest `count` entries up to `before`, newest first."""
        found = await cast("Awaitable[Any]", self._redis.xrevrange(self._key, before, "-", count))
        return cast("Entries", found)

    async def _newest(self) -> str:
        newest = await self.backwards("+", 1)
        return newest[0][0].decode() if newest else START

    async def _read(self) -> None:
        delay, continuous = FIRST_RETRY, True
        while True:
            try:
                if not continuous:
                    await self._resume("the event server was away")
                    continuous = True
                await self._read_some()
                delay = FIRST_RETRY
            except (RedisError, OSError) as error:
                _log.warning("event_stream_lost", stream=self._key, error=str(error))
                continuous = False
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)

    async def _read_some(self) -> None:
        since = self.position
        found = await cast(
            "Awaitable[Any]", self._redis.xread({self._key: since}, READ_COUNT, BLOCK_MILLISECONDS)
        )
        if not found:
            await self._resume("the stream was emptied")
            return
        # A stream that was emptied or cut behind our back has newer entries and not the last one we saw.
        lost = since != START and not await self.holds(since)
        entries: Entries = found[0][1]
        for stream_id, fields in entries:
            self._deliver(event_of(stream_id, fields))
        self.position = entries[-1][0].decode()
        if lost:
            self._restart_all("the stream was cut")

    async def _resume(self, why: str) -> None:
        """After an outage or a silence: go on where we were, or from the newest entry when that is gone.

        A stream made anew while the clock was set back has entries that reading on would never see.
        """
        if await self.holds(self.position):
            return
        self.position = await self._newest()
        self._restart_all(why)

    def _deliver(self, event: Event) -> None:
        for workspace_id in {0, event.workspace_id}:
            for client in self._clients.get(workspace_id, ()):
                client.put(event)

    def _restart_all(self, why: str) -> None:
        for clients in self._clients.values():
            for client in clients:
                client.restart(self.position, why)


class Feeds:
    """The process's feeds, one for each project that someone follows."""

    def __init__(self, redis_: "redis.asyncio.Redis") -> None:
        self.redis = redis_
        self._feeds: dict[int, Feed] = {}

    def of_project(self, project_id: int) -> Feed:
        """The project's feed; it reads while it has clients."""
        return self._feeds.setdefault(project_id, Feed(self.redis, project_id))

    async def close(self) -> None:
        """End every reader and the connections."""
        for feed in self._feeds.values():
            feed.stop()
        await self.redis.aclose()


async def missed_events(feed: Feed, since: str, until: str) -> list[Event] | None:
    """Events behind `since` up to `until`; None when the stream cannot prove that these are all."""
    if since == until:
        return []
    if not await feed.holds(since):
        return None
    found: list[Event] = []
    first = since
    while order_of(first) < order_of(until):
        entries = await feed.between(f"({first}", until, READ_COUNT)
        if not entries:
            break
        found += [event_of(stream_id, fields) for stream_id, fields in entries]
        first = found[-1].id
    return found


async def events_after_version(feed: Feed, workspace_id: int, version: int, until: str) -> list[Event] | None:
    """The workspace's events behind `version` up to `until`; None when the stream does not reach so far."""
    found: list[Event] = []
    before = until
    while entries := await feed.backwards(before, BACKWARDS_COUNT):
        for stream_id, fields in entries:
            event = event_of(stream_id, fields)
            if event.workspace_id != workspace_id:
                continue
            if event.version == version:
                return found[::-1]
            if event.version < version:
                return None
            found.append(event)
            if event.prev_version == version:
                return found[::-1]
        before = f"({entries[-1][0].decode()}"
    return None
