"""Server-sent events: what happens in a project, as it happens."""

import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated, NamedTuple

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from redis.exceptions import RedisError
from starlette.responses import StreamingResponse

from runhue_server.api import frames
from runhue_server.api.answers import Streamed
from runhue_server.api.documents import Responses, errors
from runhue_server.api.feed import Client, Feed, Feeds, events_after_version, missed_events
from runhue_server.api.resources import (
    ProjectName,
    Reader,
    TeamName,
    WorkspaceId,
    project_of,
    workspace_of,
)
from runhue_server.web.auth import principal_of
from runhue_server.web.problems import SERVERS_AWAY, Forbidden, Unauthenticated
from runhue_shared import db
from runhue_shared.db.color_settings import WorkspaceUnknown
from runhue_shared.db.colorings import coloring_head
from runhue_shared.db.keys import Principal
from runhue_shared.live import WATCH_TTL_SECONDS, watch_key

router = APIRouter(prefix="/api/v1", tags=["events"])

KEEP_ALIVE_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LONGEST_ID = 100

Since = Annotated[str | None, Query(description="id of the last event seen", max_length=LONGEST_ID)]
SinceVersion = Annotated[
    str | None,
    Query(description="version of the colors held, or id of the last event", max_length=LONGEST_ID),
]
LastEventId = Annotated[str | None, Header(description="id of the last event seen, as browsers send it")]


class Subscription(NamedTuple):
    """What one connection follows: `workspace_id` 0 is the whole project."""

    project_id: int
    workspace_id: int
    since: str | None
    authorization: str


def stream_responses() -> Responses:
    """What a stream answers."""
    return {200: {"description": "events", "content": {"text/event-stream": {}}}, **errors(404)}


@router.get(
    "/projects/{team}/{project}/stream",
    response_class=StreamingResponse,
    responses=stream_responses(),
    summary="Events of a project: run, points, keys, coloring.updated",
)
async def project_stream(
    request: Request,
    principal: Reader,
    team: TeamName,
    project: ProjectName,
    since: Since = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    project_id = await anyio.to_thread.run_sync(_project_id, principal, team, project)
    return await _stream(request, project_id, 0, last_event_id or since)


@router.get(
    "/workspaces/{workspace}/coloring/stream",
    response_class=StreamingResponse,
    responses=stream_responses(),
    summary="coloring.updated of one workspace",
)
async def workspace_stream(
    request: Request,
    principal: Reader,
    workspace: WorkspaceId,
    since: SinceVersion = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    project_id = await anyio.to_thread.run_sync(_workspace_project, principal, workspace)
    return await _stream(request, project_id, workspace, last_event_id or since)


def _project_id(principal: Principal, team: str, project: str) -> int:
    with db.transaction() as tx:
        return project_of(tx, principal, team, project)


def _workspace_project(principal: Principal, workspace: int) -> int:
    with db.transaction() as tx:
        return workspace_of(tx, principal, workspace).project_id


async def _stream(
    request: Request, project_id: int, workspace_id: int, since: str | None
) -> StreamingResponse:
    feeds: Feeds = request.app.state.feeds
    await feeds.redis.ping()  # away: answer 503 while there is still a status to set
    subscription = Subscription(project_id, workspace_id, since, request.headers.get("authorization", ""))
    return Streamed(_events(feeds, subscription), media_type="text/event-stream", headers=HEADERS)


async def _events(feeds: Feeds, subscription: Subscription) -> AsyncGenerator[bytes, None]:
    """First what was missed, then everything as it comes, until the client or its key goes away."""
    client = Client(subscription.workspace_id)
    feed = feeds.of_project(subscription.project_id)
    try:
        try:
            yield await _first(feed, subscription, await feed.join(client))
        except RedisError:  # the client opens the stream again
            return
        due = 0.0
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + KEEP_ALIVE_SECONDS
                if not await _may_go_on(feeds, subscription):
                    return
            yield await client.wait(KEEP_ALIVE_SECONDS) or frames.keep_alive(feed.position)
    finally:
        feed.leave(client)


async def _first(feed: Feed, subscription: Subscription, joined: str) -> bytes:
    """What a client that was away has missed up to where it joined, or a `reset`."""
    since = subscription.since
    if since is None:
        return frames.position(joined)
    if subscription.workspace_id and frames.VERSION.fullmatch(since):
        missed = await _after_version(feed, subscription.workspace_id, int(since), joined)
    elif frames.STREAM_ID.fullmatch(since):
        missed = await missed_events(feed, since, joined)
    else:
        missed = None
    if missed is None:
        return frames.reset(joined, "the events since then are not all there any more")
    heard = [event.frame for event in missed if subscription.workspace_id in (0, event.workspace_id)]
    return b"".join(heard) + frames.position(joined)


async def _after_version(
    feed: Feed, workspace_id: int, version: int, joined: str
) -> list[frames.Event] | None:
    """Events behind a version. Who holds the one in force has missed nothing, however old its event is."""
    if await anyio.to_thread.run_sync(_version, workspace_id) == version:
        return []
    return await events_after_version(feed, workspace_id, version, joined)


def _version(workspace_id: int) -> int | None:
    try:
        with db.transaction() as tx:
            return coloring_head(tx, workspace_id).version
    except WorkspaceUnknown:
        return None


async def _may_go_on(feeds: Feeds, subscription: Subscription) -> bool:
    """Whether the key is still good; says on the way that the workspace is watched."""
    try:
        await principal_of(subscription.authorization, "read")
    except (Unauthenticated, Forbidden):
        return False
    except SERVERS_AWAY:
        return True
    if subscription.workspace_id:
        with suppress(RedisError):
            await feeds.redis.set(watch_key(subscription.workspace_id), b"1", ex=WATCH_TTL_SECONDS)
    return True
