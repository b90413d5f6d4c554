"""Many small files of a writer in one request."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runhue_shared import db
from runhue_shared.db import run_files
from tests.integration.ingest.sender import Sender
from tests.waiting import eventually

CONTENTS = {f"media/images/{number}.png": b"picture %d" % (number % 3) for number in range(5)}


def offers(contents: dict[str, bytes]) -> list[dict[str, Any]]:
    """What is said of each file ahead of the bytes."""
    return [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in contents.items()
    ]


def packed(head: object, content: bytes) -> bytes:
    """The body of a request."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "little") + text + content


def send(sender: Sender, writer: int | str, body: bytes) -> httpx.Response:
    """Send a pack."""
    return sender.http.post(f"/ingest/v1/writers/{writer}/file-packs", content=body)


def stored() -> dict[str, str]:
    """Path and hash of the files of the one run there is."""
    with db.transaction() as tx:
        return {file.path: file.sha256.hex() for file in run_files.page(tx, 1, 100)}


def test_all_files_of_a_pack_are_stored_and_named(sender: Sender) -> None:
    """A pack sent twice has the effect of one; files with equal bytes are among its files."""
    writer = sender.new_writer()
    body = packed(offers(CONTENTS), b"".join(CONTENTS.values()))

    for _ in range(2):
        answer = send(sender, writer, body)
        assert answer.status_code == 200
        assert answer.json() == {"files": [{"stored": True}] * len(CONTENTS)}

    assert stored() == {path: hashlib.sha256(content).hexdigest() for path, content in CONTENTS.items()}


def test_packs_of_several_processes_for_the_same_paths(sender: Sender) -> None:
    """Files are named in the order of their paths, whatever their hashes: packs never wait in a circle."""
    writer = sender.new_writer()
    first, second = sorted((b"1", b"2"), key=lambda content: hashlib.sha256(content).digest())
    contents = {"a.txt": second, "b.txt": first}
    body = packed(offers(contents), b"".join(contents.values()))
    send(sender, writer, body)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as tx:
            lock = "SELECT FROM run_file WHERE path = %s FOR UPDATE"
            tx.execute(lock, ("a.txt",))
            answer = pool.submit(send, sender, writer, body)
            assert eventually(somebody_waits)
            assert tx.execute(f"{lock} SKIP LOCKED", ("b.txt",)).rowcount == 1

        assert answer.result(30).json() == {"files": [{"stored": True}] * 2}


def somebody_waits() -> bool:
    with db.transaction() as tx:
        return tx.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount > 0


def test_a_refused_file_does_not_stop_the_others(sender: Sender) -> None:
    """Each file has an answer of its own: a bad path and bytes other than announced are refused for good."""
    contents = {"a.txt": b"a", "../b.txt": b"b", "c.txt": b"c", "d.txt": b""}
    head = offers(contents)
    head[2]["sha256"] = "0" * 64

    files = send(sender, sender.new_writer(), packed(head, b"".join(contents.values()))).json()["files"]

    assert [file["stored"] for file in files] == [True, False, False, True]
    assert [file.get("code") for file in files] == [None, "invalid_path", "hash_mismatch", None]
    assert all(file["status"] == 422 and file["detail"] for file in files[1:3])
    assert sorted(stored()) == ["a.txt", "d.txt"]


def test_the_last_of_a_path_is_named(sender: Sender) -> None:
    """Two files of one pack under one path are as two uploads one after the other."""
    head = [*offers({"a.txt": b"first"}), *offers({"a.txt": b"then"})]

    assert send(sender, sender.new_writer(), packed(head, b"firstthen")).status_code == 200

    assert stored() == {"a.txt": hashlib.sha256(b"then").hexdigest()}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no list"),
        (b"\xff\xff\xff\xff[]", "cut off"),
        (packed([], b""), "0 files"),
        (packed({"path": "a"}, b""), "Expected `array`"),
        (packed(offers({"a": b"abc"}), b"ab"), "do not add up"),
        (packed(offers({"a": b"abc"}), b"abcd"), "do not add up"),
        (packed([{"path": "a", "sha256": "0" * 64, "size": -3}], b""), "do not add up"),
        (packed(offers({str(number): b"" for number in range(257)}), b""), "257 files"),
        (packed([{"path": "\udc80", "sha256": "0" * 64, "size": 0}], b""), "surrogate"),
    ],
)
def test_what_is_no_pack_is_refused(sender: Sender, body: bytes, says: str) -> None:
    """A body that is cut off or contradicts itself stores nothing and says why."""
    answer = send(sender, sender.new_writer(), body)

    assert answer.status_code == 422 or answer.status_code == 400
    problem = answer.json()
    assert problem["field"] == "body"
    assert problem["fix"]
    assert says == "no list" or says in problem["detail"]
    assert stored() == {}


def test_packs_need_a_writer_of_the_team(sender: Sender, other_team: Sender) -> None:
    """Nobody stores files for a writer that the key does not reach."""
    writer = sender.new_writer()
    body = packed(offers(CONTENTS), b"".join(CONTENTS.values()))

    assert send(other_team, writer, body).status_code == 404
    assert send(sender, 987654, body).status_code == 404
    assert (
        sender.http.post(
            f"/ingest/v1/writers/{writer}/file-packs", content=body, headers={"Authorization": ""}
        ).status_code
        == 401
    )
    assert stored() == {}


def test_a_pack_over_the_limit_is_refused(sender: Sender) -> None:
    """More than 8 MiB are refused by their announced length, with the limit."""
    content = bytes(9 * 1024 * 1024)

    answer = send(sender, sender.new_writer(), packed(offers({"a": content}), content))

    assert (answer.status_code, answer.json()["limit"]) == (413, 8 * 1024 * 1024)
