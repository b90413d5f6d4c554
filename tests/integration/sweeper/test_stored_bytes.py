"""What the sweeper does about files and their bytes: expiry, deleted runs, garbage."""

import pytest

from runhue_server.storage import garbage
from runhue_server.storage.named_files import file_of_run
from runhue_server.storage.problems import FileExpired, FileNotFound
from runhue_server.storage.targets import RunFileAt, settle
from runhue_server.sweeper import stored_bytes
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.db import project_settings, run_files, wandb_writers
from runhue_shared.db.project_settings import ProjectSettings
from runhue_shared.settings import Settings
from tests.integration.storage.logged_run import LoggedRun, log_run
from tests.waiting import eventually

IMAGE = "media/images/a.png"


@pytest.fixture
def run(server_settings: Settings) -> LoggedRun:
    """Run r1 of project digits of team main."""
    return log_run(server_settings)


def put(run: LoggedRun, path: str, content: bytes) -> None:
    """A file of the run."""
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(content)
        stored = store.keep(run.team_id, spool)
    with db.transaction() as tx:
        settle(tx, run.team_id, RunFileAt(run.id, path, "image/png"), stored)


def end(run: LoggedRun, days_ago: int, *, files_too: bool = True) -> None:
    """The run finished so long ago, and its files are as old."""
    with db.transaction() as tx:
        tx.execute(
            "UPDATE run SET state = 'finished', finished_at = now() - make_interval(days => %s)"
            " WHERE id = %s",
            (days_ago, run.id),
        )
        if files_too:
            tx.execute("UPDATE run_file SET updated_at = now() - make_interval(days => %s)", (days_ago,))


def keep_media_for(run: LoggedRun, days: int | None) -> None:
    with db.transaction() as tx:
        (project,) = tx.execute("SELECT project_id FROM run WHERE id = %s", (run.id,)).fetchone() or (0,)
        project_settings.write(tx, project, ProjectSettings(days, html_network=False))


def paths(run: LoggedRun) -> list[str]:
    with db.transaction() as tx:
        return [file.path for file in run_files.page(tx, run.id, 100)]


def test_media_expire(run: LoggedRun) -> None:
    """Media of a run that ended long enough ago lose their bytes, other files stay, twice is as once."""
    put(run, IMAGE, b"image")
    put(run, "mediator.txt", b"other")
    put(run, "config.yaml", b"config")
    keep_media_for(run, 7)
    end(run, 8)

    for _ in range(2):
        stored_bytes.expire_media()

    assert paths(run) == ["config.yaml", "mediator.txt"]
    with pytest.raises(FileExpired, match="media_retention_days"):
        file_of_run(run.team_id, run.id, IMAGE)
    with db.transaction() as tx:
        assert run_files.count(tx, run.id) == 2
    assert garbage.collect_all(0.0).bytes == len(b"image")


@pytest.mark.parametrize(("days", "ended"), [(None, 1000), (7, 6), (36_500, 1000)])
def test_media_stay(run: LoggedRun, days: int | None, ended: int) -> None:
    """Media stay for as long as the project says."""
    put(run, IMAGE, b"image")
    keep_media_for(run, days)
    end(run, ended)

    stored_bytes.expire_media()

    assert paths(run) == [IMAGE]


def test_running_runs_keep_all(run: LoggedRun) -> None:
    """What a run logged long ago stays as long as it runs."""
    put(run, IMAGE, b"image")
    keep_media_for(run, 1)
    with db.transaction() as tx:
        tx.execute("UPDATE run SET finished_at = now() - interval '9 days', heartbeat_at = now()")
        tx.execute("UPDATE run_file SET updated_at = now() - interval '9 days'")

    stored_bytes.expire_media()

    assert paths(run) == [IMAGE]


def test_expired_file_is_back(run: LoggedRun) -> None:
    """A file that is put again is there again, and stays for the time that the project keeps media."""
    put(run, IMAGE, b"image")
    keep_media_for(run, 7)
    end(run, 8)
    stored_bytes.expire_media()

    put(run, IMAGE, b"image")
    stored_bytes.expire_media()

    assert paths(run) == [IMAGE]
    assert file_of_run(run.team_id, run.id, IMAGE).size == 5


def test_forks_inherit_that_files_expired(run: LoggedRun, server_settings: Settings) -> None:
    """A fork of a run has the parent's files, and knows of those that expired that they did."""
    put(run, IMAGE, b"image")
    keep_media_for(run, 7)
    end(run, 8)
    stored_bytes.expire_media()
    put(run, "media/images/b.png", b"another")
    fork = log_run(server_settings, run="r2")

    with db.transaction() as tx:
        wandb_writers.inherit_from(tx, run.id, fork.id)

    assert paths(fork) == ["media/images/b.png"]
    with pytest.raises(FileExpired):
        file_of_run(fork.team_id, fork.id, IMAGE)
    with pytest.raises(FileNotFound):
        file_of_run(fork.team_id, fork.id, "media/images/c.png")


def test_files_of_deleted_runs(run: LoggedRun, server_settings: Settings) -> None:
    """A deleted run's files go when the grace is over, with their bytes; other runs' stay."""
    other = log_run(server_settings, run="r2")
    put(run, IMAGE, b"image")
    put(other, IMAGE, b"another")
    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now() - interval '6 days' WHERE id = %s", (run.id,))
        tx.execute("UPDATE blob SET touched_at = now() - interval '9 days'")
    stored_bytes.collect()
    assert len(list(blob_store().listing())) == 2

    with db.transaction() as tx:
        tx.execute("UPDATE run SET deleted_at = now() - interval '8 days' WHERE id = %s", (run.id,))
    for _ in range(2):
        stored_bytes.collect()

    assert paths(other) == [IMAGE]
    assert len(list(blob_store().listing())) == 1


def test_sweeps_in_threads(run: LoggedRun) -> None:
    """The chores return at once, and do their work."""
    put(run, IMAGE, b"image")
    with db.transaction() as tx:
        run_files.remove(tx, run.id, IMAGE)
        tx.execute("UPDATE blob SET touched_at = now() - interval '2 days'")

    assert stored_bytes.collect_garbage() == []
    assert stored_bytes.remove_nameless() == []

    assert eventually(lambda: not list(blob_store().listing()))
