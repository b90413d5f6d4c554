"""Bytes that nothing names go, and nothing that somebody stores or names at that moment does."""

import hashlib
import random
import threading
from collections.abc import Callable

import pytest

from runhue_server.storage import garbage
from runhue_server.storage.garbage import Collector, Count
from runhue_server.storage.problems import RemovedMeanwhile
from runhue_server.storage.targets import BlobOnly, RunFileAt, Target, settle
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import BytesMissing, StoreAway, StoredBlob
from runhue_shared.db import blob_upkeep, blobs, inspections, run_files
from runhue_shared.db.inspections import Made
from runhue_shared.media_kinds import Claim
from tests.integration.storage.bucket import Bucket
from tests.integration.storage.logged_run import LoggedRun
from tests.waiting import eventually

OLD_SECONDS = 3600.0
ROUNDS = 60
SEED = 20261122


def keep(run: LoggedRun, content: bytes) -> StoredBlob:
    """Bytes in the store, not noted."""
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(content)
        return store.keep(run.team_id, spool)


def put(run: LoggedRun, content: bytes, path: str | None = None) -> StoredBlob:
    """Bytes in the store and noted; the run's file at `path`, when given."""
    stored = keep(run, content)
    target: Target = BlobOnly() if path is None else RunFileAt(run.id, path, "text/plain")
    with db.transaction() as tx:
        settle(tx, run.team_id, target, stored)
    return stored


def is_there(run: LoggedRun, content: bytes) -> bool:
    """Whether the store holds these very bytes."""
    try:
        read = b"".join(blob_store().read(run.team_id, hashlib.sha256(content).digest()))
    except BytesMissing:
        return False
    assert read == content
    return True


def collect() -> Count:
    return garbage.collect_all(0.0)


def rows(table: str) -> int:
    with db.transaction() as tx:
        return int(tx.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_every_table_that_names_blobs_is_known(tx: db.Transaction) -> None:
    """Each foreign key that keeps a blob's row is looked at when its bytes are to go."""
    found = tx.execute(
        "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c JOIN pg_attribute a"
        " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]"
        " WHERE c.confrelid = 'blob'::regclass AND c.confdeltype <> 'c'"
    )

    assert dict(found.fetchall()) == blob_upkeep.NAMES


def test_unnamed_bytes_go(run: LoggedRun) -> None:
    """Bytes that nothing names go with their row, what a file names stays, and twice is as once."""
    put(run, b"named", "a.txt")
    put(run, b"nothing names it")

    assert garbage.unnamed(0.0) == Count(1, len(b"nothing names it"))
    assert [collect(), collect()] == [Count(1, len(b"nothing names it")), Count(0, 0)]

    assert (is_there(run, b"named"), is_there(run, b"nothing names it")) == (True, False)
    assert rows("blob") == 1


def test_young_bytes_stay(run: LoggedRun) -> None:
    """Whoever stored bytes has the time of grace to name them, also when they were there before."""
    put(run, b"abc")
    with db.transaction() as tx:
        tx.execute("UPDATE blob SET touched_at = now() - interval '2 hours'")
    put(run, b"abc")

    assert garbage.collect_all(OLD_SECONDS) == Count(0, 0)
    with db.transaction() as tx:
        tx.execute("UPDATE blob SET touched_at = now() - interval '2 hours'")
    assert garbage.collect_all(OLD_SECONDS) == Count(1, 3)


def test_replaced_and_deleted_files(run: LoggedRun) -> None:
    """The bytes that a path named before go; those that another path still names do not."""
    put(run, b"first", "a.txt")
    put(run, b"second", "a.txt")
    put(run, b"second", "b.txt")
    with db.transaction() as tx:
        run_files.remove(tx, run.id, "a.txt")

    assert collect() == Count(1, len(b"first"))
    assert is_there(run, b"second")


def test_renditions_go_with_what_they_were_made_of(run: LoggedRun) -> None:
    """What was made of a blob stays as long as the blob, and goes after it."""
    source, made = put(run, b"an image", "media/images/a.png"), put(run, b"its thumbnail")
    with db.transaction() as tx:
        inspections.want(tx, run.team_id, [(source.sha256, Claim("image", "png"))])
        (job,) = inspections.take(tx, 1, 60.0)
        inspections.finish(tx, job, "{}", [Made("thumbnail", made.sha256, made.size, "image/webp")])
    assert collect() == Count(0, 0)

    with db.transaction() as tx:
        run_files.remove(tx, run.id, "media/images/a.png")

    assert [collect().blobs, collect().blobs, collect().blobs] == [1, 1, 0]
    assert rows("inspection") == 0


def test_looks_at_a_bounded_number(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call looks at so many blobs and the next goes on behind them, until all were seen."""
    monkeypatch.setattr(garbage, "LOOKED_AT_ONCE", 2)
    for number in range(5):
        put(run, b"%d" % number)
    collector = Collector(0.0)

    assert [collector.collect(2).blobs for _ in range(3)] == [2, 2, 1]
    assert collector.at_the_end


def test_bytes_without_a_row_go(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash left between storing and noting goes once it is old; noted bytes stay."""
    put(run, b"named", "a.txt")
    keep(run, b"never noted")
    assert garbage.remove_nameless(0.0) == Count(0, 0)

    monkeypatch.setattr(garbage, "SETTLED_SECONDS", 0.0)
    assert garbage.nameless(0.0) == Count(1, len(b"never noted"))
    assert garbage.remove_nameless(0.0) == Count(1, len(b"never noted"))

    assert garbage.remove_nameless(0.0) == Count(0, 0)
    assert (is_there(run, b"named"), is_there(run, b"never noted")) == (True, False)
    assert rows("blob") == 1


def test_store_that_is_away(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store cannot remove bytes they are removed later; stored again meanwhile, they stay."""
    for content in (b"abc", b"def"):
        put(run, content)
    with monkeypatch.context() as away:

        def refuse(*_arguments: object) -> None:
            raise StoreAway("away")

        away.setattr(type(blob_store()), "delete", refuse)
        with pytest.raises(StoreAway):
            collect()
    assert is_there(run, b"abc")
    put(run, b"abc", "a.txt")

    assert garbage.remove_bytes() == 1
    assert (is_there(run, b"abc"), is_there(run, b"def")) == (True, False)


def test_died_after_removing(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a sweeper died with the bytes gone and nothing noted, who stores them sends them again."""
    put(run, b"abc")

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(blob_upkeep, "note_removed", die)
        with pytest.raises(KeyboardInterrupt):
            collect()
    stale = StoredBlob(hashlib.sha256(b"abc").digest(), b"x" * 16, 3)
    with pytest.raises(RemovedMeanwhile), db.transaction() as tx:
        settle(tx, run.team_id, RunFileAt(run.id, "a", "text/plain"), stale)
    assert rows("run_file") == 0

    put(run, b"abc", "a")
    garbage.remove_bytes()
    assert is_there(run, b"abc")


def test_removed_between_storing_and_noting(run: LoggedRun) -> None:
    """Bytes that went after they were stored and before they were noted are asked for again, long after."""
    put(run, b"abc")
    stored = keep(run, b"abc")
    assert collect().blobs == 1

    for _ in range(2):
        with pytest.raises(RemovedMeanwhile), db.transaction() as tx:
            settle(tx, run.team_id, RunFileAt(run.id, "a", "text/plain"), stored)

    put(run, b"abc", "a")
    assert collect() == Count(0, 0)
    assert is_there(run, b"abc")


def test_whoever_found_a_blob_keeps_it(run: LoggedRun) -> None:
    """Between finding known bytes and naming them nobody takes them away."""
    stored = put(run, b"abc")
    with db.transaction() as tx:
        blob = blobs.find(tx, run.team_id, stored.sha256)
        assert blob is not None
        assert collect() == Count(0, 0)
        run_files.put(tx, run.team_id, run.id, "a", blob, "text/plain")
    assert collect() == Count(0, 0)

    with db.transaction() as tx:
        run_files.remove(tx, run.id, "a")
        assert blobs.find_by_md5(tx, run.team_id, [stored.md5])
        assert collect() == Count(0, 0)


def test_noting_waits_for_removing(run: LoggedRun) -> None:
    """Who notes bytes while they are being removed waits for that, and learns that they are gone."""
    put(run, b"abc")
    with db.transaction() as tx:
        found, _ = blob_upkeep.look(tx, 0.0, 10)
        blob_upkeep.forget(tx, found, 0.0)
    stored = keep(run, b"abc")
    outcome: list[str] = []

    def note() -> None:
        try:
            with db.transaction() as tx:
                settle(tx, run.team_id, RunFileAt(run.id, "a", "text/plain"), stored)
            outcome.append("noted")
        except RemovedMeanwhile:
            outcome.append("removed meanwhile")

    with db.transaction() as tx:
        ((team_id, sha256),) = blob_upkeep.take_removable(tx, 10)
        thread = threading.Thread(target=note)
        thread.start()
        assert eventually(_somebody_waits)
        blob_store().delete(team_id, sha256)
        blob_upkeep.note_removed(tx, [(team_id, sha256)])
    thread.join(20)

    assert outcome == ["removed meanwhile"]
    assert rows("run_file") == 0


def _somebody_waits() -> bool:
    with db.transaction() as tx:
        found = tx.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchall()
    return bool(found[0][0])


class Race:
    """Threads that store, name, find and forget few contents while others remove everything unnamed."""

    contents = tuple(bytes([number]) * (number + 1) for number in range(4))

    def __init__(self, run: LoggedRun, rounds: int) -> None:
        self._run = run
        self._rounds = rounds
        self._stop = threading.Event()
        self._faults: list[BaseException] = []

    def start(self) -> None:
        """Until each has done its rounds; then nothing is lost, and nothing is left over."""
        sweepers = [threading.Thread(target=self._guarded, args=(self._sweep,)) for _ in range(2)]
        threads = [threading.Thread(target=self._guarded, args=(self._store, number)) for number in range(6)]
        for thread in [*sweepers, *threads]:
            thread.start()
        for thread in threads:
            thread.join(120)
        self._stop.set()
        for thread in sweepers:
            thread.join(60)
        if self._faults:
            raise self._faults[0]
        check(self._run)

    def _store(self, number: int) -> None:
        source, path = random.Random(SEED + number), f"{number}.bin"
        for _ in range(self._rounds):
            content = source.choice(self.contents)
            if source.random() < 0.3:
                keep(self._run, content)  # and crash
            if source.random() < 0.5 or not self._reuse(content, path):
                self._put_until_taken(content, path)
            assert is_there(self._run, content), f"{content[:4]!r} is lost"
            if source.random() < 0.7:
                with db.transaction() as tx:
                    run_files.remove(tx, self._run.id, path)

    def _put_until_taken(self, content: bytes, path: str) -> None:
        while True:
            try:
                put(self._run, content, path)
            except RemovedMeanwhile:
                continue
            return

    def _reuse(self, content: bytes, path: str) -> bool:
        with db.transaction() as tx:
            blob = blobs.find(tx, self._run.team_id, hashlib.sha256(content).digest())
            if blob is not None:
                settle(tx, self._run.team_id, RunFileAt(self._run.id, path, "text/plain"), StoredBlob(*blob))
        return blob is not None

    def _sweep(self) -> None:
        while not self._stop.is_set():
            collect()
            garbage.remove_nameless(0.0)

    def _guarded(self, work: Callable[..., None], *arguments: int) -> None:
        try:
            work(*arguments)
        except BaseException as fault:  # noqa: BLE001  # told to the main thread
            self._faults.append(fault)


def check(run: LoggedRun) -> None:
    """Every noted blob's bytes are there; once all is quiet nothing else is."""
    with db.transaction() as tx:
        files = run_files.page(tx, run.id, 100)
    for file in files:
        assert hashlib.sha256(b"".join(blob_store().read(run.team_id, file.sha256))).digest() == file.sha256
    collect()
    garbage.remove_nameless(0.0)
    assert {one.sha256 for one in blob_store().listing()} == {file.sha256 for file in files}


def test_storing_races_with_removing(run: LoggedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads store the same bytes while all that is unnamed goes at once: what was answered can be read."""
    monkeypatch.setattr(garbage, "SETTLED_SECONDS", 0.0)

    Race(run, ROUNDS).start()


def test_storing_races_with_removing_in_a_bucket(
    run: LoggedRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in a bucket, where bytes that are there are not put again."""
    monkeypatch.setattr(garbage, "SETTLED_SECONDS", 0.0)
    bucket.use(monkeypatch)

    Race(run, ROUNDS // 4).start()
