"""Files that come in parts: in any order, twice, from several processes, and after crashes."""

import hashlib
import os
import threading
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from runhue_server.storage import garbage, parts, tokens, uploads
from runhue_server.storage.named_files import file_of_run
from runhue_server.storage.problems import (
    FileNotFound,
    FileTooLarge,
    HashMismatch,
    PartsMissing,
    UploadNotFound,
)
from runhue_server.storage.targets import RunFileAt
from runhue_server.web.problems import Unavailable
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.store import Expected, StoreAway
from runhue_shared.db import blobs, part_uploads, run_files
from runhue_shared.db.part_uploads import PartUpload
from runhue_shared.settings import GIBIBYTE, MEBIBYTE, Settings
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import LoggedRun
from tests.integration.storage.server_process import server_process
from tests.waiting import eventually

CONTENT = os.urandom(4_500)
PART_BYTES = 1_000
LARGE = 120 * MEBIBYTE
FLAT_BYTES = 40 * MEBIBYTE


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some thousand bytes have several parts."""
    monkeypatch.setattr(parts, "SMALLEST_PART", PART_BYTES)


def begin(run: LoggedRun, content: bytes = CONTENT, *, sha256: bytes | None = None) -> PartUpload:
    """An upload of the run's file a.bin with the content's hash, or with another one."""
    target = RunFileAt(run.id, "a.bin", "application/octet-stream")
    expected = Expected(sha256=sha256 or hashlib.sha256(content).digest())
    return parts.begin(run.team_id, target, len(content), expected)


def part_of(content: bytes, number: int) -> bytes:
    return content[(number - 1) * PART_BYTES : number * PART_BYTES]


def put(http: httpx.Client, upload: PartUpload, number: int, body: bytes) -> httpx.Response:
    (address,) = parts.addresses(upload, [number], "")
    return http.put(address, content=body)


def put_all(http: httpx.Client, upload: PartUpload, content: bytes = CONTENT) -> None:
    for number in parts.progress(upload.team_id, upload.id).missing:
        assert put(http, upload, number, part_of(content, number)).status_code == 200


def read(run: LoggedRun) -> bytes:
    file = file_of_run(run.team_id, run.id, "a.bin")
    return b"".join(blob_store().read(run.team_id, file.sha256))


def test_any_order_and_twice(http: httpx.Client, run: LoggedRun) -> None:
    """Parts come backwards and repeatedly; the file is what was cut, and its parts' bytes go afterwards."""
    upload = begin(run)
    for number in (5, 1, 5, 3, 2, 2, 4):
        assert put(http, upload, number, part_of(CONTENT, number)).status_code == 200

    for _ in range(2):
        assert parts.complete(run.team_id, upload.id) == hashlib.sha256(CONTENT).digest()

    assert read(run) == CONTENT
    assert garbage.collect_all(0.0).blobs == 5
    assert read(run) == CONTENT
    assert parts.progress(run.team_id, upload.id).missing == []


def test_the_same_upload_is_found_again(http: httpx.Client, run: LoggedRun) -> None:
    """Who begins the same file again is told what is missing; another hash, size or path is another one."""
    upload = begin(run)
    put(http, upload, 2, part_of(CONTENT, 2))

    again = begin(run)
    assert parts.progress(run.team_id, again.id).missing == [1, 3, 4, 5]
    others = {
        begin(run, sha256=b"x" * 32).id,
        begin(run, CONTENT + b"x", sha256=hashlib.sha256(CONTENT).digest()).id,
        parts.begin(
            run.team_id,
            RunFileAt(run.id, "b", "x/y"),
            4_500,
            Expected(sha256=hashlib.sha256(CONTENT).digest()),
        ).id,
    }
    assert len(others | {upload.id}) == 4
    nameless = [parts.begin(run.team_id, RunFileAt(run.id, "a.bin", "x/y"), 4_500).id for _ in range(2)]
    assert len({*nameless, upload.id}) == 3


def test_missing_parts(http: httpx.Client, run: LoggedRun) -> None:
    """A file with a hole is not put together, and goes on afterwards."""
    upload = begin(run)
    for number in (1, 2, 4):
        put(http, upload, number, part_of(CONTENT, number))

    with pytest.raises(PartsMissing) as refused:
        parts.complete(run.team_id, upload.id)
    assert refused.value.more == {"missing": [3, 5]}

    put_all(http, upload)
    parts.complete(run.team_id, upload.id)
    assert read(run) == CONTENT


@pytest.mark.parametrize(("number", "size"), [(1, 999), (1, 1_001), (5, 1_000), (5, 499), (5, 0)])
def test_wrong_sizes(http: httpx.Client, run: LoggedRun, number: int, size: int) -> None:
    """A part of another length than its place says is not taken."""
    upload = begin(run)

    answer = put(http, upload, number, b"x" * size)

    assert (answer.status_code, answer.json()["field"]) in {(422, "size"), (413, "size")}
    assert number in parts.progress(run.team_id, upload.id).missing


def test_wrong_hash(http: httpx.Client, run: LoggedRun) -> None:
    """Parts that are not the announced file's make none; all of them are to come again."""
    upload = begin(run)
    put_all(http, upload, b"y" * len(CONTENT))

    with pytest.raises(HashMismatch):
        parts.complete(run.team_id, upload.id)
    with pytest.raises(FileNotFound):
        read(run)

    assert parts.progress(run.team_id, upload.id).missing == [1, 2, 3, 4, 5]
    put_all(http, upload)
    parts.complete(run.team_id, upload.id)
    assert read(run) == CONTENT


def test_empty_file(run: LoggedRun) -> None:
    """A file without bytes has no parts and is complete at once."""
    upload = begin(run, b"")

    assert parts.progress(run.team_id, upload.id).missing == []
    parts.complete(run.team_id, upload.id)

    assert read(run) == b""


def test_given_up(http: httpx.Client, run: LoggedRun) -> None:
    """After an upload was given up its parts are refused and their bytes go."""
    upload = begin(run)
    put(http, upload, 1, part_of(CONTENT, 1))
    (address,) = parts.addresses(upload, [2], "")

    assert [parts.give_up(run.team_id, upload.id) for _ in range(2)] == [True, False]

    assert http.put(address, content=part_of(CONTENT, 2)).json()["code"] == "upload_not_found"
    with pytest.raises(UploadNotFound):
        parts.complete(run.team_id, upload.id)
    assert garbage.collect_all(0.0).blobs == 1


def test_abandoned(http: httpx.Client, run: LoggedRun) -> None:
    """An upload that nobody goes on with is given up after a week, and not before."""
    upload = begin(run)
    put(http, upload, 1, part_of(CONTENT, 1))
    assert parts.forget_abandoned() == 0
    with db.transaction() as tx:
        tx.execute("UPDATE part_upload SET touched_at = now() - interval '8 days'")

    assert [parts.forget_abandoned(), parts.forget_abandoned()] == [1, 0]

    assert garbage.collect_all(0.0).blobs == 1
    assert begin(run).id == upload.id


def test_parts_stay_while_an_upload_is_under_way(http: httpx.Client, run: LoggedRun) -> None:
    """Bytes of parts are named: they do not go, however long the upload takes."""
    upload = begin(run)
    put(http, upload, 1, part_of(CONTENT, 1))

    assert garbage.collect_all(0.0).blobs == 0

    put_all(http, upload)
    parts.complete(run.team_id, upload.id)
    assert read(run) == CONTENT


def test_two_processes_at_once(http: httpx.Client, run: LoggedRun) -> None:
    """Two that send the same file and complete it at the same moment make one file."""
    outcomes: list[object] = []

    def send() -> None:
        upload = begin(run)
        put_all(http, upload)
        while True:
            try:
                outcomes.append(parts.complete(run.team_id, upload.id))
            except Unavailable:
                continue
            return

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert outcomes == [hashlib.sha256(CONTENT).digest()] * 4
    assert read(run) == CONTENT
    with db.transaction() as tx:
        assert len(run_files.page(tx, run.id, 10)) == 1


def test_one_puts_it_together(http: httpx.Client, run: LoggedRun) -> None:
    """While one puts a file together others wait; one that died at it is followed after a minute."""
    upload = begin(run)
    put_all(http, upload)
    with db.transaction() as tx:
        assert part_uploads.take(tx, upload.id, parts.LEASE_SECONDS)

    with pytest.raises(Unavailable, match="being put together"):
        parts.complete(run.team_id, upload.id)

    with db.transaction() as tx:
        part_uploads.keep_taken(tx, upload.id, -1.0)
    assert parts.complete(run.team_id, upload.id) == hashlib.sha256(CONTENT).digest()


def test_fault_in_between(http: httpx.Client, run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """When putting together fails nothing is lost, and the next try need not wait."""
    upload = begin(run)
    put_all(http, upload)
    with monkeypatch.context() as broken:

        def fail(*_arguments: object) -> None:
            raise StoreAway("for a moment")

        broken.setattr(type(blob_store()), "read", fail)
        with pytest.raises(Unavailable, match="not reachable"):
            parts.complete(run.team_id, upload.id)

    assert parts.complete(run.team_id, upload.id) == hashlib.sha256(CONTENT).digest()


def test_lost_part(http: httpx.Client, run: LoggedRun) -> None:
    """A part whose bytes the store lost is asked for again; the others stay."""
    upload = begin(run)
    put_all(http, upload)
    blob_store().delete(run.team_id, hashlib.sha256(part_of(CONTENT, 3)).digest())

    with pytest.raises(PartsMissing):
        parts.complete(run.team_id, upload.id)

    assert parts.progress(run.team_id, upload.id).missing == [3]
    put_all(http, upload)
    assert parts.complete(run.team_id, upload.id) == hashlib.sha256(CONTENT).digest()
    assert read(run) == CONTENT


@pytest.mark.parametrize("end", ["finish", "drop_parts"])
def test_put_again_while_it_ends(http: httpx.Client, run: LoggedRun, end: str) -> None:
    """A part that comes again while the upload ends waits for that, or that for it; never both."""
    upload = begin(run)
    put_all(http, upload)
    part = part_of(CONTENT, 1)
    faults: list[BaseException] = []

    def end_it() -> None:
        try:
            with db.transaction() as tx:
                if end == "finish":
                    part_uploads.finish(tx, upload.id, hashlib.sha256(CONTENT).digest())
                else:
                    part_uploads.drop_parts(tx, upload.id)
        except psycopg.Error as error:
            faults.append(error)

    ending = threading.Thread(target=end_it)
    with db.transaction() as tx:
        blob = blobs.find(tx, run.team_id, hashlib.sha256(part).digest())
        assert blob is not None
        tx.execute("SELECT FROM part_upload WHERE id = %s FOR NO KEY UPDATE", (upload.id,))
        ending.start()
        assert eventually(somebody_waits)
        assert part_uploads.keep_part(tx, run.team_id, upload.id, 1, blob)
    ending.join(30)

    assert not faults


def somebody_waits() -> bool:
    with db.transaction() as tx:
        return tx.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount > 0


def test_deleted_and_put_again(http: httpx.Client, run: LoggedRun) -> None:
    """A file that was deleted after it was whole can come in parts once more."""
    for _ in range(2):
        upload = begin(run)
        put_all(http, upload)
        parts.complete(run.team_id, upload.id)
        assert read(run) == CONTENT
        with db.transaction() as tx:
            run_files.remove(tx, run.id, "a.bin")


def test_replaced_part(http: httpx.Client, run: LoggedRun) -> None:
    """A part that is put again with other bytes is what came last."""
    upload = begin(run)
    put(http, upload, 1, b"z" * PART_BYTES)
    put_all(http, upload)
    put(http, upload, 1, part_of(CONTENT, 1))

    parts.complete(run.team_id, upload.id)

    assert read(run) == CONTENT


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (0, 8 * MEBIBYTE),
        (2 * GIBIBYTE, 8 * MEBIBYTE),
        (2 * GIBIBYTE + 1, 16 * MEBIBYTE),
        (100 * GIBIBYTE, 64 * MEBIBYTE),
        (625 * GIBIBYTE, 64 * MEBIBYTE),
    ],
)
def test_part_sizes(
    server_settings: Settings, monkeypatch: pytest.MonkeyPatch, size: int, length: int
) -> None:
    """Parts have 8 to 64 MiB, so that a file has few of them."""
    monkeypatch.setattr(parts, "SMALLEST_PART", 8 * MEBIBYTE)
    much = server_settings.model_copy(update={"max_file_bytes": 2**60})
    monkeypatch.setattr(parts, "settings", lambda: much)

    assert parts.part_size(size) == length
    with pytest.raises(FileTooLarge) as refused:
        parts.part_size(625 * GIBIBYTE + 1)
    assert refused.value.limit == 10_000 * 64 * MEBIBYTE


def test_too_large(server_settings: Settings) -> None:
    """A file beyond what the server keeps is refused before any part comes."""
    with pytest.raises(FileTooLarge) as refused:
        parts.part_size(server_settings.max_file_bytes + 1)

    assert refused.value.limit == server_settings.max_file_bytes


def test_in_a_bucket(
    http: httpx.Client, run: LoggedRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that are put straight at the bucket are taken over, and the file is there as anywhere."""
    bucket.use(monkeypatch)
    upload = begin(run)
    for number in (1, 2, 3):
        assert put(http, upload, number, part_of(CONTENT, number)).status_code == 200
    assert all(address.startswith(bucket.endpoint) for address in parts.addresses(upload, [1], ""))
    assert parts.progress(run.team_id, upload.id).missing == [4, 5]
    put(http, upload, 4, b"wrong size")
    assert parts.progress(run.team_id, upload.id).missing == [4, 5]

    put_all(http, upload)
    parts.complete(run.team_id, upload.id)

    assert read(run) == CONTENT
    uploads.sweep(0.0)
    garbage.collect_all(0.0)
    assert list(bucket.objects()) == [f"blobs/{run.team_id}/{_name(CONTENT)[:2]}/{_name(CONTENT)}"]


def test_in_a_bucket_through_the_server(
    http: httpx.Client, run: LoggedRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same when clients do not reach the bucket."""
    bucket.use(monkeypatch, direct=False)
    upload = begin(run)

    put_all(http, upload)
    parts.complete(run.team_id, upload.id)

    assert read(run) == CONTENT


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_server_killed_in_between(run: LoggedRun, server_settings: Settings) -> None:
    """A server that is killed with a part stored and not noted asks for that part again, and no other."""
    upload = begin(run)
    addresses = dict(enumerate(parts.addresses(upload, range(1, 6), ""), 1))
    with server_process() as (_, base):
        for number in (1, 2):
            assert httpx.put(base + addresses[number], content=part_of(CONTENT, number)).is_success
    with server_process("die") as (process, base), pytest.raises(httpx.TransportError):
        httpx.put(base + addresses[3], content=part_of(CONTENT, 3))
    assert process.returncode == -9

    assert parts.progress(run.team_id, upload.id).missing == [3, 4, 5]
    with server_process() as (_, base):
        for number in (3, 4, 5):
            assert httpx.put(base + addresses[number], content=part_of(CONTENT, number)).is_success
    parts.complete(run.team_id, upload.id)
    assert read(run) == CONTENT


def test_memory_stays_flat(run: LoggedRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Putting a file of 120 MB together needs no more memory than a small one."""
    monkeypatch.setattr(parts, "SMALLEST_PART", 8 * MEBIBYTE)
    piece = os.urandom(MEBIBYTE)
    digest = hashlib.sha256()
    for _ in range(LARGE // MEBIBYTE):
        digest.update(piece)
    target = RunFileAt(run.id, "a.bin", "application/octet-stream")
    upload = parts.begin(run.team_id, target, LARGE, Expected(sha256=digest.digest()))
    numbers = parts.progress(run.team_id, upload.id).missing
    with server_process() as (_, base):
        for number in numbers:
            path = tokens.put_path(run.team_id, *parts.part_at(upload, number))
            assert httpx.put(base + path, content=piece * 8, timeout=60).is_success
    before, highest = psutil.Process().memory_info().rss, 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.01):
            highest = max(highest, psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    parts.complete(run.team_id, upload.id)
    done.set()
    watcher.join()

    assert highest - before < FLAT_BYTES
    assert file_of_run(run.team_id, run.id, "a.bin").size == LARGE
