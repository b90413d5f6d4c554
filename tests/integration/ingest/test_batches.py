"""The batch route: durable when it says so, and a reason whenever it does not."""

import socket
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runhue_server.ingest.app import Ingest
from runhue_shared import db
from runhue_shared.db import rejections, runs
from runhue_shared.events import decode_batch, encode_batch
from runhue_shared.settings import Settings, settings
from tests.builders import batch_of
from tests.integration.ingest.conftest import key_of, serving
from tests.integration.ingest.sender import Sender
from tests.waiting import eventually


def stored_ranges(writer_id: int) -> list[tuple[int, int]]:
    """(seq_lo, seq_hi) of the writer's batches in the inbox, in order."""
    with db.transaction() as tx:
        return tx.execute(
            "SELECT seq_lo, seq_hi FROM inbox WHERE writer_id = %s ORDER BY id", (writer_id,)
        ).fetchall()


def counts(writer_id: int) -> tuple[int, int, int]:
    """(durable_seq, received, duplicates)."""
    with db.transaction() as tx:
        row = tx.execute(
            "SELECT durable_seq, received, duplicates FROM run_writer WHERE id = %s", (writer_id,)
        ).fetchall()[0]
    return row[0], row[1], row[2]


def test_accepted_batch_is_in_the_inbox_as_it_came(sender: Sender) -> None:
    """The answer 200 comes after the commit, and the stored body decodes to what was sent."""
    writer_id = sender.new_writer()
    batch = batch_of([(0, {"loss": 0.5}), (1, {"loss": 0.25, "note": "ok"})])

    answer = sender.send(writer_id, batch)

    assert answer.status_code == 200
    assert answer.json()["durable_seq"] == 1
    assert answer.json()["applied_seq"] == -1
    with db.transaction() as tx:
        body, crc = tx.execute("SELECT body, crc FROM inbox").fetchall()[0]
    assert decode_batch(body, 10_000) == batch
    assert crc == zlib.crc32(body)


def test_batch_sent_twice_is_stored_once(sender: Sender) -> None:
    """A batch that is durable already is answered 200 and counted as a duplicate."""
    writer_id = sender.new_writer()

    answers = [sender.send_range(writer_id, 0, 4) for _ in range(2)]

    assert [answer.json()["durable_seq"] for answer in answers] == [4, 4]
    assert stored_ranges(writer_id) == [(0, 4)]
    assert counts(writer_id) == (4, 1, 1)


def test_gap_says_what_is_expected(sender: Sender) -> None:
    """A batch that leaves records out is refused with the seq to go on from."""
    writer_id = sender.new_writer()
    sender.send_range(writer_id, 0, 4)

    answer = sender.send_range(writer_id, 7, 9)

    assert (answer.status_code, answer.json()["code"]) == (409, "sequence_gap")
    assert answer.json()["expected_seq"] == 5
    assert stored_ranges(writer_id) == [(0, 4)]


def test_batch_that_is_partly_durable_is_cut_by_its_sender(sender: Sender) -> None:
    """A batch that overlaps what is durable is refused with the seq to cut at, and loses nothing."""
    writer_id = sender.new_writer()
    sender.send_range(writer_id, 0, 4)

    refused = sender.send_range(writer_id, 3, 8)
    again = sender.send_range(writer_id, refused.json()["expected_seq"], 8)

    assert (refused.status_code, refused.json()["expected_seq"]) == (409, 5)
    assert again.json()["durable_seq"] == 8
    assert stored_ranges(writer_id) == [(0, 4), (5, 8)]


def test_answer_steers_the_sender(sender: Sender, server_settings: Settings) -> None:
    """Each answer says how long to collect, how much to send, and whether to stop."""
    writer_id = sender.new_writer()
    with db.transaction() as tx:
        runs.request_stop(tx, 1)

    steering = sender.send_range(writer_id, 0, 0).json()

    assert server_settings.flush_interval_ms <= steering["flush_interval_ms"]
    assert steering["max_batch_bytes"] == server_settings.max_batch_bytes
    assert steering["stop"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seq_lo": ""}, "seq_lo"),
        ({"seq_lo": -1}, "seq_lo"),
        ({"seq_lo": "1.0"}, "seq_lo"),
        ({"seq_hi": 2**40}, "seq_hi"),
        ({"seq_lo": 5, "seq_hi": 4}, "seq_hi"),
        ({"crc": "0xff"}, "X-Runhue-CRC32"),
        ({"crc": 2**32}, "X-Runhue-CRC32"),
        ({"raw_length": ""}, "X-Runhue-Raw-Length"),
        ({"raw_length": 1}, "X-Runhue-Raw-Length"),
        ({"body": b"{}"}, "body"),
        ({"body": b""}, "body"),
    ],
)
def test_malformed_request_names_its_field(sender: Sender, change: dict[str, Any], field: str) -> None:
    """A number that is none, a body that is no zstd and a length that is not the frame's are named."""
    writer_id = sender.new_writer()
    body, raw_length = encode_batch(batch_of([(0, {"loss": 1.0})]))

    answer = sender.send_body(writer_id, **{"body": body, "raw_length": raw_length, **change})

    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, "malformed", field)
    assert problem["fix"]
    assert stored_ranges(writer_id) == []


def test_damaged_body_is_refused(sender: Sender) -> None:
    """A body whose CRC is not the one declared is refused."""
    writer_id = sender.new_writer()
    body, raw_length = encode_batch(batch_of([(0, {"loss": 1.0})]))

    answer = sender.send_body(writer_id, body, raw_length, crc=zlib.crc32(body) ^ 1)

    assert (answer.status_code, answer.json()["code"]) == (422, "crc_mismatch")


def test_refusal_is_counted_on_the_run(sender: Sender) -> None:
    """Batches refused for good are counted by reason where the run's page finds them."""
    writer_id = sender.new_writer()
    body, raw_length = encode_batch(batch_of([(0, {"loss": 1.0})]))

    for _ in range(3):
        sender.send_body(writer_id, body, raw_length, crc=0)

    def counted() -> list[tuple[str, str, int]]:
        with db.transaction() as tx:
            return [(found.code, found.field, found.count) for found in rejections.of_run(tx, 1)]

    assert eventually(lambda: counted() == [("crc_mismatch", "X-Runhue-CRC32", 3)]), counted()


def test_bomb_is_refused_by_what_it_declares(sender: Sender, server_settings: Settings) -> None:
    """A batch that says it unpacks to more than the limit is refused unread."""
    writer_id = sender.new_writer()

    answer = sender.send_body(writer_id, b"x", server_settings.max_decompressed_bytes + 1)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.json()["limit"] == server_settings.max_decompressed_bytes


@pytest.fixture
def small_bodies(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    """An ingest that takes bodies of 1 KiB, within half a second."""
    monkeypatch.setenv("RUNHUE_MAX_BODY_BYTES", "1024")
    settings.cache_clear()
    with serving(Ingest(body_grace=0.5)) as address:
        client = Sender(address, key_of("main", "ingest"))
        with client.http:
            yield client


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_refused_while_it_is_read(small_bodies: Sender, chunked: bool) -> None:
    """The cap holds for a declared length and for a stream that declares none."""
    writer_id = small_bodies.new_writer()
    body = bytes(5000)

    answer = small_bodies.http.post(
        f"/ingest/v1/writers/{writer_id}/batches?seq_lo=0&seq_hi=0",
        content=iter([body[:2500], body[2500:]]) if chunked else body,
        headers={"X-Runhue-CRC32": "0", "X-Runhue-Raw-Length": "5000"},
    )

    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (
        413,
        "body_too_large",
        1024,
    )


def test_body_that_does_not_come_is_given_up(small_bodies: Sender) -> None:
    """A client that sends headers and half of a body is answered 408 and hung up on."""
    writer_id = small_bodies.new_writer()
    request = (
        f"POST /ingest/v1/writers/{writer_id}/batches?seq_lo=0&seq_hi=0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {small_bodies.http.headers['authorization']}\r\nContent-Length: 100\r\n"
        "X-Runhue-CRC32: 0\r\nX-Runhue-Raw-Length: 100\r\n\r\nhalf"
    )
    with socket.create_connection(("127.0.0.1", small_bodies.http.base_url.port or 0), 10) as client:
        client.sendall(request.encode())
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in answer


def test_writer_of_another_team_is_not_found(sender: Sender, other_team: Sender) -> None:
    """A key does not learn that a writer of another team exists."""
    writer_id = sender.new_writer()

    theirs = other_team.send_range(writer_id, 0, 0)
    nobodys = other_team.send_range(writer_id + 1000, 0, 0)

    assert [answer.status_code for answer in (theirs, nobodys)] == [404, 404]
    assert theirs.json()["code"] == nobodys.json()["code"] == "writer_not_found"
    assert stored_ranges(writer_id) == []


def test_writer_of_a_deleted_run_is_told(sender: Sender) -> None:
    """Batches and heartbeats of a deleted run are answered 410."""
    writer_id = sender.new_writer()
    with db.transaction() as tx:
        runs.mark_deleted(tx, 1, "r1")

    answers = [sender.send_range(writer_id, 0, 0), sender.beat(writer_id)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "run_deleted")] * 2


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 401, "unauthenticated"),
        ("Bearer " + "0" * 40, 401, "unauthenticated"),
        ("Basic !!!", 401, "unauthenticated"),
        ("READ", 403, "forbidden"),
    ],
)
def test_key_must_be_good_and_allowed(sender: Sender, authorization: str, status: int, code: str) -> None:
    """No key, an unknown key and a key without the scope are told apart."""
    writer_id = sender.new_writer()
    sender.http.headers["authorization"] = authorization.replace("READ", "Bearer " + key_of("main", "read"))

    answer = sender.send_range(writer_id, 0, 0)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_basic_password_is_a_key(url: str) -> None:
    """Any user name with the key as password is as good as Bearer."""
    with httpx.Client(base_url=url, auth=("anyone", key_of("main", "ingest"))) as client:
        answer = client.post("/ingest/v1/writers/1/heartbeat")

    assert answer.json()["code"] == "writer_not_found"


def test_full_inbox_asks_senders_to_wait(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the high-water mark batches get 429 with Retry-After, and are taken again below it."""
    monkeypatch.setenv("RUNHUE_INBOX_HIGH_WATER_ROWS", "2")
    settings.cache_clear()
    with serving(Ingest()) as address, (client := Sender(address, key_of("main", "ingest"))).http:
        writer_id = client.new_writer()
        for seq in range(3):
            client.send_range(writer_id, seq, seq)
        assert eventually(lambda: client.send_range(writer_id, 0, 0).status_code == 429)
        full = client.send_range(writer_id, 3, 3)
        with db.transaction() as tx:
            tx.execute("DELETE FROM inbox")
        assert eventually(lambda: client.send_range(writer_id, 3, 3).status_code == 200)

    assert (full.json()["code"], full.headers["retry-after"]) == ("inbox_full", "2")
    assert full.json()["limit"] == 2
