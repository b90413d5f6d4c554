"""Files of a writer: offered, put and named."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runhue_server.ingest import files
from runhue_server.storage.receive import THREADS
from runhue_shared import db
from runhue_shared.blobs.local import LocalStore
from runhue_shared.db import keys, projects, run_files
from runhue_shared.db.run_files import RunFile
from runhue_shared.settings import settings
from tests.integration.ingest.sender import Sender

CONTENT = b"a picture"


def offer(sender: Sender, writer_id: int | str, **fields: Any) -> httpx.Response:
    """Offer a file, by default one with `CONTENT`."""
    body = {
        "path": "media/a.png",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
        **fields,
    }
    return sender.http.post(f"/ingest/v1/writers/{writer_id}/files", json=body)


def stored_files() -> list[RunFile]:
    """Files of the one run there is."""
    with db.transaction() as tx:
        return run_files.page(tx, 1, 100)


def test_offer_put_offer(sender: Sender) -> None:
    """A file that the team does not have is put where the answer says, and is then stored and named."""
    writer = sender.new_writer()

    first = offer(sender, writer).json()
    assert first["stored"] is False
    assert first["upload_url"].startswith("/storage/")
    assert not stored_files()
    for _ in range(2):
        put = httpx.put(f"{sender.http.base_url}".rstrip("/") + first["upload_url"], content=CONTENT)
        assert put.status_code == 200

    assert offer(sender, writer).json() == {"stored": True}
    (file,) = stored_files()
    assert (file.path, file.sha256.hex(), file.mimetype) == (
        "media/a.png",
        hashlib.sha256(CONTENT).hexdigest(),
        "image/png",
    )


def test_small_files_do_not_wait_for_large_ones(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """While many large files are put together of their parts, others are stored."""
    monkeypatch.setattr(files, "PARTS_FROM", 1)
    read, goes_on = LocalStore.read, threading.Event()

    def read_slowly(*arguments: Any) -> Any:  # as LocalStore.read
        assert goes_on.wait(60)
        yield from read(*arguments)

    writer = sender.new_writer()
    answers = []
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(THREADS):
            content = b"%d" % number
            sha256 = hashlib.sha256(content).hexdigest()
            wanted = offer(
                sender, writer, path=content.decode(), sha256=sha256, size=len(content), parts=True
            )
            parts = wanted.json()["parts"]
            sender.http.put(parts["urls"][0], content=content)
            answers.append((sender.another(), parts["complete_url"]))
        monkeypatch.setattr(LocalStore, "read", read_slowly)
        completing = [pool.submit(one.http.post, address) for one, address in answers]
        try:
            small = offer(sender, writer).json()["upload_url"]
            assert sender.http.put(small, content=CONTENT).status_code == 200
            assert not any(one.done() for one in completing)
        finally:
            goes_on.set()
        assert [one.result(60).status_code for one in completing] == [200] * THREADS
    for one, _ in answers:
        one.http.close()


def test_keys_of_one_project_know_its_bytes_only(sender: Sender) -> None:
    """Who has a key of one project gets nothing for a hash of another project's bytes."""
    sender.http.put(offer(sender, sender.new_writer()).json()["upload_url"], content=CONTENT)
    with db.transaction() as tx:
        team = keys.team_id(tx, "main")
        projects.create_project(tx, team, "apart")
        project = projects.project_id(tx, team, "apart")
        key = keys.create(tx, team, "apart", ["ingest"], keys.pepper(settings()), project_id=project)
    apart = Sender(str(sender.http.base_url), key)
    with apart.http:
        writer = apart.new_writer(project="apart")

        asked = offer(apart, writer).json()
        assert asked["stored"] is False
        apart.http.put(asked["upload_url"], content=CONTENT)

        assert offer(apart, writer).json() == {"stored": True}
        assert offer(apart, writer, path="again").json() == {"stored": True}


def test_known_bytes_are_not_sent_again(sender: Sender) -> None:
    """Bytes that the team has are named at once, also under another path and type."""
    writer = sender.new_writer()
    sender.http.put(offer(sender, writer).json()["upload_url"], content=CONTENT)

    for _ in range(2):
        assert offer(sender, writer, path="b", mimetype="image/x-own").json() == {"stored": True}

    assert [(file.path, file.mimetype) for file in stored_files()] == [
        ("b", "image/x-own"),
        ("media/a.png", "image/png"),
    ]


def test_other_teams_bytes_are_not_known(sender: Sender, other_team: Sender) -> None:
    """A team learns nothing of what another one has stored, and cannot offer for its writers."""
    writer = sender.new_writer()
    sender.http.put(offer(sender, writer).json()["upload_url"], content=CONTENT)

    assert offer(other_team, other_team.new_writer()).json()["stored"] is False
    assert offer(other_team, writer).json()["code"] == "writer_not_found"


def test_wrong_bytes(sender: Sender) -> None:
    """Bytes other than offered are refused at the PUT, and the offer stays open."""
    writer = sender.new_writer()
    address = offer(sender, writer).json()["upload_url"]

    refused = sender.http.put(address, content=b"a pictura")

    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        "hash_mismatch",
        "sha256",
    )
    assert "fix" in refused.json()
    assert offer(sender, writer).json()["stored"] is False


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"path": ""}, 422, "invalid_path", "path"),
        ({"path": "a" * 1025}, 422, "invalid_path", "path"),
        ({"path": "/etc/passwd"}, 422, "invalid_path", "path"),
        ({"path": "a/../../b"}, 422, "invalid_path", "path"),
        ({"path": "a\0b"}, 422, "invalid_path", "path"),
        ({"path": "a\nb"}, 422, "invalid_path", "path"),
        ({"path": 7}, 422, "malformed", "body"),
        ({"sha256": "xyz"}, 422, "malformed", "sha256"),
        ({"size": -1}, 422, "malformed", "size"),
        ({"size": 2**50}, 413, "file_too_large", "size"),
        ({"size": 2**70}, 413, "file_too_large", "size"),
        ({"mimetype": "text/html\r\nX: y"}, 422, "invalid_type", "mimetype"),
    ],
)
def test_refused_offers(sender: Sender, fields: dict[str, Any], status: int, code: str, field: str) -> None:
    """What cannot be stored is refused with the field and what to do."""
    answer = offer(sender, sender.new_writer(), **fields)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (status, code, field)
    assert problem["fix"]


@pytest.mark.parametrize("path", ["a b/ü/✓ #?.txt", "a" * 1024, "..a/b..", "C:\\x"])
def test_odd_paths(sender: Sender, path: str) -> None:
    """Any characters that are text may be in a path."""
    writer = sender.new_writer()
    sender.http.put(offer(sender, writer, path=path).json()["upload_url"], content=CONTENT)

    assert [file.path for file in stored_files()] == [path]


def test_who_may_offer(sender: Sender) -> None:
    """Without a key, for a writer that is not there and for a deleted run nothing is taken."""
    writer = sender.new_writer()
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")

    assert offer(sender, writer).json()["code"] == "run_deleted"
    assert offer(sender, 99).json()["code"] == "writer_not_found"
    assert offer(sender, "x").json()["code"] == "writer_not_found"
    sender.http.headers.pop("authorization")
    assert offer(sender, writer).status_code == 401
