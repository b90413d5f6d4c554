"""Uploads and downloads that go straight to the bucket, and what is taken over of them."""

import hashlib
import os
import time

import httpx
import pytest

from runhue_server.storage import tokens, uploads
from runhue_server.storage.named_files import file_of_run
from runhue_server.storage.problems import FileNotFound
from runhue_server.storage.send import REDIRECT_BYTES
from runhue_server.storage.targets import BlobOnly, RunFileAt
from runhue_server.storage.uploads import Upload, run_owner
from runhue_server.sweeper import stored_bytes
from runhue_shared import db
from runhue_shared.blobs.store import Expected
from runhue_shared.db import blobs, run_files
from runhue_shared.settings import Settings
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import LoggedRun

BASE = "http://runhue.example"


@pytest.fixture(autouse=True)
def in_bucket(server_settings: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are kept in the bucket."""
    bucket.use(monkeypatch)


def address_for(run: LoggedRun, path: str = "a.txt", expected: Expected | None = None) -> str:
    """Where to put a file of the run."""
    target = RunFileAt(run.id, path, "text/plain")
    upload = Upload(run_owner(run.id), path, target, expected or Expected())
    return uploads.addresses(run.team_id, [upload], BASE)[0]


def paths_of(run: LoggedRun) -> list[str]:
    """What the run has, without looking for uploads."""
    with db.transaction() as tx:
        return [file.path for file in run_files.page(tx, run.id, 100)]


def waiting() -> int:
    """Uploads that are not taken over."""
    with db.transaction() as tx:
        (number,) = tx.execute("SELECT count(*) FROM direct_upload").fetchone() or (0,)
    return int(number)


def test_named_upload_becomes_a_file(run: LoggedRun, bucket: Bucket, http: httpx.Client) -> None:
    """What a client put at the bucket is the run's file once it says so, twice or once."""
    address = address_for(run)
    assert address.startswith(bucket.endpoint)
    httpx.put(address, content=b"abc")
    assert paths_of(run) == []

    for _ in range(2):
        uploads.adopt(run.team_id, run_owner(run.id), ["a.txt", "never asked", "\0"])

    assert (paths_of(run), waiting()) == (["a.txt"], 0)
    assert [key.split("/")[0] for key in bucket.objects()] == ["blobs"]
    answer = http.get(f"/files/{run.team}/{run.project}/{run.name}/a.txt", auth=("api", run.key))
    assert answer.content == b"abc"


def test_reading_finds_what_nobody_announced(run: LoggedRun) -> None:
    """A file that is asked for is looked for in the bucket first."""
    httpx.put(address_for(run), content=b"abc")
    address_for(run, "never came")

    assert file_of_run(run.team_id, run.id, "a.txt").size == 3
    with pytest.raises(FileNotFound):
        file_of_run(run.team_id, run.id, "never came")
    assert waiting() == 1


def test_last_put_wins(run: LoggedRun) -> None:
    """Of several uploads to one path the one asked for last is what stays."""
    addresses = [address_for(run) for _ in range(3)]
    for address, content in zip(addresses, (b"one", b"two!", b"three"), strict=True):
        httpx.put(address, content=content)

    assert file_of_run(run.team_id, run.id, "a.txt").size == 5
    assert waiting() == 0


def test_some_of_many(run: LoggedRun) -> None:
    """Of many uploads that are on their way those that came are taken over, and others wait."""
    addresses = [address_for(run, str(number)) for number in range(9)]
    for address in addresses[::2]:
        httpx.put(address, content=b"abc")

    uploads.adopt(run.team_id, run_owner(run.id))

    assert (paths_of(run), waiting()) == (["0", "2", "4", "6", "8"], 4)


def test_wrong_bytes_are_thrown_away(run: LoggedRun, bucket: Bucket) -> None:
    """Bytes other than announced never become a file, and leave the bucket."""
    httpx.put(address_for(run, expected=Expected(sha256=b"x" * 32)), content=b"abc")

    uploads.adopt(run.team_id, run_owner(run.id))

    assert (paths_of(run), waiting(), bucket.objects()) == ([], 0, {})


def test_upload_to_a_deleted_run_is_thrown_away(run: LoggedRun, bucket: Bucket) -> None:
    """What comes for a run that is gone is not kept as a file."""
    httpx.put(address_for(run), content=b"abc")
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now()")

    uploads.adopt(run.team_id, run_owner(run.id))

    assert (paths_of(run), waiting()) == ([], 0)
    assert not bucket.objects("incoming")


def test_crash_between_bytes_and_row_names_nothing(
    run: LoggedRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies before its rows are committed leaves the upload to be taken over again."""
    httpx.put(address_for(run), content=b"abc")

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            uploads.adopt(run.team_id, run_owner(run.id))
    assert (paths_of(run), waiting()) == ([], 1)

    assert file_of_run(run.team_id, run.id, "a.txt").size == 3
    assert (waiting(), [key.split("/")[0] for key in bucket.objects()]) == (0, ["blobs"])


def test_changed_after_it_was_hashed(run: LoggedRun) -> None:
    """Bytes put once more at the same address change nothing of the file that was taken over."""
    address = address_for(run)
    httpx.put(address, content=b"abc")
    file = file_of_run(run.team_id, run.id, "a.txt")

    httpx.put(address, content=b"xyz")

    assert file_of_run(run.team_id, run.id, "a.txt").sha256 == file.sha256


def test_sweeping_takes_over_and_gives_up(run: LoggedRun, bucket: Bucket) -> None:
    """Later, what came is taken over whoever forgot it, and what never came is forgotten."""
    address = address_for(run)
    httpx.put(address, content=b"abc")
    address_for(run, "never came")

    uploads.sweep()
    assert (paths_of(run), waiting()) == ([], 2)
    for _ in range(2):
        uploads.sweep(age=-60)
    assert (paths_of(run), waiting()) == (["a.txt"], 1)
    httpx.put(address, content=b"xyz")
    with db.transaction() as tx:
        tx.execute("UPDATE direct_upload SET created_at = now() - interval '3 days'")
    uploads.sweep(age=-60)
    assert waiting() == 0
    assert not bucket.objects("incoming")
    assert file_of_run(run.team_id, run.id, "a.txt").size == 3


def test_the_sweeper_sweeps(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper's chore takes over what came, without holding up the others."""
    monkeypatch.setattr(uploads.sweep, "__defaults__", (-60.0,))
    httpx.put(address_for(run), content=b"abc")

    deadline = time.monotonic() + 20
    while paths_of(run) != ["a.txt"]:
        assert stored_bytes.sweep_uploads() == []
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with stored_bytes._uploads._busy:  # its thread has ended
        assert waiting() == 0


def test_bytes_without_a_name(run: LoggedRun) -> None:
    """Bytes that are found by their hash later are a blob of the team."""
    md5 = hashlib.md5(b"abc", usedforsecurity=False).digest()
    upload = Upload("artifact:1", "a", BlobOnly(), Expected(md5=md5))
    (address,) = uploads.addresses(run.team_id, [upload], BASE)
    httpx.put(address, content=b"abc")

    uploads.adopt(run.team_id, "artifact:1")

    with db.transaction() as tx:
        assert blobs.find_by_md5(tx, run.team_id, [md5, b"y" * 16])[md5].size == 3


def test_large_files_are_read_at_the_bucket(run: LoggedRun, bucket: Bucket, http: httpx.Client) -> None:
    """A signed address of ours leads on to the bucket, unless the bytes are few or a key came along."""
    small, large = b"abc", os.urandom(REDIRECT_BYTES)
    for content, redirected in ((small, False), (large, True)):
        httpx.put(address_for(run, "big"), content=content)
        file = file_of_run(run.team_id, run.id, "big")
        address = tokens.get_path(run.team_id, file.sha256, file.size, "big", "a/b")

        answer = http.get(address)
        assert (answer.status_code == 307) is redirected
        if redirected:
            assert answer.headers["location"].startswith(bucket.endpoint)
        assert http.get(address, follow_redirects=True).content == content
        assert http.get(address, auth=("api", run.key)).content == content


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_through_the_server(
    run: LoggedRun, bucket: Bucket, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Without direct access the bytes go through the server, with ranges, and are stored once."""
    bucket.use(monkeypatch, direct=False)
    content = os.urandom(size)
    for path in ("a", "b"):
        address = address_for(run, path)
        assert address.startswith(BASE)
        assert http.put(address.removeprefix(BASE), content=content).status_code == 200

    assert list(bucket.objects().values()) == [size]
    path = f"/files/{run.team}/{run.project}/{run.name}/b"
    assert http.get(path, auth=("api", run.key)).content == content
    if size:
        part = http.get(path, auth=("api", run.key), headers={"Range": f"bytes={size // 2}-{size // 2 + 9}"})
        assert (part.status_code, part.content) == (206, content[size // 2 : size // 2 + 10])


def test_bucket_away_is_answered_with_retry(
    run: LoggedRun, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    """While the bucket is away an upload is answered 503 with Retry-After, which clients wait for."""
    bucket.use(monkeypatch, direct=False)
    address = address_for(run)
    bucket.client.delete_bucket(Bucket=bucket.name)

    answer = http.put(address.removeprefix(BASE), content=b"abc")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert paths_of(run) == []
