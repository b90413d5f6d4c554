"""Server-sent events: order, resuming, resets, and clients that are too slow."""

import json
import socket
import time

import httpx
import pytest
import redis

from runhue_server.api import feed, routes_stream
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.live import publish, stream_key
from tests.integration.api.listening import Listener
from tests.integration.api.stored import Stored, Team


@pytest.fixture
def valkey(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def say(valkey: redis.Redis, project: Stored, number: int, type_: str = "run") -> str:
    return publish(valkey, project.id, type_, json.dumps({"number": number}))


def numbers(listener: Listener) -> list[int]:
    return [json.loads(event.data).get("number") for event in listener.events]


def test_events_come_in_order_with_their_stream_ids(
    api: httpx.Client, project: Stored, valkey: redis.Redis
) -> None:
    """What is published after a client joined reaches it once, in order, under its id in the stream."""
    say(valkey, project, 0)
    listener = Listener(api, f"{project.url}/stream")
    listener.wait_joined()

    ids = [say(valkey, project, number, "points") for number in range(1, 50)]

    heard = listener.wait_for(49)
    assert [event.id for event in heard] == ids
    assert numbers(listener) == list(range(1, 50))
    assert {event.type for event in heard} == {"points"}


@pytest.mark.parametrize("way", ["header", "parameter"])
def test_resuming_hears_what_was_missed(
    api: httpx.Client, project: Stored, valkey: redis.Redis, way: str
) -> None:
    """A client that names its last event gets everything behind it, then what comes."""
    ids = [say(valkey, project, number) for number in range(1_200)]
    options = {"headers": {"Last-Event-ID": ids[99]}} if way == "header" else {"params": {"since": ids[99]}}

    listener = Listener(api, f"{project.url}/stream", **options)
    listener.wait_for(1_100)
    say(valkey, project, 1_200)

    listener.wait_for(1_101)
    assert numbers(listener) == list(range(100, 1_201))


@pytest.mark.parametrize("last", ["1-1", "0-0", "nonsense", "99999999999999-0"])
def test_an_id_that_is_not_there_is_reset(
    api: httpx.Client, project: Stored, valkey: redis.Redis, last: str
) -> None:
    """Whoever asks for an id that is gone or never was is told to fetch afresh, and goes on from now."""
    newest = say(valkey, project, 1)

    listener = Listener(api, f"{project.url}/stream", headers={"Last-Event-ID": last})
    first = listener.wait_for(1)[0]
    say(valkey, project, 2)

    assert (first.type, first.id) == ("reset", newest)
    assert json.loads(listener.wait_for(2)[1].data) == {"number": 2}


def test_an_emptied_redis_resets_who_listens(api: httpx.Client, project: Stored, valkey: redis.Redis) -> None:
    """When the stream is lost under a listening client, it is told with the next event."""
    listener = Listener(api, f"{project.url}/stream")
    listener.wait_joined()
    last = say(valkey, project, 1)
    listener.wait_for(1)

    valkey.delete(stream_key(project.id))
    say_later_than(valkey, project, last)

    assert listener.wait_for(2)[-1].type == "reset"


def say_later_than(valkey: redis.Redis, project: Stored, last: str) -> None:
    """An event of a later millisecond: an emptied stream may give the same id again within one."""
    valkey.xadd(
        stream_key(project.id), {"type": "run", "payload": "{}"}, id=f"{int(last.split('-')[0]) + 1}-0"
    )


def test_a_stream_that_starts_again_in_the_past(
    api: httpx.Client, project: Stored, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was set back cannot keep listeners waiting for ids that never come."""
    monkeypatch.setattr(feed, "BLOCK_MILLISECONDS", 50)
    listener = Listener(api, f"{project.url}/stream")
    listener.wait_joined()
    say(valkey, project, 1)
    listener.wait_for(1)

    valkey.delete(stream_key(project.id))
    valkey.xadd(stream_key(project.id), {"type": "run", "payload": "{}"}, id="5-0")

    assert (listener.wait_for(2)[1].type, listener.last_id) == ("reset", "5-0")


def test_a_broken_connection_to_redis_loses_nothing(
    api: httpx.Client, project: Stored, valkey: redis.Redis
) -> None:
    """The reader connects again where it was; events of the meantime arrive, without a reset."""
    listener = Listener(api, f"{project.url}/stream")
    listener.wait_joined()
    say(valkey, project, 1)
    listener.wait_for(1)

    valkey.client_kill_filter(_type="normal", skipme=True)
    for number in range(2, 30):
        say(valkey, project, number)

    listener.wait_for(29)
    assert numbers(listener) == list(range(1, 30))


def test_a_slow_client_is_reset_and_others_hear_all(
    api: httpx.Client,
    project: Stored,
    valkey: redis.Redis,
    teams: tuple[Team, Team],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that does not read gets a reset in the place of what did not fit its queue."""
    monkeypatch.setattr(feed, "QUEUE_BYTES", 3_000_000)
    url = httpx.URL(str(api.base_url))
    fast = Listener(api, f"{project.url}/stream")
    fast.wait_joined()
    with socket.create_connection((url.host, url.port or 0)) as slow:
        request = (
            f"GET {project.url}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {teams[0].admin}\r\n\r\n"
        )
        slow.sendall(request.encode())
        content = slow.recv(4096)
        assert b"200 OK" in content
        padding = "x" * 150_000  # more in all than the sockets hold
        for number in range(200):
            publish(valkey, project.id, "run", json.dumps({"number": number, "padding": padding}))
            if number % 20 == 0:
                fast.wait_for(number)

        fast.wait_for(200)
        slow.settimeout(20)
        tail = b""
        while b"event: reset" not in tail:
            part = slow.recv(1 << 20)
            assert part, "the connection ended"
            tail = tail[-100:] + part

    assert numbers(fast) == list(range(200))


def test_silence_is_filled(
    api: httpx.Client, project: Stored, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet stream says that it lives and where it stands, so that resuming stays possible."""
    monkeypatch.setattr(routes_stream, "KEEP_ALIVE_SECONDS", 0.05)
    newest = say(valkey, project, 1)

    listener = Listener(api, f"{project.url}/stream")

    listener.wait(lambda heard: heard.comments >= 3)
    assert (listener.last_id, listener.events) == (newest, [])


def test_a_revoked_key_ends_its_streams(
    api: httpx.Client, project: Stored, teams: tuple[Team, Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream does not outlive its key."""
    monkeypatch.setattr(routes_stream, "KEEP_ALIVE_SECONDS", 0.1)
    listener = Listener(api, f"{project.url}/stream", headers={"Authorization": f"Bearer {teams[0].reader}"})
    listener.wait_joined()

    with db.transaction() as tx:
        (key_id,) = tx.execute("SELECT id FROM api_key WHERE name = 'reader' ORDER BY id").fetchone() or (0,)
        keys.revoke(tx, teams[0].id, key_id)

    listener.wait(lambda heard: heard.ended)


def test_other_teams_do_not_hear(them: httpx.Client, project: Stored) -> None:
    """A project's stream is not there for another team."""
    answer = them.get(f"{project.url}/stream")

    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


def test_the_reader_ends_with_its_last_client(
    api: httpx.Client, project: Stored, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens any more: no connection to Redis waits for the project's events."""
    monkeypatch.setattr(routes_stream, "KEEP_ALIVE_SECONDS", 0.05)
    listeners = [Listener(api, f"{project.url}/stream") for _ in range(3)]
    for listener in listeners:
        listener.wait_joined()
    assert reading(valkey) == 1

    for listener in listeners:
        listener.close()

    deadline = time.monotonic() + 20
    while reading(valkey):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def reading(valkey: redis.Redis) -> int:
    """Connections that wait for events."""
    clients = valkey.client_list()
    return sum(client["cmd"] == "xread" for client in clients)
