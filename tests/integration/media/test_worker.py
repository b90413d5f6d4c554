"""The worker's handler, in this process: what is taken, noted, given back and given up."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
import pytest

from runhue_server.media import tasks
from runhue_server.media.inspection import MAX_ATTEMPTS, Finding, inspect
from runhue_server.media.inspection_notes import Notes
from runhue_server.sweeper.loop import wake_for_media
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.db import blobs, inspections, keys
from runhue_shared.db.blobs import Blob
from runhue_shared.db.inspections import Waiting
from runhue_shared.media_kinds import Claim
from runhue_shared.messages import MediaStored
from runhue_shared.queue import redis_client
from runhue_shared.settings import Settings
from tests.integration.media.conftest import MediaRun, make_due, work
from tests.integration.media.pictures import png
from tests.integration.storage.logged_run import log_run
from tests.waiting import eventually


def test_picture_is_looked_at_once(run: MediaRun) -> None:
    """A stored picture gets facts and a thumbnail that can be read; running twice changes nothing."""
    sha256 = run.put("media/images/a_0_0.png", png(600, 300))

    work()
    with db.transaction() as tx:
        before = inspections.renditions(tx, run.team_id, [sha256])
    work(2)

    (known,) = run.known()
    assert known.state == "ready"
    assert json.loads(known.facts or "")["width"] == 600
    with db.transaction() as tx:
        made = inspections.renditions(tx, run.team_id, [sha256])
    assert made == before
    thumbnail = made[sha256, "image"]["thumbnail"]
    content = b"".join(blob_store().read(run.team_id, thumbnail.made))
    assert (len(content), thumbnail.mimetype) == (thumbnail.size, "image/webp")
    assert content[8:12] == b"WEBP"


def test_only_media_are_looked_at(run: MediaRun) -> None:
    """A path that names no media asks for nothing; equal bytes are looked at once for each kind."""
    run.put("model.bin", b"weights")
    run.put("media/images/a_0_0.png", png())
    run.put("media/images/b_7_0.png", png())
    run.put("media/images/mask/b_7_0.mask.png", png())

    work()

    assert run.states() == {"ready": 1, "not_a_mask": 1}


def test_reasons(run: MediaRun) -> None:
    """Each item has its own end; what is refused says why, and is not taken again."""
    run.put("media/images/good.png", png())
    run.put("media/images/page.png", b"<html><script>")
    run.put("media/images/cut.png", png(64, 64)[:3000])
    run.put("media/images/empty.png", b"")
    run.put("media/metadata/boxes2D/b.boxes2D.json", b'{"box_data": []}')

    work(2)

    assert run.states() == {"ready": 2, "not_an_image": 1, "truncated": 1, "empty": 1}
    assert all(one.reason for one in run.known() if one.state == "refused")


def test_storing_wakes(run: MediaRun) -> None:
    """The worker is woken soon after a picture was stored; when that is lost, the sweeper wakes it."""
    run.put("media/images/a.png", png())

    assert eventually(lambda: redis_client().llen("media") == 1)
    assert wake_for_media() == [MediaStored()]
    work()
    assert wake_for_media() == []


def test_teams_in_turn(run: MediaRun, server_settings: Settings) -> None:
    """A team that has much waiting does not keep another one waiting."""
    others = MediaRun(log_run(server_settings, "others"))
    for seed in range(6):
        run.put(f"media/images/{seed}.png", png(seed=seed))
    for seed in range(2):
        others.put(f"media/images/{seed}.png", png(seed=seed))

    with db.transaction() as tx:
        taken = [job.team_id for job in inspections.take(tx, 5, 60.0)]
        tx.rollback()

    assert taken[:4] in ([run.team_id, others.team_id] * 2, [others.team_id, run.team_id] * 2)
    assert taken[4] == run.team_id


def test_leases(run: MediaRun) -> None:
    """What one worker took nobody else gets, until its lease ends; then it is taken alone."""
    for seed in range(3):
        run.put(f"media/images/{seed}.png", png(seed=seed))
    with db.transaction() as tx:
        assert len(inspections.take(tx, 10, 60.0)) == 3

    with db.transaction() as tx:
        assert not inspections.is_due(tx)
        assert inspections.take(tx, 10, 60.0) == []
        assert inspections.take(tx, 10, 60.0, left_over=True) == []
    make_due()
    with db.transaction() as tx:
        assert inspections.is_due(tx)
        assert inspections.take(tx, 10, 60.0) == []
        (alone,) = inspections.take(tx, 1, 60.0, left_over=True)
        assert alone.attempts == 2
    make_due()
    work()
    assert run.states() == {"ready": 3}


def test_holding_makes_a_lease_longer(run: MediaRun) -> None:
    """As long as somebody says that it is at it, the item is its own."""
    run.put("media/images/a.png", png())
    with db.transaction() as tx:
        jobs = inspections.take(tx, 1, 0.0)
        inspections.hold(tx, jobs, 60.0)

    with db.transaction() as tx:
        assert not inspections.is_due(tx)


def test_given_up_after_three_attempts(run: MediaRun) -> None:
    """An item with which workers end three times is refused; its neighbors are not blamed."""
    run.put("media/images/a.png", png(seed=1))
    guilty = run.put("media/images/b.png", png(seed=2))
    for attempt in range(MAX_ATTEMPTS):
        with db.transaction() as tx:
            taken = inspections.take(tx, 10, 60.0, left_over=attempt > 0)
            # Only the guilty one is begun before the worker ends.
            for job in taken:
                if attempt > 0 and job.sha256 != guilty:
                    inspections.give_back(tx, job, 0.0)
        make_due()

    work()

    with db.transaction() as tx:
        found = inspections.of_blobs(tx, run.team_id, [guilty])[guilty, "image"]
    assert (found.state, found.code) == ("refused", "inspection_failed")
    assert run.states() == {"ready": 1, "inspection_failed": 1}


def test_lost_bytes(run: MediaRun) -> None:
    """Bytes that are gone are told of; when they are stored again they are looked at."""
    content = png()
    run.put("media/images/a.png", content)
    run.forget_bytes(content)
    work()
    assert run.states() == {"bytes_lost": 1}

    sha256 = run.put("media/images/a.png", content)
    assert run.states() == {"waiting": 1}
    work()
    assert run.states() == {"ready": 1}
    with db.transaction() as tx:
        assert not inspections.want(tx, run.team_id, [(sha256, Claim("image", "png"))], stored=True)


def test_store_away(run: MediaRun, server_settings: Settings) -> None:
    """While the store is away nothing is refused, and no attempt counts."""
    run.put("media/images/a.png", png())
    root = server_settings.data_dir / "blobs"
    root.rename(root.with_name("away"))
    root.write_text("no folder")
    for _ in range(MAX_ATTEMPTS + 2):
        make_due()
        work()
    assert run.states() == {"waiting": 1}

    root.unlink()
    root.with_name("away").rename(root)
    make_due()
    work()

    assert run.states() == {"ready": 1}


def test_no_room(run: MediaRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that would fill the disk waits until there is room; it keeps nobody waiting."""
    large = run.put("media/images/large.png", png(200, 200))
    run.put("media/images/small.png", png(8, 8))
    usage = shutil.disk_usage("/")._replace(free=100_000)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _place: usage)
        work()
    assert run.states() == {"ready": 1, "waiting": 1}
    with db.transaction() as tx:
        assert not inspections.is_due(tx)

    make_due()
    work()

    assert run.states() == {"ready": 2}
    with db.transaction() as tx:
        row = tx.execute("SELECT attempts FROM inspection WHERE sha256 = %s", (large,)).fetchone()
    assert row == (1,)


@contextmanager
def no_inspections(url: str) -> Iterator[None]:
    """The table cannot be reached, as when Postgres is away."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE inspection RENAME TO away")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE away RENAME TO inspection")


def test_results_outlive_an_outage(run: MediaRun, server_settings: Settings) -> None:
    """A result that could not be written is written later, and not looked for again."""
    run.put("media/images/a.png", png())
    shift = tasks.shift()
    with db.transaction() as tx:
        (job,) = inspections.take(tx, 1, 60.0)
    finding = inspect(shift.process, job, lambda: None)
    notes = Notes()
    notes.add(finding)

    with no_inspections(server_settings.database_url), pytest.raises(psycopg.Error):
        notes.write()
    assert run.states() == {"waiting": 1}
    notes.write()
    notes.write()

    assert run.states() == {"ready": 1}
    with db.transaction() as tx:
        assert finding.note(tx) is False


def test_notes_in_one_transaction(run: MediaRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that are written together come to be known together."""
    for seed in range(2):
        run.put(f"media/images/{seed}.png", png(seed=seed))
    with db.transaction() as tx:
        jobs = inspections.take(tx, 2, 60.0)
    notes = Notes()
    for job in jobs:
        notes.add(Finding(job, code="damaged", reason="It is damaged."))
    refuse, seen = inspections.refuse, []

    def refuse_and_look(*arguments: Any) -> bool:  # as inspections.refuse
        seen.append(run.states())
        return refuse(*arguments)

    monkeypatch.setattr(inspections, "refuse", refuse_and_look)
    notes.write()

    assert seen == [{"waiting": 2}] * 2
    assert run.states() == {"damaged": 2}


def test_notes_in_one_order(run: MediaRun) -> None:
    """Results and what is given back are written in the order in which others take the same rows."""
    for seed in range(2):
        run.put(f"media/images/{seed}.png", png(seed=seed))
    with db.transaction() as tx:
        first, second = sorted(inspections.take(tx, 2, 60.0), key=lambda job: job.sha256)
    notes = Notes()
    notes.add(Finding(second, code="damaged", reason="It is damaged."))
    notes.give_back([first])

    with db.transaction() as tx:
        lock = "SELECT FROM inspection WHERE sha256 = %s FOR UPDATE"
        tx.execute(lock, (first.sha256,))
        writing = threading.Thread(target=notes.write)
        writing.start()
        assert eventually(somebody_waits)
        assert tx.execute(f"{lock} SKIP LOCKED", (second.sha256,)).rowcount == 1
    writing.join(20)

    assert run.states() == {"waiting": 1, "damaged": 1}


def somebody_waits() -> bool:
    with db.transaction() as tx:
        return tx.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount > 0


def test_killed_process_means_another_attempt(run: MediaRun, slow_png: bytes) -> None:
    """kill -9 of the bounded process in the middle of an item: one result, after another attempt."""
    sha256 = run.put("media/images/slow.png", slow_png)
    killed = kill_once(lambda: tasks.shift().process.pid)

    work(3)

    assert killed == [True]
    assert run.states() == {"ready": 1}
    with db.transaction() as tx:
        assert list(inspections.renditions(tx, run.team_id, [sha256])[sha256, "image"]) == ["thumbnail"]


def kill_once(find: Callable[[], int | None]) -> list[bool]:
    """Kill the forks of a process at the next moment at which the worker waits for one; [True] then."""
    shift = tasks.shift()
    waiting = shift.process._while_waiting
    done: list[bool] = []

    def wait() -> None:
        pid = find()
        forks = psutil.Process(pid).children() if pid and not done else []
        for fork in forks:
            fork.send_signal(signal.SIGKILL)
            done.append(True)
        waiting()

    shift.process._while_waiting = wait
    return done


def test_quick_ones_do_not_wait_for_a_slow_one(run: MediaRun, slow_png: bytes) -> None:
    """While a slow item is looked at, results that are there are written, and what is left is given back."""
    for seed in range(3):
        run.put(f"media/images/{seed}.png", png(seed=seed))
    run.put("media/images/slow.png", slow_png)
    seen: list[dict[str, int]] = []
    shift = tasks.shift()
    waiting = shift.process._while_waiting

    def wait() -> None:
        waiting()
        seen.append(run.states())

    shift.process._while_waiting = wait
    work()

    assert {"ready": 3, "waiting": 1} in seen
    assert run.states() == {"ready": 4}


def test_wanted_later(run: MediaRun) -> None:
    """A blob that nobody asked to look at, as those of older servers, can be asked for at any time."""
    sha256 = run.put("old.bin", png())
    claim = (sha256, Claim("image", "png"))
    with db.transaction() as tx:
        assert inspections.want(tx, run.team_id, [claim, claim])
        assert not inspections.want(tx, run.team_id, [claim])

    work()

    assert run.states() == {"ready": 1}


def test_wanted_bytes_must_be_noted(run: MediaRun) -> None:
    """A blob that the team does not have cannot be asked for."""
    with pytest.raises(psycopg.errors.ForeignKeyViolation), db.transaction() as tx:
        inspections.want(tx, run.team_id, [(bytes(32), Claim("image", "png"))])


def test_renditions_that_are_being_removed_are_made_again(run: MediaRun) -> None:
    """Bytes that were taken away while they were made into a rendition are made once more."""
    sha256 = run.put("media/images/a.png", png(600, 300))
    with db.transaction() as tx:
        (job,) = inspections.take(tx, 1, 60.0)
    finding = inspect(tasks.shift().process, job, lambda: None)
    (made, _) = finding.made[0]
    blob_store().delete(run.team_id, made.made)
    with db.transaction() as tx:
        tx.execute("INSERT INTO blob_removed (team_id, sha256) VALUES (%s, %s)", (run.team_id, made.made))
    notes = Notes()
    notes.add(finding)

    notes.write()
    assert run.states() == {"waiting": 1}
    make_due()
    work()

    assert run.states() == {"ready": 1}
    with db.transaction() as tx:
        assert inspections.renditions(tx, run.team_id, [sha256])[sha256, "image"]["thumbnail"] == made
    assert b"".join(blob_store().read(run.team_id, made.made))


def test_folder_for_the_work_is_emptied(run: MediaRun, server_settings: Settings) -> None:
    """What a killed worker left behind is removed, and what is new stays."""
    place = server_settings.data_dir / tasks.WORK_FOLDER
    for name in ("old", "new"):
        (place / name).mkdir(parents=True)
        (place / name / "bytes").write_bytes(b"x")
    os.utime(place / "old", (0, 0))
    run.put("media/images/a.png", png())

    work()

    assert "old" not in [path.name for path in place.iterdir()]
    assert (place / "new" / "bytes").exists()
    shutil.rmtree(place / "new")


def test_deleted_while_it_was_looked_at(run: MediaRun) -> None:
    """A blob that goes meanwhile takes its inspection along; the result is dropped."""
    with db.transaction() as tx:
        team_id = keys.team_id(tx, "main")
        blob = Blob(bytes(32), bytes(16), 3)
        blobs.insert(tx, team_id, blob)
        inspections.want(tx, team_id, [(blob.sha256, Claim("image", "png"))])
        (job,) = inspections.take(tx, 1, 60.0)
        tx.execute("DELETE FROM blob WHERE sha256 = %s", (blob.sha256,))

    with db.transaction() as tx:
        assert not inspections.finish(tx, job, "{}", [])
        assert not inspections.refuse(tx, Waiting(*job), "gone", "It is gone.")
