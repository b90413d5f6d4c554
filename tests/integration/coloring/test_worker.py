"""The coloring worker: handlers, how often scales are flushed, and the way of events to their stream."""

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from runhue_server.coloring import schedule, tasks
from runhue_server.coloring.relay import publish_outbox
from runhue_shared import live
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.db import colors, outbox
from runhue_shared.db.colorings import coloring_head, count_buckets, read_coloring
from runhue_shared.db.workspaces import note_read
from runhue_shared.messages import OutboxFilled, ScalesDirty
from runhue_shared.queue import redis_client
from runhue_shared.settings import Settings
from tests.integration.coloring.logged_project import LoggedProject, check_colors, project_in

ACC = {"key": {"source": "metric", "name": "acc"}}


@pytest.fixture
def project(server_settings: Settings) -> Iterator[LoggedProject]:
    made = project_in(server_settings.database_url)
    yield made
    made.tx.close()


def stream_of(project: LoggedProject) -> list[tuple[str, dict[str, Any]]]:
    """Types and payloads of the project's stream, in order."""
    entries: Any = redis_client().xrange(live.stream_key(project.id))  # redis-py types sync and async as one
    return [(fields[b"type"].decode(), json.loads(fields[b"payload"])) for _, fields in entries]


def settle(project: LoggedProject) -> None:
    """Let every interval have passed, then recolor."""
    project.tx.execute("UPDATE scale SET flushed_at = flushed_at - interval '1 hour'")
    tasks.recolor(ScalesDirty())


def test_handler_recolors_and_publishes(project: LoggedProject) -> None:
    """A wake-up brings marked runs to the stream; a second one repeats nothing."""
    workspace = project.workspace(ACC)
    project.log("r1", "acc", {0: 0.5})
    project.log("r2", "acc", {0: 0.7})

    settle(project)
    settle(project)

    check_colors(project.tx, workspace, project.reference(parse_settings(ACC)))
    published = [event for _, event in stream_of(project) if event["workspace_id"] == workspace]
    assert [event["version"] for event in published] == [1, 2]
    assert not outbox.is_filled(project.tx)


def test_every_kind_of_event_is_published_in_order(project: LoggedProject) -> None:
    """Events of other services go the same way, in the order in which they were appended."""
    for number in range(5):
        outbox.append(project.tx, project.team_id, project.id, "points", json.dumps({"number": number}))

    tasks.publish_events(OutboxFilled())
    tasks.publish_events(OutboxFilled())

    assert stream_of(project) == [("points", {"number": number}) for number in range(5)]


def test_events_wait_while_redis_is_away(project: LoggedProject, tmp_path: object) -> None:
    """Colors go on without Redis; the events are published once it is back."""
    workspace = project.workspace(ACC)
    project.log("r1", "acc", {0: 0.5})
    away = redis.Redis(unix_socket_path=f"{tmp_path}/nobody.sock")
    project.tx.execute("UPDATE scale SET flushed_at = flushed_at - interval '1 hour'")

    assert not schedule.recolor_due_scales(away)

    assert coloring_head(project.tx, workspace).version == 2
    assert outbox.is_filled(project.tx)
    publish_outbox(redis_client())
    assert [event["version"] for _, event in stream_of(project) if event["workspace_id"] == workspace] == [
        1,
        2,
    ]


def test_event_of_a_relay_that_died_is_published_again(project: LoggedProject) -> None:
    """A relay that dies between publishing and deleting repeats events and loses none."""
    outbox.append(project.tx, project.team_id, project.id, "run", '{"n": 1}')
    with psycopg.connect(project.tx.info.dsn) as dying:
        outbox.lock_relay(dying)
        for event in outbox.oldest(dying, 10):
            live.publish(redis_client(), event.project_id, event.type, event.payload)
        dying.rollback()

    publish_outbox(redis_client())

    assert [event["n"] for _, event in stream_of(project)] == [1, 1]


def test_unread_colors_wait_longer_than_watched_ones(project: LoggedProject) -> None:
    """Flushes are 30 s apart when nobody reads, 1 s when someone did, 0.25 s while someone watches."""
    workspace = project.workspace(ACC)
    schedule.recheck_new_scales(set())
    project.log("r1", "acc", {0: 0.5})
    project.flush()
    project.log("r1", "acc", {1: 0.6})
    (unread,) = [scale for scale in colors.waiting_scales(project.tx) if workspace in scale.workspace_ids]

    assert not schedule.recolor_due_scales(redis_client())
    assert coloring_head(project.tx, workspace).version == 2

    note_read(project.tx, workspace)
    note_read(project.tx, workspace)
    (read,) = [scale for scale in colors.waiting_scales(project.tx) if workspace in scale.workspace_ids]

    assert colors.interval_of(unread, watched=False) == 30.0
    assert colors.interval_of(read, watched=False) == 1.0
    assert colors.interval_of(read, watched=True) == 0.25
    assert 20 < unread.due_in(30.0) <= 30


def test_watched_colors_are_waited_for(project: LoggedProject) -> None:
    """What is due within 0.3 s is flushed by the same wake-up, not before its time."""
    workspace = project.workspace(ACC)
    project.log("r1", "acc", {0: 0.5})
    project.flush()
    live.mark_watched(redis_client(), workspace)
    flushed = time.monotonic()
    project.log("r1", "acc", {1: 0.6})

    tasks.recolor(ScalesDirty())

    assert coloring_head(project.tx, workspace).version == 3
    assert time.monotonic() - flushed > 0.15


def test_clock_set_back_delays_nothing(project: LoggedProject) -> None:
    """Marks and flushes that seem to lie in the future are due at once."""
    workspace = project.workspace(ACC)
    project.log("r1", "acc", {0: 0.5})
    project.tx.execute("UPDATE scale SET flushed_at = flushed_at + interval '1 day'")
    project.tx.execute("UPDATE scale_dirty SET marked_at = marked_at + interval '1 day'")

    assert colors.dirty_scales_due(project.tx)
    tasks.recolor(ScalesDirty())

    assert coloring_head(project.tx, workspace).version == 2


def test_scale_that_cannot_be_flushed_holds_up_no_other(project: LoggedProject) -> None:
    """One scale with a filter that fails is logged and left; the others of the batch are recolored."""
    broken = project.workspace(ACC, search="x")
    whole = project.workspace(ACC)
    project.log("r1", "acc", {0: 0.5})
    project.tx.execute("UPDATE scale SET search = '(' WHERE search = 'x'")

    settle(project)

    assert coloring_head(project.tx, broken).version == 1
    check_colors(project.tx, whole, project.reference(parse_settings(ACC)))


def test_new_scales_are_rechecked_once(project: LoggedProject) -> None:
    """A wake-up looks at the runs of new scales once more, and then no more."""
    workspace = project.workspace(ACC)
    assert colors.dirty_scales_due(project.tx)

    tasks.recolor(ScalesDirty())
    tasks.recolor(ScalesDirty())

    assert not colors.dirty_scales_due(project.tx)
    assert coloring_head(project.tx, workspace).version == 1


def test_huge_scales_are_counted_now_and_then(
    project: LoggedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts and quantiles of a huge scale are taken at most every ten seconds, and say as of when."""
    for module in ("colorings", "legends"):
        monkeypatch.setattr(f"runhue_shared.db.{module}.MANY_VALUES", 3)
    workspace = project.workspace({**ACC, "scale": "quantile", "buckets": 2})
    for index in range(4):
        project.log(f"r{index}", "acc", {0: index})
    project.flush()
    assert read_coloring(project.tx, workspace).counts is None
    count_buckets(project.tx, project.scale_ids())
    first = read_coloring(project.tx, workspace)
    assert (first.counts, first.counts_as_of is None) == ((2, 2), False)

    for index in range(4):
        project.log(f"r{index}", "acc", {1: 10 + index})
    project.flush()
    count_buckets(project.tx, project.scale_ids())
    second = read_coloring(project.tx, workspace)
    assert (second.legend, second.counts, second.counts_as_of) == (first.legend, (2, 2), first.counts_as_of)
    assert second.head.version == first.head.version + 1

    for table, column in (
        ("scale_dirty", "marked_at"),
        ("workspace_coloring", "cut_at"),
        ("workspace_coloring", "counts_as_of"),
    ):
        project.tx.execute(f"UPDATE {table} SET {column} = {column} - interval '11 seconds'")
    project.flush()
    count_buckets(project.tx, project.scale_ids())
    third = read_coloring(project.tx, workspace)
    assert (third.legend.thresholds, third.counts) == ((12.0,), (2, 2))
