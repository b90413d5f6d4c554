"""Files of a run on their way from a training process to the blob store."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import runhue
from runhue import errors
from runhue._files import FILES
from tests.integration.sdk.conftest import RunSettings
from tests.integration.sdk.cutting_proxy import CuttingProxy
from tests.integration.sdk.ingest_server import IngestServer, assert_contiguous
from tests.integration.sdk.stored_files import StoredFile, stored_blobs, stored_files

pytestmark = pytest.mark.stack


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Files by path below a folder."""
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def until(question: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is so; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.02)


def test_saved_files_keep_their_relative_paths(
    run_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern below the working directory is saved under the same paths, byte for byte."""
    monkeypatch.chdir(tmp_path)
    contents = {"out/a.txt": b"alpha", "out/deep/b.bin": bytes(range(256)) * 999, "out/empty.txt": b""}
    write(tmp_path, contents)

    with runhue.init(project="files", id="relative", settings=run_settings()) as run:
        saved = run.save("out/**", policy="now")

    assert sorted(saved) == sorted(contents)
    assert stored_files("relative") == {path: StoredFile.of(content) for path, content in contents.items()}
    assert not Path(run.dir).exists()


@pytest.mark.parametrize(
    ("pattern", "base", "saved"),
    [
        ("{root}/run1/*.txt", None, ["run1/a.txt", "run1/b.txt"]),
        ("{root}/run1/*.txt", "{root}/run1", ["a.txt", "b.txt"]),
        ("{root}/run1", None, ["run1/a.txt", "run1/b.txt", "run1/deep/c.txt"]),
        ("{root}/*/a.txt", "{root}", ["run1/a.txt"]),
        ("{root}/none*", None, []),
    ],
)
def test_where_saved_files_go(
    run_settings: RunSettings, tmp_path: Path, pattern: str, base: str | None, saved: list[str]
) -> None:
    """An absolute pattern keeps one folder, `base_path` says otherwise, and a folder stands for its files."""
    write(tmp_path, {"run1/a.txt": b"a", "run1/b.txt": b"b", "run1/deep/c.txt": b"c"})

    with runhue.init(project="files", id="places", settings=run_settings()) as run:
        found = run.save(pattern.format(root=tmp_path), base and base.format(root=tmp_path), policy="now")
        with pytest.raises(errors.BadPath, match="not within base_path"):
            run.save(tmp_path / "run1" / "*", base_path=tmp_path / "run1" / "deep")

    if not pattern.endswith("run1"):
        assert found == saved
    assert sorted(stored_files("places")) == saved


def test_policies_say_which_content_is_kept(run_settings: RunSettings, tmp_path: Path) -> None:
    """`now` keeps what was there, `live` and `end` the last content; a name with brackets can be literal."""
    names = ["now.txt", "live.txt", "end[1].txt"]
    write(tmp_path, dict.fromkeys(names, b"first"))

    with runhue.init(project="files", id="policies", settings=run_settings()) as run:
        run.save(tmp_path / "now.txt", base_path=tmp_path, policy="now")
        run.save(tmp_path / "live.txt", base_path=tmp_path)
        run.save(tmp_path / "end[1].txt", base_path=tmp_path, policy="end", glob=False)
        until(lambda: "live.txt" in stored_files("policies"))
        assert "end[1].txt" not in stored_files("policies")
        write(tmp_path, dict.fromkeys(names, b"second, longer"))
        with pytest.raises(errors.BadPath, match="policy must be one of live, now, end"):
            run.save(tmp_path / "now.txt", policy="later")  # type: ignore[arg-type]  # wrong on purpose

    first, second = StoredFile.of(b"first"), StoredFile.of(b"second, longer")
    assert stored_files("policies") == {"now.txt": first, "live.txt": second, "end[1].txt": second}


def test_of_many_contents_of_one_path_the_last_is_kept(run_settings: RunSettings, tmp_path: Path) -> None:
    """A file saved again and again ends with its last content, whichever upload was faster."""
    with runhue.init(project="files", id="again", settings=run_settings()) as run:
        for number in range(30):
            write(tmp_path, {"a.bin": bytes([number]) * (300_000 - 9_000 * number)})
            run.save(tmp_path / "a.bin", base_path=tmp_path, policy="now")

    assert stored_files("again") == {"a.bin": StoredFile.of(bytes([29]) * (300_000 - 9_000 * 29))}


def test_equal_bytes_are_stored_and_kept_once(run_settings: RunSettings, tmp_path: Path) -> None:
    """The same bytes under many names take room once, in the spool and on the server."""
    write(tmp_path, {f"{number}.bin": b"same" * 1000 for number in range(20)})
    offline = run_settings(mode="offline")

    with runhue.init(project="files", id="equal", settings=offline) as run:
        run.save(tmp_path / "*.bin", base_path=tmp_path, policy="now")
    assert {file.stat().st_nlink for file in (Path(run.dir) / FILES).iterdir()} == {20}
    runhue.sync(run.dir, settings=run_settings())

    assert set(stored_files("equal").values()) == {StoredFile.of(b"same" * 1000)}
    assert len(stored_files("equal")) == 20
    assert stored_blobs() == 1


def test_offline_files_are_sent_by_sync(run_settings: RunSettings, tmp_path: Path) -> None:
    """An offline run's media and files reach the server with `sync`, again is fine, and its spool is gone."""
    write(tmp_path, {"weights.pt": b"w" * 100_000})
    with runhue.init(project="files", id="offline", settings=run_settings(mode="offline")) as run:
        run.log({"image": runhue.Image(np.zeros((8, 8)))})
        run.save(tmp_path / "weights.pt", base_path=tmp_path, policy="end")
    assert stored_files("offline") == {}

    for _ in range(2):
        assert [result.error for result in runhue.sync(run.dir, settings=run_settings())] in ([None], [])

    stored = stored_files("offline")
    assert stored["weights.pt"] == StoredFile.of(b"w" * 100_000)
    assert [path.split("/")[:2] for path in stored] == [["media", "images"], ["weights.pt"]]
    assert not Path(run.dir).exists()


def test_kept_bytes_go_once_they_are_durable(run_settings: RunSettings) -> None:
    """While a run goes on, the spool holds only files that the server does not have yet."""
    run = runhue.init(project="files", id="room", settings=run_settings())
    for number in range(50):
        run.log({"image": runhue.Image(np.full((8, 8), number, dtype=np.uint8))})

    until(lambda: len(stored_files("room")) == 50 and not list((Path(run.dir) / FILES).iterdir()))
    run.finish()


def test_rows_wait_for_their_files(ingest: IngestServer, run_settings: RunSettings, tmp_path: Path) -> None:
    """While the store takes nothing no row that names a file is durable; then everything arrives."""
    store = tmp_path / "store"
    store.write_text("a file where the folder should be")
    ingest.kill()
    ingest.start(RUNHUE_BLOB_URL=store.as_uri())
    run = runhue.init(project="files", id="waiting", settings=run_settings())
    run.log({"loss": 1.0})
    until(lambda: bool(ingest.rows("waiting")))
    run.log({"image": runhue.Image(np.zeros((8, 8)))})
    run.log({"loss": 2.0})
    sender = run._writer.sender
    assert sender is not None
    until(lambda: sender.last_fault is not None)
    assert [row for _, row in ingest.rows("waiting")] == [{"loss": 1.0}]

    store.unlink()
    run.finish()

    rows = ingest.rows("waiting")
    assert [step for step, _ in rows] == [0, 1, 2]
    image = rows[1][1]["image"]
    assert stored_files("waiting") == {image["path"]: StoredFile(image["sha256"], image["size"])}
    assert_contiguous(ingest.batches("waiting"))


def test_a_refused_file_is_set_aside_and_its_row_goes(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path
) -> None:
    """A file above the server's limit goes to `rejected/` with its reason; rows and other files arrive."""
    ingest.kill()
    ingest.start(RUNHUE_MAX_FILE_BYTES="2000")
    write(tmp_path, {"large.bin": b"x" * 2001, "small.bin": b"x" * 2000})

    with runhue.init(project="files", id="refused", settings=run_settings()) as run:
        run.save(tmp_path / "*.bin", base_path=tmp_path, policy="now")
        run.log({"loss": 1.0})

    assert sorted(stored_files("refused")) == ["small.bin"]
    assert [row for _, row in ingest.rows("refused")] == [{"loss": 1.0}]
    rejected = {path.suffix: path for path in (Path(run.dir) / "rejected").iterdir()}
    assert rejected[".file"].read_bytes() == b"x" * 2001
    reason = json.loads(rejected[".json"].read_text())
    assert reason["path"] == "large.bin"
    assert "larger than 2000 bytes" in reason["reason"]


def test_lost_replies_change_nothing(ingest: IngestServer, run_settings: RunSettings, tmp_path: Path) -> None:
    """With a third of the answers lost, every file and row is there once."""
    proxy = CuttingProxy(ingest.port, share=0.3, seed=7)
    # Small ones go in packs, the others each on their own.
    contents = {f"{number}.bin": os.urandom(30_000 + number % 2 * 250_000) for number in range(40)}
    write(tmp_path, contents)

    settings = run_settings(base_url=f"http://127.0.0.1:{proxy.port}", unreachable_timeout=120)
    with runhue.init(project="files", id="lossy", settings=settings) as run:
        for number in range(40):
            run.save(tmp_path / f"{number}.bin", base_path=tmp_path, policy="now")
            run.log({"n": number})
    proxy.close()

    assert proxy.cut > 10
    assert stored_files("lossy") == {path: StoredFile.of(content) for path, content in contents.items()}
    assert [row["n"] for _, row in ingest.rows("lossy")] == list(range(40))


def test_a_server_without_packs_gets_each_file_on_its_own(
    ingest: IngestServer, run_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older server answers 404 to packs; the files are then offered one by one, and all arrive."""
    contents = {f"{number}.bin": os.urandom(3_000) for number in range(5)}
    write(tmp_path, contents)
    asked: list[str] = []
    post = httpx.Client.post

    def older(client: httpx.Client, url: str, **options: Any) -> httpx.Response:
        asked.append(url.rpartition("/")[2])
        if url.endswith("/file-packs"):
            url = url.replace("/file-packs", "/no-such-route")
        return post(client, url, **options)

    monkeypatch.setattr(httpx.Client, "post", older)
    with runhue.init(project="files", id="older", settings=run_settings()) as run:
        for path in contents:
            run.save(tmp_path / path, base_path=tmp_path, policy="now")

    assert stored_files("older") == {path: StoredFile.of(content) for path, content in contents.items()}
    assert asked.count("file-packs") >= 1
    assert asked.count("files") >= 2 * len(contents)


def test_a_forked_child_keeps_files_of_its_own(ingest: IngestServer, run_settings: RunSettings) -> None:
    """Parent and child of a fork log images into one run, each through a spool of its own."""
    run = runhue.init(project="files", id="forked", settings=run_settings())
    run.log({"parent": runhue.Image(np.zeros((4, 4)))})
    child = os.fork()
    if child == 0:
        run.log({"child": runhue.Image(np.ones((4, 4)))}, step=1, commit=True)
        run.finish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.log({"parent": runhue.Image(np.full((4, 4), 0.5))})
    run.finish()

    named = [row[key]["path"] for _, row in ingest.rows("forked") for key in row]
    assert len(named) == 3
    assert sorted(named) == sorted(stored_files("forked"))
